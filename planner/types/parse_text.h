#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "planner/types/value.h"

/// Texts of CAST and of literals (sql.md). Absent = not such a text.
namespace millrace::inline planner {

std::optional<std::int32_t> parse_int(std::string_view text);
std::optional<std::int64_t> parse_bigint(std::string_view text);
/// No NaN or Infinity.
std::optional<double> parse_double(std::string_view text);
/// TRUE for a non-empty prefix of `true` or `yes`, any case; FALSE else.
bool parse_boolean_loosely(std::string_view text);
/// As above, but FALSE needs a prefix of `false` or `no`.
std::optional<bool> parse_boolean(std::string_view text);

std::optional<Date> parse_date(std::string_view text);            // yyyy, yyyy-MM, yyyy-MM-dd
std::optional<Time> parse_time(std::string_view text);            // HH:mm[:ss[.fraction]]
std::optional<Timestamp> parse_timestamp(std::string_view text);  // yyyy[-MM[-dd[THH[:mm[:ss[.SSS]]]]]][Z|+hhmm|+hh:mm]

}  // namespace millrace::inline planner
