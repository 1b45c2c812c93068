#include <chrono>

#include "exec/data/wall_clock.h"
#include "exec/functions/families.h"
#include "exec/functions/java_time.h"
#include "exec/functions/scalar.h"
#include "planner/types/civil.h"

namespace millrace::inline exec {
namespace {

using Text = std::string_view;

Result<Text> format_local(Arena& arena, std::int64_t local, std::int64_t offset, const Zone& zone, TimeParts has,
                          Text pattern) {
  const auto compiled = JavaTimePattern::find(pattern);
  if (!compiled) return compiled.error();
  std::string out;
  if (const auto status = (*compiled)->format(local, offset, zone, has, out); !status) return status.error();
  return arena.copy(out);
}

Result<Text> format_millis(Arena& arena, std::int64_t millis, Text pattern, Text zone_name) {
  const auto zone = Zone::find(zone_name);
  if (!zone) return zone.error();
  const std::int64_t offset = (*zone)->offset_at(millis);
  return format_local(arena, millis + offset, offset, **zone, {}, pattern);
}
Result<Text> format_millis_utc(Arena& arena, std::int64_t millis, Text pattern) {
  return format_local(arena, millis, 0, Zone::utc(), {}, pattern);
}
Result<Text> format_timestamp(Arena& arena, Timestamp value, Text pattern) {
  return format_local(arena, value.millis, 0, Zone::gmt(), {}, pattern);
}
Result<Text> format_timestamp_zone(Arena& arena, Timestamp value, Text pattern, Text zone) {
  return format_millis(arena, value.millis, pattern, zone);
}

constexpr TimeParts kDateOnly{.date = true, .time = false, .zone = false};
constexpr TimeParts kTimeOnly{.date = false, .time = true, .zone = false};

Result<Text> format_day(Arena& arena, std::int64_t day, Text pattern) {
  return format_local(arena, day * kMillisPerDay, 0, Zone::utc(), kDateOnly, pattern);
}
Result<Text> format_date(Arena& arena, Date value, Text pattern) {
  return format_day(arena, value.days, pattern);
}
Result<Text> date_to_string(Arena& arena, std::int32_t day, Text pattern) {
  return format_day(arena, day, pattern);
}
Result<Text> format_time(Arena& arena, Time value, Text pattern) {
  return format_local(arena, value.millis, 0, Zone::utc(), kTimeOnly, pattern);
}

Result<ParsedTime> parse(Text text, Text pattern) {
  const auto compiled = JavaTimePattern::find(pattern);
  if (!compiled) return compiled.error();
  return (*compiled)->parse(text);
}

Result<std::int64_t> parse_in(Text text, Text pattern, const Zone& zone) {
  const auto parsed = parse(text, pattern);
  if (!parsed) return parsed.error();
  return parsed->instant(zone);
}
Result<std::int64_t> parse_millis(Text text, Text pattern, Text zone_name) {
  const auto zone = Zone::find(zone_name);
  if (!zone) return zone.error();
  return parse_in(text, pattern, **zone);
}
Result<std::int64_t> parse_millis_utc(Text text, Text pattern) {
  return parse_in(text, pattern, Zone::utc());
}
Result<Timestamp> parse_timestamp_zone(Text text, Text pattern, Text zone) {
  const auto millis = parse_millis(text, pattern, zone);
  if (!millis) return millis.error();
  return Timestamp{*millis};
}
Result<Timestamp> parse_timestamp(Text text, Text pattern) {
  const auto millis = parse_millis_utc(text, pattern);
  if (!millis) return millis.error();
  return Timestamp{*millis};
}

Result<std::int32_t> parse_day(Text text, Text pattern) {
  const auto parsed = parse(text, pattern);
  if (!parsed) return parsed.error();
  if (!parsed->is_whole_date) return user_error("Unable to obtain a date from '{}'", text);
  return static_cast<std::int32_t>(floor_div(parsed->local_millis, kMillisPerDay));
}
Result<Date> parse_date(Text text, Text pattern) {
  const auto compiled = JavaTimePattern::find(pattern);
  if (!compiled) return compiled.error();
  const auto parsed = (*compiled)->parse_loosely(text);
  if (!parsed) return parsed.error();
  const std::int64_t millis = parsed->instant(Zone::utc());
  const std::int64_t day = floor_div(millis, kMillisPerDay);
  if (day * kMillisPerDay != millis) return user_error("Date format contains time field.");
  return Date{static_cast<std::int32_t>(day)};
}
Result<Time> parse_time(Text text, Text pattern) {
  const auto parsed = parse(text, pattern);
  if (!parsed) return parsed.error();
  if (parsed->has_date_field) return user_error("Time format contains date field.");
  if (!parsed->is_whole_time) return user_error("Unable to obtain a time of day from '{}'", text);
  return Time{static_cast<std::int32_t>(floor_mod(parsed->local_millis, kMillisPerDay))};
}

std::int32_t today() {
  return static_cast<std::int32_t>(floor_div(wall_clock_ms(), kMillisPerDay));
}
std::int32_t day_number(Date value) {
  return value.days;
}
std::int64_t millis_of(Timestamp value) {
  return value.millis;
}
Timestamp from_unixtime(std::int64_t millis) {
  return {millis};
}
Date from_days(std::int32_t days) {
  return {days};
}

FunctionDef date(DefinitionSpec spec) {
  return define(FunctionKind::scalar, "DATE / TIME", std::move(spec));
}

FunctionFamily conversions() {
  return {date({"FROM_DAYS",
                "The date so many days after 1970-01-01.",
                {scalar<from_days>({"days"}, OnNull::fail)},
                {{"CAST(FROM_DAYS(1) AS STRING)", "'1970-01-02'"}}}),
          date({"FROM_UNIXTIME",
                "The timestamp so many milliseconds after 1970-01-01.",
                {scalar<from_unixtime>({"millis"})},
                {{"CAST(FROM_UNIXTIME(0) AS STRING)", "'1970-01-01T00:00:00.000'"}}}),
          date({"UNIX_DATE",
                "The day number of a date, or of today.",
                {not_deterministic(scalar<today>({})), scalar<day_number>({"date"})},
                {{"UNIX_DATE('1970-01-02')", "1"}}}),
          date({"UNIX_TIMESTAMP",
                "Milliseconds since 1970-01-01 of a timestamp, or of now.",
                {not_deterministic(scalar<wall_clock_ms>({})), scalar<millis_of>({"timestamp"})},
                {{"UNIX_TIMESTAMP(FROM_UNIXTIME(7))", "CAST(7 AS BIGINT)"}}})};
}

}  // namespace

FunctionFamily date_functions() {
  FunctionFamily all = conversions();
  const std::vector<FunctionDef> texts{
      date({"DATETOSTRING",
            "A day number as text by a pattern.",
            {scalar<date_to_string>({"day", "format"}, OnNull::fail)},
            {{"DATETOSTRING(18262, 'yyyy-MM-dd')", "'2020-01-01'"}}}),
      date({"FORMAT_DATE",
            "A date as text by a pattern.",
            {scalar<format_date>({"date", "format"})},
            {{"FORMAT_DATE('2020-01-02', 'dd/MM/yy')", "'02/01/20'"}, {"FORMAT_DATE('2020-01-02', 'HH')", "error"}}}),
      date({"FORMAT_TIME",
            "A time as text by a pattern.",
            {scalar<format_time>({"time", "format"})},
            {{"FORMAT_TIME('13:05:00', 'HHmm')", "'1305'"}}}),
      date({"FORMAT_TIMESTAMP",
            "A timestamp as text by a pattern, in UTC or a time zone.",
            {scalar<format_timestamp>({"timestamp", "format"}),
             scalar<format_timestamp_zone>({"timestamp", "format", "zone"})},
            {{"FORMAT_TIMESTAMP(FROM_UNIXTIME(0), 'HH', '+03:00')", "'03'"}}}),
      date({"TIMESTAMPTOSTRING",
            "Milliseconds since 1970-01-01 as text by a pattern.",
            {scalar<format_millis_utc>({"millis", "format"}), scalar<format_millis>({"millis", "format", "zone"})},
            {{"TIMESTAMPTOSTRING(0, 'yyyy', 'UTC')", "'1970'"}}}),
      date({"PARSE_DATE",
            "The date that a text spells by a pattern.",
            {scalar<parse_date>({"text", "format"})},
            {{"UNIX_DATE(PARSE_DATE('1970-01-03', 'yyyy-MM-dd'))", "2"}}}),
      date({"PARSE_TIME",
            "The time that a text spells by a pattern.",
            {scalar<parse_time>({"text", "format"})},
            {{"CAST(PARSE_TIME('1305', 'HHmm') AS STRING)", "'13:05'"}, {"PARSE_TIME('2020', 'yyyy')", "error"}}}),
      date({"PARSE_TIMESTAMP",
            "The timestamp that a text spells by a pattern, in UTC or a time zone.",
            {scalar<parse_timestamp>({"text", "format"}), scalar<parse_timestamp_zone>({"text", "format", "zone"})},
            {{"CAST(PARSE_TIMESTAMP('2020-01-01 03', 'yyyy-MM-dd HH', '+03:00') AS STRING)",
              "'2020-01-01T00:00:00.000'"},
             {"PARSE_TIMESTAMP('2020-01-01', 'yyyy')", "error"}}}),
      date({"STRINGTODATE",
            "The day number that a text spells by a pattern.",
            {scalar<parse_day>({"text", "format"})},
            {{"STRINGTODATE('1970-01-02', 'yyyy-MM-dd')", "1"}, {"STRINGTODATE('1970', 'yyyy')", "error"}}}),
      date({"STRINGTOTIMESTAMP",
            "Milliseconds since 1970-01-01 that a text spells by a pattern.",
            {scalar<parse_millis_utc>({"text", "format"}), scalar<parse_millis>({"text", "format", "zone"})},
            {{"STRINGTOTIMESTAMP('1970', 'yyyy', 'UTC')", "CAST(0 AS BIGINT)"}}})};
  all.insert(all.end(), texts.begin(), texts.end());
  return all;
}

}  // namespace millrace::inline exec
