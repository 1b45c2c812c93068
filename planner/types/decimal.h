#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "planner/types/value.h"

/// Exact arithmetic on Decimal (sql.md). Nothing here rounds unless its name says so; absent = the
/// result needs more digits than there are.
namespace millrace::inline planner {

constexpr int kMaxDecimalDigits = 38;

/// 10^exponent. Precondition: 0 <= exponent <= 38.
Int128 power_of_ten(int exponent);
/// |unscaled| < 10^precision.
bool fits(Int128 unscaled, int precision);

enum class Rounding : std::uint8_t { exact, half_up, down, ceiling, floor, half_towards_positive };
/// The same number at another scale; absent when it overflows, or is not exact under Rounding::exact.
std::optional<Int128> rescale(Int128 unscaled, int from_scale, int to_scale, Rounding rounding);
/// `rescale` that must also fit `type`.
std::optional<Int128> to_decimal(Decimal value, const Type& type, Rounding rounding);

std::optional<Decimal> decimal_add(Decimal a, Decimal b);
std::optional<Decimal> decimal_subtract(Decimal a, Decimal b);
std::optional<Decimal> decimal_multiply(Decimal a, Decimal b);
/// Exact quotient with at most `max_scale` fraction digits; absent also for division by zero.
std::optional<Decimal> decimal_divide(Decimal a, Decimal b, int max_scale);
/// Sign of the dividend; absent also for zero divisors.
std::optional<Decimal> decimal_modulo(Decimal a, Decimal b);
/// By value, whatever the scales.
std::strong_ordering decimal_compare(Decimal a, Decimal b);

/// `-12.50`, `1e3`, `.5`; at most 38 digits. The scale is what was written, not below 0.
std::optional<Decimal> parse_decimal(std::string_view text);
/// The same, however many digits, rounded half-up to the scale of `type`; absent where it does not fit.
std::optional<Int128> parse_decimal_rounded(std::string_view text, const Type& type);
/// The exact binary value rounded to the precision of `type`, then half-up to its scale.
std::optional<Int128> double_to_decimal(double value, const Type& type);
double decimal_to_double(Decimal value);

}  // namespace millrace::inline planner
