#include <algorithm>

#include "exec/functions/families.h"
#include "exec/functions/java_time.h"
#include "exec/functions/scalar.h"
#include "planner/types/civil.h"

namespace millrace::inline exec {
namespace {

using Text = std::string_view;

/// A unit of time, singular or plural: so many months of the calendar, or milliseconds.
struct Unit {
  int months = 0;
  std::int64_t millis = 0;
};

Result<Unit> find_unit(Text unit) {
  if (unit.ends_with("S")) unit.remove_suffix(1);
  if (unit == "YEAR") return Unit{12, 0};
  if (unit == "MONTH") return Unit{1, 0};
  if (unit == "DAY") return Unit{0, kMillisPerDay};
  if (unit == "HOUR") return Unit{0, 3'600'000};
  if (unit == "MINUTE") return Unit{0, 60'000};
  if (unit == "SECOND") return Unit{0, 1000};
  if (unit == "MILLISECOND") return Unit{0, 1};
  return user_error("unknown unit of time: {}", unit);
}

/// The same day of a later month, or that month's last day when it has no such day.
std::int64_t add_months(std::int64_t day, std::int64_t months) {
  const CivilDate date = civil_from_days(day);
  const std::int64_t month = date.year * 12 + date.month - 1 + months;
  const std::int64_t year = floor_div(month, 12);
  const int month_of_year = static_cast<int>(floor_mod(month, 12)) + 1;
  return days_from_civil(year, month_of_year, std::min(date.day, days_in_month(year, month_of_year)));
}

/// `millis` later by `count` units.
Result<std::int64_t> later(std::int64_t millis, std::int64_t count, Text unit_name) {
  const auto unit = find_unit(unit_name);
  if (!unit) return unit.error();
  std::int64_t sum = 0;
  if (unit->months != 0) {
    const std::int64_t day = floor_div(millis, kMillisPerDay);
    const std::int64_t moved = add_months(day, count * unit->months) - day;
    if (!__builtin_mul_overflow(moved, kMillisPerDay, &sum) && !__builtin_add_overflow(sum, millis, &sum)) return sum;
  } else if (!__builtin_mul_overflow(count, unit->millis, &sum) && !__builtin_add_overflow(sum, millis, &sum)) {
    return sum;
  }
  return user_error("the result is out of range");
}

template <int Sign>
Result<Date> add_to_date(Text unit, std::int32_t count, Date date) {
  const auto sum = later(date.days * kMillisPerDay, std::int64_t{count} * Sign, unit);
  if (!sum) return sum.error();
  const std::int64_t day = floor_div(*sum, kMillisPerDay);
  if (day != static_cast<std::int32_t>(day)) return user_error("the result is out of range");
  return Date{static_cast<std::int32_t>(day)};
}
template <int Sign>
Result<Time> add_to_time(Text unit, std::int32_t count, Time time) {
  const auto sum = later(time.millis, std::int64_t{count} * Sign, unit);
  if (!sum) return sum.error();
  return Time{static_cast<std::int32_t>(floor_mod(*sum, kMillisPerDay))};
}
template <int Sign>
Result<Timestamp> add_to_timestamp(Text unit, std::int32_t count, Timestamp time) {
  const auto sum = later(time.millis, std::int64_t{count} * Sign, unit);
  if (!sum) return sum.error();
  return Timestamp{*sum};
}

Result<Timestamp> convert_tz(Timestamp time, Text from_name, Text to_name) {
  const auto from = Zone::find(from_name);
  if (!from) return from.error();
  const auto to = Zone::find(to_name);
  if (!to) return to.error();
  return Timestamp{time.millis + (*to)->offset_at(time.millis) - (*from)->offset_at(time.millis)};
}

FunctionVariant with_unit(FunctionVariant variant) {
  variant.parameters[0].type = {.kind = TypePattern::Kind::interval_unit};
  return variant;
}
/// For times of day: months and years mean nothing to them.
FunctionVariant with_clock_unit(FunctionVariant variant) {
  variant = with_unit(std::move(variant));
  variant.parameters[0].clock_unit = true;
  return variant;
}
FunctionDef date(DefinitionSpec spec) {
  return define(FunctionKind::scalar, "DATE / TIME", std::move(spec));
}

}  // namespace

FunctionFamily date_arithmetic_functions() {
  return {date({"dateadd",
                "A date later by so many units, in whole days; MONTHS and YEARS follow the calendar.",
                {with_unit(scalar<add_to_date<1>>({"unit", "count", "date"}))},
                {{"CAST(DATEADD(DAYS, 5, '2020-01-01') AS STRING)", "'2020-01-06'"},
                 {"CAST(DATEADD(MONTHS, 1, '2020-01-31') AS STRING)", "'2020-02-29'"},
                 {"CAST(DATEADD(HOURS, 25, '2020-01-31') AS STRING)", "'2020-02-01'"},
                 {"DATEADD(YEARS, 2147483647, '2020-01-31')", "error"},
                 {"DATEADD(DAYS, NULL, '2020-01-31')", "NULL"}}}),
          date({"datesub",
                "A date earlier by so many units, in whole days; MONTHS and YEARS follow the calendar.",
                {with_unit(scalar<add_to_date<-1>>({"unit", "count", "date"}))},
                {{"CAST(DATESUB(DAYS, 5, '2020-01-06') AS STRING)", "'2020-01-01'"},
                 {"CAST(DATESUB(YEAR, 1, '2020-02-29') AS STRING)", "'2019-02-28'"}}}),
          date({"timeadd",
                "A time later by so many units, around the clock.",
                {with_clock_unit(scalar<add_to_time<1>>({"unit", "count", "time"}))},
                {{"CAST(TIMEADD(HOURS, 2, '23:00:00') AS STRING)", "'01:00'"}}}),
          date({"timesub",
                "A time earlier by so many units, around the clock.",
                {with_clock_unit(scalar<add_to_time<-1>>({"unit", "count", "time"}))},
                {{"CAST(TIMESUB(HOURS, 2, '01:00:00') AS STRING)", "'23:00'"}}}),
          date({"timestampadd",
                "A timestamp later by so many units; MONTHS and YEARS follow the calendar in UTC.",
                {with_unit(scalar<add_to_timestamp<1>>({"unit", "count", "timestamp"}))},
                {{"UNIX_TIMESTAMP(TIMESTAMPADD(SECONDS, 1, FROM_UNIXTIME(0)))", "CAST(1000 AS BIGINT)"},
                 {"CAST(TIMESTAMPADD(MONTHS, 13, '2023-01-31T10:00:00') AS STRING)", "'2024-02-29T10:00:00.000'"}}}),
          date({"timestampsub",
                "A timestamp earlier by so many units; MONTHS and YEARS follow the calendar in UTC.",
                {with_unit(scalar<add_to_timestamp<-1>>({"unit", "count", "timestamp"}))},
                {{"UNIX_TIMESTAMP(TIMESTAMPSUB(SECONDS, 1, FROM_UNIXTIME(1000)))", "CAST(0 AS BIGINT)"},
                 {"CAST(TIMESTAMPSUB(MONTH, 1, '2023-03-31T10:00:00') AS STRING)", "'2023-02-28T10:00:00.000'"}}}),
          date({"CONVERT_TZ",
                "A timestamp moved by the difference that two time zones have at that instant.",
                {scalar<convert_tz>({"timestamp", "from", "to"})},
                {{"CAST(CONVERT_TZ('2022-01-01T00:00', 'UTC', '+02:00') AS STRING)", "'2022-01-01T02:00:00.000'"},
                 {"CAST(CONVERT_TZ('2022-07-01T12:00', 'Europe/Paris', 'America/New_York') AS STRING)",
                  "'2022-07-01T06:00:00.000'"},
                 {"CONVERT_TZ('2022-01-01T00:00', 'UTC', 'Nowhere')", "error"}}})};
}

}  // namespace millrace::inline exec
