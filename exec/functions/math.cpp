#include <cmath>
#include <limits>
#include <numbers>
#include <random>

#include "exec/functions/decimal_steps.h"
#include "exec/functions/families.h"
#include "exec/functions/scalar.h"

namespace millrace::inline exec {
namespace {

template <auto F, class T>
double over(T x) {
  return F(static_cast<double>(x));
}
template <auto F, class T>
double over_two(T a, T b) {
  return F(static_cast<double>(a), static_cast<double>(b));
}

template <auto F>
std::vector<FunctionVariant> of_number() {
  return {scalar<over<F, std::int32_t>>({"value"}), scalar<over<F, std::int64_t>>({"value"}),
          scalar<over<F, double>>({"value"})};
}
template <auto F>
std::vector<FunctionVariant> of_two(std::string_view first, std::string_view second) {
  return {scalar<over_two<F, std::int32_t>>({first, second}), scalar<over_two<F, std::int64_t>>({first, second}),
          scalar<over_two<F, double>>({first, second})};
}

double arc_cosine(double x) {
  return std::acos(x);
}
double arc_sine(double x) {
  return std::asin(x);
}
double arc_tangent(double x) {
  return std::atan(x);
}
double arc_tangent_two(double y, double x) {
  return std::atan2(y, x);
}
double cube_root(double x) {
  return static_cast<double>(std::cbrt(static_cast<long double>(x)));
}
double cosine(double x) {
  return std::cos(x);
}
double hyperbolic_cosine(double x) {
  return std::cosh(x);
}
double cotangent(double x) {
  return 1.0 / std::tan(x);
}
double degrees(double x) {
  return x * (180.0 / std::numbers::pi);
}
double exponential(double x) {
  return std::exp(x);
}
double natural_log(double x) {
  return x < 0 ? std::numeric_limits<double>::quiet_NaN() : std::log(x);
}
double radians(double x) {
  return x * (std::numbers::pi / 180.0);
}
double sine(double x) {
  return std::sin(x);
}
double hyperbolic_sine(double x) {
  return std::sinh(x);
}
double square_root(double x) {
  return x < 0 ? std::numeric_limits<double>::quiet_NaN() : std::sqrt(x);
}
double tangent(double x) {
  return std::tan(x);
}
double hyperbolic_tangent(double x) {
  return std::tanh(x);
}
double power(double base, double exponent) {
  // Java: 1 to the power of NaN or an infinity is NaN.
  if (std::isnan(exponent) || (std::fabs(base) == 1 && std::isinf(exponent)))
    return std::numeric_limits<double>::quiet_NaN();
  return std::pow(base, exponent);
}
double log_to_base(double base, double value) {
  if (base <= 0 || base == 1) return std::numeric_limits<double>::quiet_NaN();
  return natural_log(value) / std::log(base);
}

double pi() {
  return std::numbers::pi;
}
double random_number() {
  thread_local std::mt19937_64 generator{std::random_device{}()};
  return static_cast<double>(generator() >> 11) * 0x1.0p-53;
}

template <class T>
T absolute(T x) {
  if constexpr (std::is_integral_v<T>)
    return x < 0 ? static_cast<T>(std::make_unsigned_t<T>(0) - static_cast<std::make_unsigned_t<T>>(x)) : x;
  else
    return std::fabs(x);
}
template <class T>
T identity(T x) {
  return x;
}
double ceiling(double x) {
  return std::ceil(x);
}
double floor_of(double x) {
  return std::floor(x);
}
template <class T>
std::int32_t sign(T x) {
  return x > 0 ? 1 : x < 0 ? -1 : 0;
}

Result<double> geo_distance(double lat1, double lon1, double lat2, double lon2, std::optional<std::string_view> unit) {
  for (const double lat : {lat1, lat2})
    if (!(lat >= -90 && lat <= 90))
      return user_error("valid latitude values for GEO_DISTANCE are in the range of -90 to 90");
  for (const double lon : {lon1, lon2})
    if (!(lon >= -180 && lon <= 180))
      return user_error("valid longitude values for GEO_DISTANCE are in the range of -180 to 180");
  std::string name;
  for (const char c : unit.value_or(""))
    if (c != ' ') name.push_back(static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
  double radius = 6371;
  if (name.starts_with("mi"))
    radius = 3959;
  else if (!name.empty() && !name.starts_with("k"))
    return user_error("GEO_DISTANCE does not know the unit {}", name);
  const double half_lat = std::sin(radians(lat2 - lat1) / 2);
  const double half_lon = std::sin(radians(lon2 - lon1) / 2);
  const double a = half_lat * half_lat + half_lon * half_lon * std::cos(radians(lat1)) * std::cos(radians(lat2));
  return radius * 2 * std::asin(std::sqrt(a));
}
Result<double> geo_distance_km(double lat1, double lon1, double lat2, double lon2) {
  return geo_distance(lat1, lon1, lat2, lon2, std::nullopt);
}

FunctionDef math(DefinitionSpec spec) {
  return define(FunctionKind::scalar, "MATHEMATICAL", std::move(spec));
}

FunctionFamily trigonometry() {
  return {
      math({"ACOS", "Inverse cosine, in radians.", of_number<arc_cosine>(), {{"ACOS(1)", "0.0e0"}}}),
      math({"ASIN", "Inverse sine, in radians.", of_number<arc_sine>(), {{"ASIN(0)", "0.0e0"}}}),
      math({"ATAN", "Inverse tangent, in radians.", of_number<arc_tangent>(), {{"ATAN(0)", "0.0e0"}}}),
      math({"ATAN2",
            "Angle of the point (x, y), in radians.",
            of_two<arc_tangent_two>("y", "x"),
            {{"ATAN2(1.0e0, 1.0e0)", "0.7853981633974483e0"}}}),
      math({"COS", "Cosine of an angle in radians.", of_number<cosine>(), {{"COS(0)", "1.0e0"}}}),
      math({"COSH", "Hyperbolic cosine.", of_number<hyperbolic_cosine>(), {{"COSH(0)", "1.0e0"}}}),
      math({"COT", "Cotangent of an angle in radians.", of_number<cotangent>(), {{"COT(1)", "0.6420926159343306e0"}}}),
      math({"DEGREES", "Radians as degrees.", of_number<degrees>(), {{"DEGREES(PI())", "180.0e0"}}}),
      math({"RADIANS", "Degrees as radians.", of_number<radians>(), {{"RADIANS(180)", "3.141592653589793e0"}}}),
      math({"SIN", "Sine of an angle in radians.", of_number<sine>(), {{"SIN(0)", "0.0e0"}}}),
      math({"SINH", "Hyperbolic sine.", of_number<hyperbolic_sine>(), {{"SINH(0)", "0.0e0"}}}),
      math({"TAN", "Tangent of an angle in radians.", of_number<tangent>(), {{"TAN(0)", "0.0e0"}}}),
      math({"TANH", "Hyperbolic tangent.", of_number<hyperbolic_tangent>(), {{"TANH(0)", "0.0e0"}}}),
      math({"PI", "The circle constant.", {scalar<pi>({})}, {{"PI()", "3.141592653589793e0"}}}),
  };
}

FunctionFamily powers() {
  auto logs = of_number<natural_log>();
  for (FunctionVariant& variant : of_two<log_to_base>("base", "value")) logs.push_back(std::move(variant));
  return {
      math({"CBRT", "Cube root.", of_number<cube_root>(), {{"CBRT(27)", "3.0e0"}}}),
      math({"EXP", "e to the power of the value.", of_number<exponential>(), {{"EXP(0)", "1.0e0"}}}),
      math({"LN", "Natural logarithm.", of_number<natural_log>(), {{"LN(1)", "0.0e0"}}}),
      math({"LOG", "Natural logarithm, or the logarithm to a base.", std::move(logs), {{"LOG(1)", "0.0e0"}}}),
      math({"POWER",
            "The base to the power of the exponent.",
            of_two<power>("base", "exponent"),
            {{"POWER(2, 3)", "8.0e0"}}}),
      math({"SQRT", "Square root; NaN of a negative number.", of_number<square_root>(), {{"SQRT(9)", "3.0e0"}}}),
      math({"RANDOM", "A random number from 0 up to 1.", {not_deterministic(scalar<random_number>({}))}}),
  };
}

FunctionDef distance_def() {
  return define(FunctionKind::scalar, "OTHER",
                {"geo_distance",
                 "Great-circle distance between two points given in degrees, in kilometres or miles.",
                 {scalar<geo_distance_km>({"lat1", "lon1", "lat2", "lon2"}),
                  scalar<geo_distance>({"lat1", "lon1", "lat2", "lon2", "unit"})},
                 {{"ROUND(GEO_DISTANCE(37.4439, -122.1663, 51.5257, -0.1122))", "CAST(8635 AS BIGINT)"},
                  {"GEO_DISTANCE(91.0, 0.0, 0.0, 0.0)", "error"}}});
}

}  // namespace

FunctionFamily math_functions() {
  FunctionFamily all = trigonometry();
  for (FunctionDef& def : powers()) all.push_back(std::move(def));
  all.push_back(math({"ABS",
                      "Absolute value.",
                      {scalar<absolute<std::int32_t>>({"value"}), scalar<absolute<std::int64_t>>({"value"}),
                       scalar<absolute<double>>({"value"}), decimal_variant(DecimalStep::absolute)},
                      {{"ABS(-3)", "3"}}}));
  all.push_back(math({"CEIL",
                      "Smallest whole number not below the value.",
                      {scalar<identity<std::int32_t>>({"value"}), scalar<identity<std::int64_t>>({"value"}),
                       scalar<ceiling>({"value"}), decimal_variant(DecimalStep::ceiling)},
                      {{"CEIL(1.2e0)", "2.0e0"}}}));
  all.push_back(math({"FLOOR",
                      "Largest whole number not above the value.",
                      {scalar<identity<std::int32_t>>({"value"}), scalar<identity<std::int64_t>>({"value"}),
                       scalar<floor_of>({"value"}), decimal_variant(DecimalStep::floor)},
                      {{"FLOOR(1.8e0)", "1.0e0"}}}));
  all.push_back(math(
      {"SIGN",
       "-1, 0 or 1 by the sign of the value.",
       {scalar<sign<std::int32_t>>({"value"}), scalar<sign<std::int64_t>>({"value"}), scalar<sign<double>>({"value"})},
       {{"SIGN(-7)", "-1"}}}));
  all.push_back(distance_def());
  return all;
}

}  // namespace millrace::inline exec
