#pragma once

#include <cstdint>
#include <string_view>

#include "planner/types/value.h"

namespace millrace::inline exec {

// Numbers in text, as Java's parsers take them. False: not such a number, or out of range.

/// [+-]digits within the type, no space.
bool parse_int32(std::string_view text, std::int32_t& out);
bool parse_int64(std::string_view text, std::int64_t& out);
/// Decimal notation with optional exponent, NaN, Infinity, space around, a trailing d or f.
bool parse_double(std::string_view text, double& out);
/// Decimal notation with optional exponent that fits DECIMAL(precision, scale) without rounding; `unscaled` is at
/// `scale`.
bool parse_decimal(std::string_view text, int precision, int scale, Int128& unscaled);
/// The whole part of a JSON number, modulo 2^64. Precondition: `text` is a JSON number.
std::int64_t wrap_to_int64(std::string_view text);

}  // namespace millrace::inline exec
