#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <limits>

#include "exec/log/log.h"

namespace millrace::inline exec::kafka {

/// When the waiting calls of a log give up, because its process is about to end. Any thread.
class Ending {
 public:
  /// Of several the earliest holds.
  void within(std::chrono::milliseconds wait) {
    const Clock::rep at = (Clock::now() + wait).time_since_epoch().count();
    Clock::rep known = at_.load();
    while (at < known && !at_.compare_exchange_weak(known, at)) {
    }
  }
  bool over() const { return Clock::now() >= at(); }
  /// `wait`, or less when the end is nearer.
  std::chrono::milliseconds bound(std::chrono::milliseconds wait) const {
    const Clock::time_point end = at();
    if (end == Clock::time_point::max()) return wait;
    return std::clamp(std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()), std::chrono::milliseconds{0},
                      wait);
  }

 private:
  Clock::time_point at() const { return Clock::time_point(Clock::duration(at_.load(std::memory_order_relaxed))); }
  std::atomic<Clock::rep> at_{std::numeric_limits<Clock::rep>::max()};
};

}  // namespace millrace::inline exec::kafka
