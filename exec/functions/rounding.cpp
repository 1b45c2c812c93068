#include <charconv>
#include <cmath>

#include "exec/functions/decimal_steps.h"
#include "exec/functions/families.h"
#include "exec/functions/scalar.h"
#include "planner/types/cast.h"
#include "planner/types/decimal.h"

namespace millrace::inline exec {
namespace {

// Rounding away from zero may give one digit more than the type of the result has: 9.99 becomes 10.

template <DecimalStep Step>
Result<Value> step_decimal(std::span<const Value> arguments, const CallTypes& types) {
  const Decimal in = arguments[0].as<Decimal>();
  if constexpr (Step == DecimalStep::absolute) {
    return Value(Decimal{in.unscaled < 0 ? -in.unscaled : in.unscaled, in.scale});
  } else {
    const auto whole =
        rescale(in.unscaled, in.scale, 0, Step == DecimalStep::ceiling ? Rounding::ceiling : Rounding::floor);
    const auto back = whole ? rescale(*whole, 0, in.scale, Rounding::exact) : std::nullopt;
    if (!back) return user_error("the result does not fit {}", types.result.to_string());
    return Value(Decimal{*back, in.scale});
  }
}

/// Rounds to `places` digits after the point (before it when negative), then restores the scale of the result.
Result<Value> round_at(Decimal in, std::int32_t places, Rounding rounding, const Type& result) {
  auto kept = Decimal{in.unscaled, in.scale};
  if (places < in.scale) {
    const int below = in.scale - places;  // digits to drop
    if (below > kMaxDecimalDigits) return Value(Decimal{0, result.scale()});
    const auto cut = rescale(in.unscaled, below, 0, rounding);
    const auto raised = cut ? rescale(*cut, 0, below, Rounding::exact) : std::nullopt;
    if (!raised) return user_error("the result does not fit {}", result.to_string());
    kept.unscaled = *raised;
  }
  const auto fitted = rescale(kept.unscaled, kept.scale, result.scale(), Rounding::down);
  if (!fitted) return user_error("the result does not fit {}", result.to_string());
  return Value(Decimal{*fitted, result.scale()});
}

template <bool Truncate, bool WithPlaces>
Result<Value> round_decimal(std::span<const Value> arguments, const CallTypes& types) {
  const std::int32_t places = WithPlaces ? arguments[1].as<std::int32_t>() : 0;
  return round_at(arguments[0].as<Decimal>(), places, Truncate ? Rounding::down : Rounding::half_towards_positive,
                  types.result);
}

/// digits * 10^exponent, as the double prints; at most 17 digits.
struct Printed {
  std::int64_t digits = 0;
  int exponent = 0;
};
Printed printed(double x) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, x, std::chars_format::scientific).ptr;
  Printed out;
  bool behind_point = false;
  const char* at = text;
  for (; *at != 'e'; ++at) {
    if (*at == '.') {
      behind_point = true;
    } else if (*at != '-') {
      out.digits = out.digits * 10 + (*at - '0');
      if (behind_point) --out.exponent;
    }
  }
  int exponent = 0;
  std::from_chars(at[1] == '+' ? at + 2 : at + 1, end, exponent);
  out.exponent += exponent;
  return out;
}

// On the decimal text of the double, so that 1.005 behaves as it reads.
template <bool Truncate>
Result<double> round_double(double x, std::int32_t places) {
  if (!std::isfinite(x)) return user_error("cannot round {}", double_text(x));
  const Printed number = printed(x);
  const std::int64_t below = -(std::int64_t{number.exponent} + places);  // digits to drop
  if (below <= 0) return x + 0.0;
  constexpr std::int64_t kMostDigits = 18;
  if (below > kMostDigits) return 0.0;
  const auto unit = static_cast<std::int64_t>(power_of_ten(static_cast<int>(below)));
  std::int64_t kept = number.digits / unit;
  const std::int64_t rest = number.digits % unit;
  if (!Truncate && (x > 0 ? rest >= unit - rest : rest > unit - rest)) ++kept;
  // Back through text: exact, whatever the power of ten.
  const std::string text = fmt::format("{}e{}", kept, -std::int64_t{places});
  double rounded = 0.0;
  std::from_chars(text.data(), text.data() + text.size(), rounded);
  return x < 0 ? 0.0 - rounded : rounded;
}

/// x + 0.5 may be inexact; the fraction is not.
std::int64_t round_whole(double x) {
  const double below = std::floor(x);
  return narrow_to_bigint(x - below >= 0.5 ? below + 1 : below);
}
std::int64_t truncate_whole(double x) {
  return narrow_to_bigint(x);
}
std::int64_t keep(std::int64_t x) {
  return x;
}
std::int64_t widen(std::int32_t x) {
  return x;
}

Type without_fraction(std::span<const Type> types) {
  const Type& type = types[0];
  if (type.kind() != TypeKind::decimal) return type;
  return Type::decimal(std::max(1, type.precision() - type.scale()), 0);
}
Type same_type(std::span<const Type> types) {
  return types[0];
}

}  // namespace

FunctionVariant decimal_variant(DecimalStep step) {
  constexpr std::string_view kSignature = "DECIMAL value -> DECIMAL";
  switch (step) {
    case DecimalStep::absolute:
      return returning(boxed(kSignature, step_decimal<DecimalStep::absolute>), same_type);
    case DecimalStep::ceiling:
      return returning(boxed(kSignature, step_decimal<DecimalStep::ceiling>), same_type);
    case DecimalStep::floor:
      return returning(boxed(kSignature, step_decimal<DecimalStep::floor>), same_type);
  }
  return {};
}

FunctionVariant decimal_rounding(bool truncate, bool with_places) {
  if (!with_places)
    return returning(
        boxed("DECIMAL value -> DECIMAL", truncate ? round_decimal<true, false> : round_decimal<false, false>),
        without_fraction);
  return returning(
      boxed("DECIMAL value, INT places -> DECIMAL", truncate ? round_decimal<true, true> : round_decimal<false, true>),
      same_type);
}

FunctionFamily rounding_functions() {
  return {
      define(
          FunctionKind::scalar, "MATHEMATICAL",
          {"ROUND",
           "The nearest whole number, or the value rounded to so many places. Ties go up. Rounding a DECIMAL may need "
           "one digit more than its type has (9.99 becomes 10): cast it to a wider one before it is stored, or its "
           "readers refuse the record.",
           {scalar<keep>({"value"}, OnNull::fail), scalar<widen>({"value"}, OnNull::fail),
            scalar<round_whole>({"value"}), scalar<round_double<false>>({"value", "places"}),
            decimal_rounding(false, false), decimal_rounding(false, true)},
           {{"ROUND(5)", "CAST(5 AS BIGINT)"},
            {"ROUND(-2.5E0)", "CAST(-2 AS BIGINT)"},
            {"ROUND(0.49999999999999994E0)", "CAST(0 AS BIGINT)"},
            {"ROUND(4503599627370497.0E0)", "4503599627370497"},
            {"ROUND(1.236E0, 2)", "1.24E0"},
            {"ROUND(12.345, 2)", "12.350"},
            {"CAST(ROUND(9.99) AS STRING)", "'10'"},
            {"CAST(ROUND(-9.99, 1) AS STRING)", "'-10.00'"}}}),
      define(FunctionKind::scalar, "MATHEMATICAL",
             {"TRUNC",
              "The value without its fraction, or cut after so many places.",
              {scalar<keep>({"value"}), scalar<widen>({"value"}), scalar<truncate_whole>({"value"}),
               scalar<round_double<true>>({"value", "places"}), decimal_rounding(true, false),
               decimal_rounding(true, true)},
              {{"TRUNC(-1.9E0)", "CAST(-1 AS BIGINT)"},
               {"TRUNC(1.239E0, 2)", "1.23E0"},
               {"TRUNC(12.345, 2)", "12.340"}}})};
}

}  // namespace millrace::inline exec
