#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>

namespace millrace::inline exec {

/// Numbers that order what aggregates have seen, so that merged states know which came first. They start from the
/// clock: a restarted process continues above what it wrote before.
inline std::int64_t reserve_sequence(std::size_t count) {
  static std::atomic<std::int64_t> next{
      std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::system_clock::now().time_since_epoch())
          .count()};
  return next.fetch_add(static_cast<std::int64_t>(count), std::memory_order_relaxed);
}

}  // namespace millrace::inline exec
