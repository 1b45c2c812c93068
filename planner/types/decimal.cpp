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

/// A number's parts: `-12.50e3`.
struct NumberText {
  bool negative = false;
  std::string_view whole, fraction;
  std::int64_t exponent = 0;

  static std::optional<NumberText> of(std::string_view text) {
    NumberText out;
    if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
      out.negative = text[0] == '-';
      text.remove_prefix(1);
    }
    const auto take_digits = [&] {
      const std::size_t end = std::min(text.find_first_not_of("0123456789"), text.size());
      const std::string_view digits = text.substr(0, end);
      text.remove_prefix(end);
      return digits;
    };
    out.whole = take_digits();
    if (text.starts_with('.')) {
      text.remove_prefix(1);
      out.fraction = take_digits();
    }
    if (out.whole.empty() && out.fraction.empty()) return std::nullopt;
    if (text.empty()) return out;
    if (text[0] != 'e' && text[0] != 'E') return std::nullopt;
    text.remove_prefix(1);
    const bool below = text.starts_with('-');
    if (below || text.starts_with('+')) text.remove_prefix(1);
    const std::string_view digits = take_digits();
    if (digits.empty() || !text.empty()) return std::nullopt;
    int exponent = 0;
    if (std::from_chars(digits.data(), digits.data() + digits.size(), exponent).ec != std::errc()) return std::nullopt;
    out.exponent = below ? -exponent : exponent;
    return out;
  }
};

/// The remainder of a * 10^digits by b, with the sign of a, where the product has too many digits.
Int128 shifted_remainder(Int128 a, int digits, Int128 b) {
  const UInt128 divisor = magnitude(b);
  const auto sum = [&](UInt128 x, UInt128 y) { return (x + y) % divisor; };  // both below 10^38
  UInt128 rest = magnitude(a) % divisor;
  for (; digits > 0; --digits) {
    const UInt128 two = sum(rest, rest), four = sum(two, two);
    rest = sum(sum(four, four), two);
  }
  return a < 0 ? -static_cast<Int128>(rest) : static_cast<Int128>(rest);
}

}  // namespace

Int128 power_of_ten(int exponent) {
  return kPowers[static_cast<std::size_t>(exponent)];
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
  const int scale = std::max(a.scale, b.scale);
  if (const auto both = aligned(a, b)) return Decimal{both->first % both->second, scale};
  // At a's scale b has more digits than there are: it is larger than a.
  if (a.scale == scale) return a;
  return Decimal{shifted_remainder(a.unscaled, scale - a.scale, b.unscaled), scale};
}

std::strong_ordering decimal_compare(Decimal a, Decimal b) {
  if (a.scale == b.scale) return a.unscaled <=> b.unscaled;
  if (a.scale < b.scale) return 0 <=> decimal_compare(b, a);
  // a has more fraction digits: bring b up, and if that overflows b's magnitude decides.
  const auto raised = rescale(b.unscaled, b.scale, a.scale, Rounding::exact);
  if (raised) return a.unscaled <=> *raised;
  return b.unscaled > 0 ? std::strong_ordering::less : std::strong_ordering::greater;
}

std::optional<Int128> parse_decimal_rounded(std::string_view text, const Type& type) {
  const auto number = NumberText::of(text);
  if (!number) return std::nullopt;
  Int128 unscaled = 0;
  bool up = false;
  // The place of a digit: 0 is the last one that the type keeps.
  std::int64_t place = static_cast<std::int64_t>(number->whole.size()) - 1 + number->exponent + type.scale();
  for (const std::string_view digits : {number->whole, number->fraction})
    for (const char digit : digits) {
      if (place == -1) up = digit >= '5';
      if (place >= 0) {
        if (unscaled >= kPowers[kMaxDecimalDigits - 1]) return std::nullopt;
        unscaled = unscaled * 10 + (digit - '0');
      }
      --place;
    }
  for (; unscaled != 0 && place >= 0; --place) {
    if (unscaled >= kPowers[kMaxDecimalDigits - 1]) return std::nullopt;
    unscaled *= 10;
  }
  if (up) ++unscaled;
  if (!fits(unscaled, type.precision())) return std::nullopt;
  return number->negative ? -unscaled : unscaled;
}

std::optional<Decimal> parse_decimal(std::string_view text) {
  const auto number = NumberText::of(text);
  if (!number || std::abs(number->exponent) > 1000) return std::nullopt;
  Int128 unscaled = 0;
  for (const std::string_view digits : {number->whole, number->fraction})
    for (const char digit : digits) {
      if (unscaled >= kPowers[kMaxDecimalDigits - 1]) return std::nullopt;
      unscaled = unscaled * 10 + (digit - '0');
    }
  if (number->negative) unscaled = -unscaled;
  const int scale = static_cast<int>(number->fraction.size()) - static_cast<int>(number->exponent);
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
