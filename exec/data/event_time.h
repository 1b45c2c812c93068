#pragma once

#include <cstdint>

namespace millrace::inline exec {

/// Event times are milliseconds from 1970 to the end of the year 9999; a record of another time is a bad one. Lengths
/// of time in a plan are no longer than that, so sums of them do not overflow.
constexpr std::int64_t kMaxEventTime = 253'402'300'799'999;

constexpr bool is_event_time(std::int64_t time) {
  return time >= 0 && time <= kMaxEventTime;
}

}  // namespace millrace::inline exec
