#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>

namespace millrace::inline exec {

/// Moves stream time on where all inputs of a task are quiet: after each `timeout_ms` of the wall clock by what has
/// gone by of it, until nothing can be open any more. Times in ms; one thread.
class IdleClock {
 public:
  /// `reach_ms`: behind the newest row by more than that, nothing waits.
  /// `by_clock`: the time of rows is that of the clock when they come.
  IdleClock(std::int64_t timeout_ms, std::int64_t reach_ms, std::int64_t now, bool by_clock = false)
      : timeout_(timeout_ms), reach_(reach_ms), by_clock_(by_clock), since_(now) {}

  /// Rows have come, the newest of that time.
  void rows(std::int64_t newest, std::int64_t now) {
    if (by_clock_) newest = now;
    row_ = std::max(row_, newest);
    stream_time_ = std::max(stream_time_, newest);
    since_ = now;
  }
  /// Something is on its way.
  void busy(std::int64_t now) { since_ = now; }
  bool due(std::int64_t now) const {
    if (now - since_ < timeout_) return false;
    return stream_time_ == INT64_MIN ? !told_ : stream_time_ - row_ <= reach_;
  }
  /// Precondition: due(now). Gives the new stream time; nothing: there has been no row, which is to be told once.
  std::optional<std::int64_t> step(std::int64_t now) {
    told_ = true;
    if (stream_time_ == INT64_MIN) return std::nullopt;
    stream_time_ = by_clock_ ? std::max(stream_time_, now) : stream_time_ + (now - since_);
    since_ = now;
    return stream_time_;
  }

  /// Part of the task's progress; nothing before the first row.
  std::optional<std::int64_t> stream_time() const {
    return stream_time_ == INT64_MIN ? std::nullopt : std::optional(stream_time_);
  }
  /// What was committed, or rolled back to.
  void restore(std::optional<std::int64_t> stream_time, std::int64_t now) {
    stream_time_ = row_ = stream_time.value_or(INT64_MIN);
    since_ = now;
    told_ = false;
  }

 private:
  std::int64_t timeout_, reach_;
  bool by_clock_;
  std::int64_t since_;                    // wall clock
  std::int64_t stream_time_ = INT64_MIN;  // rows and steps
  std::int64_t row_ = INT64_MIN;          // of rows alone, since it is known
  bool told_ = false;                     // that there has been no row
};

}  // namespace millrace::inline exec
