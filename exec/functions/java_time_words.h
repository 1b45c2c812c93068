#pragma once

#include <array>
#include <string_view>

#include "planner/types/civil.h"

namespace millrace::inline exec::java_time {

inline constexpr std::array<std::string_view, 12> kMonths{"January",   "February", "March",    "April",
                                                          "May",       "June",     "July",     "August",
                                                          "September", "October",  "November", "December"};
inline constexpr std::array<std::string_view, 7> kDays{"Monday", "Tuesday",  "Wednesday", "Thursday",
                                                       "Friday", "Saturday", "Sunday"};
inline constexpr std::array<std::string_view, 4> kQuarters{"1st quarter", "2nd quarter", "3rd quarter", "4th quarter"};

inline constexpr std::string_view kDateLetters = "GuyDMLdQqYwWEecFg";
inline constexpr std::string_view kTimeLetters = "aBhKkHmsSAnN";

/// A part of the day, in minutes since midnight, its end not included; `night` runs over midnight.
struct DayPeriod {
  std::string_view name, narrow;
  int from, to;
  constexpr bool includes(int minute) const {
    if (from == to) return minute == from;
    return from < to ? from <= minute && minute < to : from <= minute || minute < to;
  }
  constexpr int middle() const { return (from <= to ? (from + to) / 2 : (from + to + 1440) / 2) % 1440; }
};
/// The first that includes a minute is the one to write.
inline constexpr std::array<DayPeriod, 6> kDayPeriods{{{"midnight", "mi", 0, 0},
                                                       {"noon", "n", 720, 720},
                                                       {"in the morning", "in the morning", 360, 720},
                                                       {"in the afternoon", "in the afternoon", 720, 1080},
                                                       {"in the evening", "in the evening", 1080, 1260},
                                                       {"at night", "at night", 1260, 360}}};

/// Day 0 of MJD, which `g` counts.
inline constexpr std::int64_t kModifiedJulian = 40587;

/// 1 = Monday.
constexpr int day_of_week(std::int64_t epoch_day) {
  return static_cast<int>(floor_mod(epoch_day + 3, 7)) + 1;
}
/// 1 = Sunday, where English weeks begin.
constexpr int day_of_english_week(std::int64_t epoch_day) {
  return day_of_week(epoch_day) % 7 + 1;
}

/// The week that has January 1 in it is the first one.
struct EnglishWeek {
  std::int64_t year;
  int week;
};
constexpr EnglishWeek english_week(std::int64_t epoch_day) {
  const std::int64_t saturday = epoch_day - day_of_english_week(epoch_day) + 7;
  const std::int64_t year = civil_from_days(saturday).year;
  return {year, static_cast<int>((saturday - days_from_civil(year, 1, 1)) / 7) + 1};
}
constexpr int week_of_month(std::int64_t epoch_day) {
  const int day = civil_from_days(epoch_day).day;
  return (day - 1 + day_of_english_week(epoch_day - day + 1) - 1) / 7 + 1;
}

}  // namespace millrace::inline exec::java_time
