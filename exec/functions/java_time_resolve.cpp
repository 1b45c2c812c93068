#include <algorithm>

#include "exec/functions/java_time_fields.h"
#include "exec/functions/java_time_words.h"

namespace millrace::inline exec::java_time {
namespace {

using Day = std::optional<std::int64_t>;  // since the epoch

constexpr std::int64_t kMaxYear = 200'000'000;
constexpr std::int64_t kNanosPerDay = kMillisPerDay * 1'000'000;

/// Era and year of the era give the year. False: they contradict it.
bool settle_year(Fields& fields) {
  const auto of_era = fields.get(Field::year_of_era);
  if (!of_era) return true;
  if (*of_era < 1 || *of_era > kMaxYear) return false;
  const auto era = fields.get(Field::era);
  const auto year = fields.get(Field::year);
  const bool before_christ = era ? *era == 0 : year && *year <= 0;
  return fields.set(Field::year, before_christ ? 1 - *of_era : *of_era);
}

Day from_month_and_day(const Fields& fields, std::int64_t year) {
  const auto month = static_cast<int>(*fields.get(Field::month));
  const auto day = static_cast<int>(*fields.get(Field::day));
  return days_from_civil(year, month, std::min(day, days_in_month(year, month)));
}

Day from_week_of_year(const Fields& fields, int weekday) {
  const std::int64_t year = *fields.get(Field::week_year);
  const std::int64_t first = days_from_civil(year, 1, 1);
  const std::int64_t weeks = (6 + day_of_english_week(first) + (is_leap_year(year) ? 366 : 365)) / 7 - 1;
  const std::int64_t week = std::min(*fields.get(Field::week_of_year), weeks);
  return first - day_of_english_week(first) + weekday + (week - 1) * 7;
}

/// The day that the fields name, which are taken; absent when they name none. `wrong`: it does not exist.
Day find_day(Fields& fields, bool& wrong) {
  if (const auto day = fields.get(Field::julian_day)) return *day - kModifiedJulian;
  const auto year = fields.get(Field::year);
  if (year && fields.has(Field::month) && fields.has(Field::day)) {
    const Day day = from_month_and_day(fields, *year);
    fields.take({Field::year, Field::month, Field::day});
    return day;
  }
  if (year && fields.has(Field::day_of_year)) {
    const std::int64_t of_year = *fields.get(Field::day_of_year);
    wrong = of_year > (is_leap_year(*year) ? 366 : 365);
    fields.take({Field::year, Field::day_of_year});
    return days_from_civil(*year, 1, 1) + of_year - 1;
  }
  if (!fields.has(Field::day_of_week)) return std::nullopt;
  const int weekday = static_cast<int>(*fields.get(Field::day_of_week)) % 7 + 1;
  if (fields.has(Field::week_year) && fields.has(Field::week_of_year)) {
    const Day day = from_week_of_year(fields, weekday);
    fields.take({Field::week_year, Field::week_of_year, Field::day_of_week});
    return day;
  }
  if (year && fields.has(Field::month) && fields.has(Field::week_of_month)) {
    const std::int64_t first = days_from_civil(*year, static_cast<int>(*fields.get(Field::month)), 1);
    const std::int64_t day = first + weekday - day_of_english_week(first) + (*fields.get(Field::week_of_month) - 1) * 7;
    fields.take({Field::year, Field::month, Field::week_of_month, Field::day_of_week});
    return day;
  }
  return std::nullopt;
}

/// Whether every date field says what the day is.
bool agrees(const Fields& fields, std::int64_t day) {
  const CivilDate date = civil_from_days(day);
  const auto is = [&fields](Field field, std::int64_t value) {
    const auto said = fields.get(field);
    return !said || *said == value;
  };
  return is(Field::year, date.year) && is(Field::month, date.month) && is(Field::day, date.day) &&
         is(Field::era, date.year > 0 ? 1 : 0) && is(Field::quarter, (date.month + 2) / 3) &&
         is(Field::day_of_year, day - days_from_civil(date.year, 1, 1) + 1) &&
         is(Field::day_of_week, day_of_week(day)) && is(Field::week_of_month_aligned, (date.day - 1) / 7 + 1) &&
         is(Field::week_year, english_week(day).year) && is(Field::week_of_year, english_week(day).week) &&
         is(Field::week_of_month, week_of_month(day)) && is(Field::julian_day, day + kModifiedJulian);
}

/// Fields that name no day, each put over 1970-01-01 in the order of their size.
Day over_epoch(const Fields& fields) {
  std::int64_t year = fields.get(Field::year).value_or(1970);
  if (const auto era = fields.get(Field::era); era && (*era == 1) != (year > 0)) year = 1 - year;
  const int month = static_cast<int>(fields.get(Field::month).value_or(1));
  std::int64_t day = days_from_civil(year, month, 1);
  if (const auto week = fields.get(Field::week_of_month_aligned)) day += (*week - 1) * 7;
  if (const auto weekday = fields.get(Field::day_of_week)) day += *weekday - day_of_week(day);
  if (const auto of_month = fields.get(Field::day)) {
    const CivilDate date = civil_from_days(day);
    if (*of_month > days_in_month(date.year, date.month)) return std::nullopt;
    day = days_from_civil(date.year, date.month, static_cast<int>(*of_month));
  }
  if (const auto of_year = fields.get(Field::day_of_year)) {
    const CivilDate date = civil_from_days(day);
    if (*of_year > (is_leap_year(date.year) ? 366 : 365)) return std::nullopt;
    day = days_from_civil(date.year, 1, 1) + *of_year - 1;
  }
  return day;
}

/// Settles a part of the day: with an hour up to 12 it says which half is meant, alone its middle. False: it
/// contradicts the time.
bool settle_day_period(Fields& fields) {
  const auto named = fields.get(Field::day_period);
  if (!named) return true;
  const DayPeriod& period = kDayPeriods[static_cast<std::size_t>(*named)];
  const int minute = static_cast<int>(fields.get(Field::minute).value_or(0));
  const auto half_hour = fields.get(Field::half_hour);
  if (half_hour && !fields.has(Field::half)) {
    const bool later = period.includes((static_cast<int>(*half_hour) + 12) * 60 + minute);
    fields.take({Field::half_hour});
    return fields.set(Field::hour, *half_hour + (later ? 12 : 0));
  }
  std::optional<std::int64_t> hour = fields.get(Field::hour);
  if (half_hour) hour = *half_hour + *fields.get(Field::half) * 12;
  if (hour) return period.includes(static_cast<int>(*hour) % 24 * 60 + minute);
  if (fields.has(Field::minute) || fields.has(Field::second) || fields.has(Field::nano)) return true;
  return fields.set(Field::hour, period.middle() / 60) && fields.set(Field::minute, period.middle() % 60);
}

/// Hour and parts, in nanoseconds. Absent: the fields contradict each other.
std::optional<std::int64_t> find_time(const Fields& fields, bool& whole) {
  whole = true;
  const auto half = fields.get(Field::half);
  std::optional<std::int64_t> hour = fields.get(Field::hour);
  if (const auto half_hour = fields.get(Field::half_hour)) {
    const std::int64_t said = *half_hour + half.value_or(0) * 12;
    if (hour && (*hour % 12 != *half_hour || (half && *hour != said))) return std::nullopt;
    if (!hour && !half) whole = false;
    if (!hour) hour = said;
  } else if (hour && half && *hour / 12 % 2 != *half) {
    return std::nullopt;
  } else if (!hour) {
    whole = false;
  }
  const auto minute = fields.get(Field::minute);
  const auto second = fields.get(Field::second);
  const auto nano = fields.get(Field::nano);
  if ((second && !minute) || (nano && !second)) whole = false;
  const bool parts = hour || minute || second || nano;
  if (half && !parts) {  // the middle of the half
    whole = true;
    hour = *half * 12 + 6;
  }
  const std::int64_t sum = hour.value_or(half.value_or(0) * 12) * 3'600'000'000'000 +
                           minute.value_or(0) * 60'000'000'000 + second.value_or(0) * 1'000'000'000 + nano.value_or(0);
  for (const auto& [of_day, unit] : {std::pair(fields.get(Field::milli_of_day), std::int64_t{1'000'000}),
                                     std::pair(fields.get(Field::nano_of_day), std::int64_t{1})}) {
    if (!of_day) continue;
    whole = true;
    if (parts && sum / unit != *of_day) return std::nullopt;
    return *of_day * unit;
  }
  if (hour == 24 && sum != kNanosPerDay) return std::nullopt;
  return sum;
}

}  // namespace

std::optional<ParsedTime> resolve(Fields fields) {
  if (!settle_year(fields) || !settle_day_period(fields)) return std::nullopt;
  const auto year = fields.get(Field::year);
  if (year && (*year > kMaxYear || *year < -kMaxYear)) return std::nullopt;
  if (const auto weekday = fields.get(Field::day_of_english_week)) {
    fields.take({Field::day_of_week, Field::day_of_english_week});
    fields.set(Field::day_of_week, (*weekday + 5) % 7 + 1);
  }
  ParsedTime out;
  for (const Field field : {Field::year, Field::era, Field::month, Field::day, Field::day_of_year, Field::day_of_week,
                            Field::week_of_month_aligned, Field::julian_day})
    out.has_date_field = out.has_date_field || fields.has(field);
  bool wrong = false;
  Day day = find_day(fields, wrong);
  out.is_whole_date = day.has_value();
  if (wrong || (day && !agrees(fields, *day))) return std::nullopt;
  if (!day) day = over_epoch(fields);
  const auto time = find_time(fields, out.is_whole_time);
  if (!day || !time) return std::nullopt;
  // 24:00 of a date is the next day; of no date it is midnight.
  const std::int64_t of_day = out.is_whole_date ? *time : *time % kNanosPerDay;
  out.local_millis = *day * kMillisPerDay + of_day / 1'000'000;
  out.has_date_field = out.has_date_field || out.is_whole_date;
  out.has_offset = fields.has(Field::offset);
  out.offset = fields.get(Field::offset).value_or(0);
  out.zone = fields.zone;
  return out;
}

std::optional<ParsedTime> resolve_loosely(const Fields& fields) {
  std::int64_t year = fields.get(Field::year).value_or(fields.get(Field::year_of_era).value_or(1970));
  if (fields.get(Field::era) == 0) year = 1 - year;
  if (year > kMaxYear || year < -kMaxYear) return std::nullopt;
  const std::int64_t months = year * 12 + fields.get(Field::month).value_or(1) - 1;
  std::int64_t day = days_from_civil(floor_div(months, 12), static_cast<int>(floor_mod(months, 12)) + 1, 1) +
                     fields.get(Field::day).value_or(1) - 1;
  if (const auto of_year = fields.get(Field::day_of_year); of_year && !fields.has(Field::month))
    day = days_from_civil(year, 1, 1) + *of_year - 1;
  const std::int64_t hour =
      fields.get(Field::hour)
          .value_or(fields.get(Field::half_hour).value_or(0) + fields.get(Field::half).value_or(0) * 12);
  ParsedTime out;
  out.local_millis = day * kMillisPerDay + hour * 3'600'000 + fields.get(Field::minute).value_or(0) * 60'000 +
                     fields.get(Field::second).value_or(0) * 1000 + fields.get(Field::nano).value_or(0) / 1'000'000;
  out.is_whole_date = true;
  out.has_offset = fields.has(Field::offset);
  out.offset = fields.get(Field::offset).value_or(0);
  out.zone = fields.zone;
  return out;
}

}  // namespace millrace::inline exec::java_time
