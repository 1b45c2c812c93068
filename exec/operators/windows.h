#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "exec/operators/operator.h"
#include "planner/logical/plan.h"

namespace millrace::inline exec {

/// Start of the first of the windows, of that size and distance, that a time may lie in.
inline std::int64_t first_window_start(std::int64_t time, std::int64_t size_ms, std::int64_t advance_ms) {
  return std::max<std::int64_t>(0, time - size_ms + advance_ms) / advance_ms * advance_ms;
}

/// How long a segment of a store is whose rows go by and by: one is a small part of what is kept.
inline std::int64_t segment_ms(std::int64_t retention_ms) {
  return std::max<std::int64_t>(retention_ms / 64, 1);
}

/// Time windows and the stream time that closes them. Stream time is the running maximum over the rows that reach the
/// operator.
class TimeWindows {
 public:
  /// `told`: rows do not move stream time, what is said of it does (Operator::on_time).
  TimeWindows(const WindowSpec& spec, bool told) : spec_(spec), told_(told) {}

  std::int64_t stream_time() const { return stream_time_; }
  const WindowSpec& spec() const { return spec_; }
  /// Stream time once a row has been seen.
  std::int64_t after(std::int64_t stream_time, std::int64_t timestamp) const {
    return told_ ? stream_time : std::max(stream_time, timestamp);
  }

  /// Sees a row, and appends the starts of the windows that take it, oldest first. `late(start)`: of those that are
  /// closed already.
  template <class TellLate>
  void assign(std::int64_t timestamp, std::vector<std::int64_t>& starts, const TellLate& late) {
    stream_time_ = after(stream_time_, timestamp);
    const std::int64_t closed = last_closed();
    std::int64_t start = first_window_start(timestamp, spec_.size_ms, spec_.advance_ms);
    for (; start <= timestamp; start += spec_.advance_ms) {
      if (start <= closed) {
        late(start);
      } else {
        starts.push_back(start);
      }
    }
  }
  /// What a row that came for a closed window is told as (LateRow).
  LateRow late_row(std::uint32_t row, std::int64_t start) const {
    return {row, last_closed() - start, start, start + spec_.size_ms};
  }
  /// Windows that start at or before this take no more rows: window end + grace <= stream time.
  std::int64_t last_closed() const {
    return stream_time_ == INT64_MIN ? INT64_MIN : stream_time_ - spec_.grace_ms - spec_.size_ms;
  }
  /// Windows that start before this are kept no longer.
  std::int64_t expired_before() const {
    return stream_time_ == INT64_MIN ? INT64_MIN : stream_time_ - spec_.retention_ms + 1;
  }
  void set_stream_time(std::int64_t time) { stream_time_ = time; }

 private:
  WindowSpec spec_;
  bool told_;
  std::int64_t stream_time_ = INT64_MIN;
};

inline std::int64_t windows_per_row(const WindowSpec& spec) {
  return spec.type == WindowType::hopping ? (spec.size_ms + spec.advance_ms - 1) / spec.advance_ms : 1;
}
/// How many rows that each go to so many places may be worked on in one go, so that what they need stays bounded.
inline std::size_t rows_at_once(std::int64_t places) {
  constexpr std::int64_t kPlaces = 1 << 18;
  return static_cast<std::size_t>(std::max<std::int64_t>(1, kPlaces / places));
}

/// How long an aggregate itself keeps a window: with EMIT FINAL only until its result is given out.
inline std::int64_t kept_ms(const AggregateNode& node) {
  const WindowSpec& spec = *node.window;
  return node.emit == EmitPolicy::final ? spec.size_ms + spec.grace_ms : spec.retention_ms;
}

/// Fixed-size progress of operators (Operator::save).
inline void save_number(std::int64_t value, std::string& bytes) {
  bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
}
/// `fallback` when `bytes` are used up.
inline std::int64_t load_number(std::string_view& bytes, std::int64_t fallback) {
  std::int64_t value = fallback;
  if (bytes.size() < sizeof(value)) return fallback;
  std::memcpy(&value, bytes.data(), sizeof(value));
  bytes.remove_prefix(sizeof(value));
  return value;
}

}  // namespace millrace::inline exec
