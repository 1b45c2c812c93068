#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace millrace::inline exec {

/// What tests let the time of day be ahead, so that they need not wait for hours.
inline std::atomic<std::int64_t> wall_clock_ahead_ms{0};

/// Milliseconds since 1970, as records and results carry them.
inline std::int64_t wall_clock_ms() {
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<std::chrono::milliseconds>(now).count() +
         wall_clock_ahead_ms.load(std::memory_order_relaxed);
}

}  // namespace millrace::inline exec
