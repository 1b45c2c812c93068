#pragma once

#include <array>
#include <string_view>

namespace millrace::inline exec::java_time {

inline constexpr std::array<std::string_view, 12> kMonths{"January",   "February", "March",    "April",
                                                          "May",       "June",     "July",     "August",
                                                          "September", "October",  "November", "December"};
inline constexpr std::array<std::string_view, 7> kDays{"Monday", "Tuesday",  "Wednesday", "Thursday",
                                                       "Friday", "Saturday", "Sunday"};

inline constexpr std::string_view kDateLetters = "GuyDMLdQqYwWEecF";
inline constexpr std::string_view kTimeLetters = "ahKkHmsSAnN";
inline constexpr std::string_view kZoneLetters = "VzOXxZ";

/// 1 = Monday.
constexpr int day_of_week(std::int64_t epoch_day) {
  return static_cast<int>(((epoch_day + 3) % 7 + 7) % 7) + 1;
}

}  // namespace millrace::inline exec::java_time
