#pragma once

#include <chrono>
#include <cstdint>

namespace millrace::inline exec {

/// Milliseconds since 1970, as records and results carry them.
inline std::int64_t wall_clock_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace millrace::inline exec
