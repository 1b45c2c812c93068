#include "planner/types/decimal.h"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <string>

namespace millrace::inline planner {
namespace {

using UInt128 = unsigned __int128;

constexpr auto kPowers = [] {
  std::array<Int128, kMaxDecimalDigits + 1> powers{};
  powers[0] = 1;
  for (std::size_t i = 1; i < powers.size(); ++i) powers[i] = powers[i - 1] * 10;
  return powers;
}();

UInt128 magnitude(Int128 value) {
  return value < 0 ? UInt128(0) - UInt128(value) : UInt128(value);
}

std::optional<Int128> checked(Int128 value) {
  if (!fits(value, kMaxDecimalDigits)) return std::nullopt;
  return value;
}

/// +1, 0 or -1 to add to a quotient truncated towards zero. `remainder` and `divisor` have their signs; divisor > 0.
int round_step(Int128 quotient, Int128 remainder, Int128 divisor, Rounding rounding) {
  if (remainder == 0) return 0;
  (void)quotient;
  const bool negative = remainder < 0;
  const UInt128 rest = magnitude(remainder);
  const UInt128 above = UInt128(divisor) - rest;  // distance to the next step away from zero
  switch (rounding) {
    case Rounding::half_up:
      return rest >= above ? (negative ? -1 : 1) : 0;
    case Rounding::half_towards_positive:
      if (negative) return rest > above ? -1 : 0;
      return rest >= above ? 1 : 0;
    case Rounding::ceiling:
      return negative ? 0 : 1;
    case Rounding::floor:
      return negative ? -1 : 0;
    default:
      return 0;
  }
}

std::optional<std::pair<Int128, Int128>> aligned(Decimal a, Decimal b) {
  const int scale = std::max(a.scale, b.scale);
  const auto left = rescale(a.unscaled, a.scale, scale, Rounding::exact);
  const auto right = rescale(b.unscaled, b.scale, scale, Rounding::exact);
  if (!left || !right) return std::nullopt;
  return std::pair{*left, *right};
}

UInt128 greatest_common_divisor(UInt128 a, UInt128 b) {
  while (b != 0) {
    const UInt128 rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

}  // namespace

Int128 power_of_ten(int exponent) {
  return kPowers[static_cast<std::size_t>(exponent)];
}

int digit_count(Int128 unscaled) {
  const UInt128 value = magnitude(unscaled);
  int digits = 1;
  while (digits <= kMaxDecimalDigits && value >= UInt128(kPowers[static_cast<std::size_t>(digits)])) {
    if (++digits > kMaxDecimalDigits) break;
  }
  return digits;
}

bool fits(Int128 unscaled, int precision) {
  const Int128 bound = kPowers[static_cast<std::size_t>(std::min(precision, kMaxDecimalDigits))];
  return unscaled < bound && unscaled > -bound;
}

std::optional<Int128> rescale(Int128 unscaled, int from_scale, int to_scale, Rounding rounding) {
  if (unscaled == 0 || from_scale == to_scale) return unscaled;
  if (to_scale > from_scale) {
    const int shift = to_scale - from_scale;
    Int128 result = 0;
    if (shift > kMaxDecimalDigits ||
        __builtin_mul_overflow(unscaled, kPowers[static_cast<std::size_t>(shift)], &result))
      return std::nullopt;
    return checked(result);
  }
  const int shift = from_scale - to_scale;
  if (shift > kMaxDecimalDigits) {
    if (rounding == Rounding::exact) return std::nullopt;
    if (rounding == Rounding::ceiling) return unscaled > 0 ? 1 : 0;
    if (rounding == Rounding::floor) return unscaled < 0 ? -1 : 0;
    return 0;
  }
  const Int128 divisor = kPowers[static_cast<std::size_t>(shift)];
  const Int128 quotient = unscaled / divisor;
  const Int128 remainder = unscaled % divisor;
  if (rounding == Rounding::exact && remainder != 0) return std::nullopt;
  return quotient + round_step(quotient, remainder, divisor, rounding);
}

std::optional<Int128> to_decimal(Decimal value, const Type& type, Rounding rounding) {
  const auto scaled = rescale(value.unscaled, value.scale, type.scale(), rounding);
  if (!scaled || !fits(*scaled, type.precision())) return std::nullopt;
  return scaled;
}

std::optional<Decimal> decimal_add(Decimal a, Decimal b) {
  const auto both = aligned(a, b);
  if (!both) return std::nullopt;
  Int128 sum = 0;
  if (__builtin_add_overflow(both->first, both->second, &sum) || !fits(sum, kMaxDecimalDigits)) return std::nullopt;
  return Decimal{sum, std::max(a.scale, b.scale)};
}

std::optional<Decimal> decimal_subtract(Decimal a, Decimal b) {
  return decimal_add(a, {-b.unscaled, b.scale});
}

std::optional<Decimal> decimal_multiply(Decimal a, Decimal b) {
  Int128 product = 0;
  if (__builtin_mul_overflow(a.unscaled, b.unscaled, &product) || !fits(product, kMaxDecimalDigits))
    return std::nullopt;
  return Decimal{product, a.scale + b.scale};
}

std::optional<Decimal> decimal_divide(Decimal a, Decimal b, int max_scale) {
  if (b.unscaled == 0) return std::nullopt;
  if (a.unscaled == 0) return Decimal{0, 0};
  const bool negative = (a.unscaled < 0) != (b.unscaled < 0);
  UInt128 numerator = magnitude(a.unscaled);
  UInt128 denominator = magnitude(b.unscaled);
  const UInt128 common = greatest_common_divisor(numerator, denominator);
  numerator /= common;
  denominator /= common;
  // Digit by digit: the integer quotient first, then one fraction digit a step.
  UInt128 quotient = numerator / denominator;
  UInt128 rest = numerator % denominator;
  int scale = a.scale - b.scale;
  const UInt128 limit = UInt128(kPowers[kMaxDecimalDigits]);
  while (rest != 0 || scale < 0) {
    if ((rest != 0 && scale >= max_scale) || rest > limit / 10 * 3 || quotient > limit / 10) return std::nullopt;
    quotient = quotient * 10 + rest * 10 / denominator;
    rest = rest * 10 % denominator;
    ++scale;
  }
  if (quotient >= limit) return std::nullopt;
  const auto signed_quotient = negative ? -static_cast<Int128>(quotient) : static_cast<Int128>(quotient);
  if (scale <= max_scale) return Decimal{signed_quotient, scale};
  const auto fitted = rescale(signed_quotient, scale, max_scale, Rounding::exact);
  if (!fitted) return std::nullopt;
  return Decimal{*fitted, max_scale};
}

std::optional<Decimal> decimal_modulo(Decimal a, Decimal b) {
  if (b.unscaled == 0) return std::nullopt;
  const auto both = aligned(a, b);
  if (!both) return std::nullopt;
  return Decimal{both->first % both->second, std::max(a.scale, b.scale)};
}

std::strong_ordering decimal_compare(Decimal a, Decimal b) {
  if (a.scale == b.scale) return a.unscaled <=> b.unscaled;
  if (a.scale < b.scale) return 0 <=> decimal_compare(b, a);
  // a has more fraction digits: bring b up, and if that overflows b's magnitude decides.
  const auto raised = rescale(b.unscaled, b.scale, a.scale, Rounding::exact);
  if (raised) return a.unscaled <=> *raised;
  return b.unscaled > 0 ? std::strong_ordering::less : std::strong_ordering::greater;
}

std::optional<Decimal> parse_decimal(std::string_view text) {
  std::size_t at = 0;
  bool negative = false;
  if (at < text.size() && (text[at] == '-' || text[at] == '+')) negative = text[at++] == '-';
  Int128 unscaled = 0;
  int scale = 0;
  bool digits = false;
  bool point = false;
  for (; at < text.size(); ++at) {
    if (text[at] == '.' && !point) {
      point = true;
      continue;
    }
    if (text[at] < '0' || text[at] > '9') break;
    digits = true;
    if (unscaled >= kPowers[kMaxDecimalDigits - 1]) return std::nullopt;
    unscaled = unscaled * 10 + (text[at] - '0');
    if (point) ++scale;
  }
  if (!digits) return std::nullopt;
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    int exponent = 0;
    if (++at < text.size() && text[at] == '+') ++at;
    const auto [end, error] = std::from_chars(text.data() + at, text.data() + text.size(), exponent);
    if (error != std::errc() || end != text.data() + text.size() || exponent > 1000 || exponent < -1000)
      return std::nullopt;
    scale -= exponent;
    at = text.size();
  }
  if (at != text.size()) return std::nullopt;
  if (negative) unscaled = -unscaled;
  if (scale >= 0) return Decimal{unscaled, scale};
  const auto raised = rescale(unscaled, scale, 0, Rounding::exact);
  if (!raised) return std::nullopt;
  return Decimal{*raised, 0};
}

std::optional<Int128> double_to_decimal(double value, const Type& type) {
  if (!std::isfinite(value)) return std::nullopt;
  std::array<char, 64> text{};
  const int length =
      std::snprintf(text.data(), text.size(), "%.*e", std::min(type.precision(), kMaxDecimalDigits) - 1, value);
  const auto parsed = parse_decimal({text.data(), static_cast<std::size_t>(length)});
  if (!parsed) return std::nullopt;
  return to_decimal(*parsed, type, Rounding::half_up);
}

double decimal_to_double(Decimal value) {
  constexpr Int128 kExact = Int128{1} << 53;
  if (value.unscaled < kExact && value.unscaled > -kExact && value.scale <= 22)
    return static_cast<double>(value.unscaled) / static_cast<double>(power_of_ten(value.scale));
  const std::string text = decimal_text(value);
  double result = 0;
  std::from_chars(text.data(), text.data() + text.size(), result);
  return result;
}

}  // namespace millrace::inline planner
