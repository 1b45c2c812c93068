#include <cmath>

#include "exec/functions/decimal_steps.h"
#include "exec/functions/families.h"
#include "exec/functions/scalar.h"
#include "planner/types/cast.h"
#include "planner/types/decimal.h"

namespace millrace::inline exec {
namespace {

template <DecimalStep Step>
Result<Value> step_decimal(std::span<const Value> arguments, const CallTypes& types) {
  const Decimal in = arguments[0].as<Decimal>();
  if constexpr (Step == DecimalStep::absolute) {
    return Value(Decimal{in.unscaled < 0 ? -in.unscaled : in.unscaled, in.scale});
  } else {
    const auto whole =
        rescale(in.unscaled, in.scale, 0, Step == DecimalStep::ceiling ? Rounding::ceiling : Rounding::floor);
    const auto back = whole ? to_decimal({*whole, 0}, types.result, Rounding::exact) : std::nullopt;
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
  const auto fitted = to_decimal(kept, result, Rounding::down);
  if (!fitted) return user_error("the result does not fit {}", result.to_string());
  return Value(Decimal{*fitted, result.scale()});
}

template <bool Truncate, bool WithPlaces>
Result<Value> round_decimal(std::span<const Value> arguments, const CallTypes& types) {
  const std::int32_t places = WithPlaces ? arguments[1].as<std::int32_t>() : 0;
  return round_at(arguments[0].as<Decimal>(), places, Truncate ? Rounding::down : Rounding::half_towards_positive,
                  types.result);
}

template <bool Truncate>
Result<double> round_double(double x, std::int32_t places) {
  if (!std::isfinite(x)) return user_error("cannot round {}", double_text(x));
  // On the decimal text of the double, so that 1.005 behaves as it reads.
  const std::string text = double_text(x);
  const auto parsed = parse_decimal(text);
  if (!parsed) return x;
  const int below = parsed->scale - places;
  if (below <= 0) return x;
  if (below > kMaxDecimalDigits) return 0.0;
  const auto cut = rescale(parsed->unscaled, below, 0, Truncate ? Rounding::down : Rounding::half_towards_positive);
  if (places >= 0) return decimal_to_double({cut.value_or(0), places});
  return static_cast<double>(cut.value_or(0)) * std::pow(10.0, -places);
}

std::int64_t round_whole(double x) {
  return narrow_to_bigint(std::floor(x + 0.5));
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
  return {define(FunctionKind::scalar, "MATHEMATICAL",
                 {"ROUND",
                  "The nearest whole number, or the value rounded to so many places. Ties go up.",
                  {scalar<keep>({"value"}, OnNull::fail), scalar<widen>({"value"}, OnNull::fail),
                   scalar<round_whole>({"value"}), scalar<round_double<false>>({"value", "places"}),
                   decimal_rounding(false, false), decimal_rounding(false, true)},
                  {{"ROUND(5)", "CAST(5 AS BIGINT)"},
                   {"ROUND(-2.5E0)", "CAST(-2 AS BIGINT)"},
                   {"ROUND(1.236E0, 2)", "1.24E0"},
                   {"ROUND(12.345, 2)", "12.350"}}}),
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
