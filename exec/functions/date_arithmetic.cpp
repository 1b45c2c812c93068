#include "exec/functions/families.h"
#include "exec/functions/java_time.h"
#include "exec/functions/scalar.h"
#include "planner/types/civil.h"

namespace millrace::inline exec {
namespace {

using Text = std::string_view;

/// Milliseconds of a unit, singular or plural.
Result<std::int64_t> unit_millis(Text unit) {
  if (unit.ends_with("S")) unit.remove_suffix(1);
  if (unit == "DAY") return kMillisPerDay;
  if (unit == "HOUR") return 3'600'000;
  if (unit == "MINUTE") return 60'000;
  if (unit == "SECOND") return 1000;
  if (unit == "MILLISECOND") return 1;
  return user_error("unknown unit of time: {}", unit);
}

template <int Sign>
Result<Date> add_to_date(Text unit, std::int32_t count, Date date) {
  const auto millis = unit_millis(unit);
  if (!millis) return millis.error();
  const std::int64_t sum = date.days * kMillisPerDay + std::int64_t{count} * Sign * *millis;
  return Date{static_cast<std::int32_t>(floor_div(sum, kMillisPerDay))};
}
template <int Sign>
Result<Time> add_to_time(Text unit, std::int32_t count, Time time) {
  const auto millis = unit_millis(unit);
  if (!millis) return millis.error();
  return Time{static_cast<std::int32_t>(floor_mod(time.millis + std::int64_t{count} * Sign * *millis, kMillisPerDay))};
}
template <int Sign>
Result<Timestamp> add_to_timestamp(Text unit, std::int32_t count, Timestamp time) {
  const auto millis = unit_millis(unit);
  if (!millis) return millis.error();
  return Timestamp{time.millis + std::int64_t{count} * Sign * *millis};
}

Result<Timestamp> convert_tz(Timestamp time, Text from_name, Text to_name) {
  const auto from = Zone::find(from_name);
  if (!from) return from.error();
  const auto to = Zone::find(to_name);
  if (!to) return to.error();
  const std::int64_t instant = time.millis - (*from)->offset_at_local(time.millis);
  return Timestamp{instant + (*to)->offset_at(instant)};
}

FunctionVariant with_unit(FunctionVariant variant) {
  variant.parameters[0].type = {.kind = TypePattern::Kind::interval_unit};
  return variant;
}
FunctionDef date(DefinitionSpec spec) {
  return define(FunctionKind::scalar, "DATE / TIME", std::move(spec));
}

}  // namespace

FunctionFamily date_arithmetic_functions() {
  return {date({"dateadd",
                "A date later by so many units, in whole days.",
                {with_unit(scalar<add_to_date<1>>({"unit", "count", "date"}))},
                {{"CAST(DATEADD(DAYS, 5, '2020-01-01') AS STRING)", "'2020-01-06'"}}}),
          date({"datesub",
                "A date earlier by so many units, in whole days.",
                {with_unit(scalar<add_to_date<-1>>({"unit", "count", "date"}))},
                {{"CAST(DATESUB(DAYS, 5, '2020-01-06') AS STRING)", "'2020-01-01'"}}}),
          date({"timeadd",
                "A time later by so many units, around the clock.",
                {with_unit(scalar<add_to_time<1>>({"unit", "count", "time"}))},
                {{"CAST(TIMEADD(HOURS, 2, '23:00:00') AS STRING)", "'01:00'"}}}),
          date({"timesub",
                "A time earlier by so many units, around the clock.",
                {with_unit(scalar<add_to_time<-1>>({"unit", "count", "time"}))},
                {{"CAST(TIMESUB(HOURS, 2, '01:00:00') AS STRING)", "'23:00'"}}}),
          date({"timestampadd",
                "A timestamp later by so many units.",
                {with_unit(scalar<add_to_timestamp<1>>({"unit", "count", "timestamp"}))},
                {{"UNIX_TIMESTAMP(TIMESTAMPADD(SECONDS, 1, FROM_UNIXTIME(0)))", "CAST(1000 AS BIGINT)"}}}),
          date({"timestampsub",
                "A timestamp earlier by so many units.",
                {with_unit(scalar<add_to_timestamp<-1>>({"unit", "count", "timestamp"}))},
                {{"UNIX_TIMESTAMP(TIMESTAMPSUB(SECONDS, 1, FROM_UNIXTIME(1000)))", "CAST(0 AS BIGINT)"}}}),
          date({"CONVERT_TZ",
                "The clock reading of one time zone as that of another.",
                {scalar<convert_tz>({"timestamp", "from", "to"})},
                {{"CAST(CONVERT_TZ('2022-01-01T00:00', 'UTC', '+02:00') AS STRING)", "'2022-01-01T02:00:00.000'"}}})};
}

}  // namespace millrace::inline exec
