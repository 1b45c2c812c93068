#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <string>

#include "planner/types/civil.h"
#include "planner/types/value.h"

namespace millrace::inline planner {
namespace {

std::string year_text(std::int64_t year) {
  if (year > 9999) return fmt::format("+{}", year);
  if (year < 0) return fmt::format("-{:04}", -year);
  return fmt::format("{:04}", year);
}

/// Digits without point and the exponent of the first one. At least two digits, as Java's algorithm considers.
struct Digits {
  std::string digits;
  int exponent;
};

Digits shortest_digits(double magnitude) {
  std::array<char, 64> text{};
  auto end = std::to_chars(text.data(), text.data() + text.size(), magnitude, std::chars_format::scientific).ptr;
  if (text[1] == 'e')  // one digit: of the two-digit texts the closest counts
    end = std::to_chars(text.data(), text.data() + text.size(), magnitude, std::chars_format::scientific, 1).ptr;
  Digits result;
  const char* at = text.data();
  for (; *at != 'e'; ++at)
    if (*at != '.') result.digits.push_back(*at);
  ++at;
  if (*at == '+') ++at;
  std::from_chars(at, end, result.exponent);
  while (result.digits.size() > 2 && result.digits.back() == '0') result.digits.pop_back();
  return result;
}

std::string text_of(const Value& value, const Type& type);

std::string list_text(const Value& value, const Type& type) {
  std::string text = "[";
  for (const Value& item : value.items()) {
    if (text.size() > 1) text += ", ";
    text += text_of(item, type.element());
  }
  return text + "]";
}

std::string map_text(const Value& value, const Type& type) {
  std::string text = "{";
  for (const auto& [key, mapped] : value.entries()) {
    if (text.size() > 1) text += ", ";
    text += text_of(key, type.key()) + "=" + text_of(mapped, type.value());
  }
  return text + "}";
}

std::string struct_text(const Value& value, const Type& type) {
  std::string text = "Struct{";
  bool first = true;
  for (std::size_t i = 0; i < value.fields().size(); ++i) {
    if (value.fields()[i].is_null()) continue;
    if (!first) text += ",";
    first = false;
    text += type.fields()[i].name + "=" + text_of(value.fields()[i], type.fields()[i].type);
  }
  return text + "}";
}

std::string text_of(const Value& value, const Type& type) {
  if (value.is_null()) return "null";
  switch (type.kind()) {
    case TypeKind::boolean:
      return value.as<bool>() ? "true" : "false";
    case TypeKind::integer:
      return std::to_string(value.as<std::int32_t>());
    case TypeKind::bigint:
      return std::to_string(value.as<std::int64_t>());
    case TypeKind::double_:
      return double_text(value.as<double>());
    case TypeKind::decimal:
      return decimal_text(value.as<Decimal>());
    case TypeKind::string:
      return value.as<std::string>();
    case TypeKind::bytes:
      return base64_encode(value.as<Bytes>().data);
    case TypeKind::time:
      return time_text(value.as<Time>());
    case TypeKind::date:
      return date_text(value.as<Date>());
    case TypeKind::timestamp:
      return timestamp_text(value.as<Timestamp>());
    case TypeKind::array:
      return list_text(value, type);
    case TypeKind::map:
      return map_text(value, type);
    case TypeKind::structure:
      return struct_text(value, type);
    case TypeKind::null:
      return "null";
  }
  return {};
}

}  // namespace

std::string double_text(double value) {
  if (std::isnan(value)) return "NaN";
  std::string text = std::signbit(value) ? "-" : "";
  if (std::isinf(value)) return text + "Infinity";
  if (value == 0) return text + "0.0";
  const double magnitude = std::fabs(value);
  auto [digits, exponent] = shortest_digits(magnitude);
  if (magnitude >= 1e-3 && magnitude < 1e7) {
    if (exponent < 0) {
      if (digits.back() == '0') digits.pop_back();
      return text + "0." + std::string(static_cast<std::size_t>(-exponent - 1), '0') + digits;
    }
    const auto whole = static_cast<std::size_t>(exponent) + 1;
    if (digits.size() < whole + 1) digits.append(whole + 1 - digits.size(), '0');
    return text + digits.substr(0, whole) + "." + digits.substr(whole);
  }
  return text + digits.substr(0, 1) + "." + digits.substr(1) + "E" + std::to_string(exponent);
}

std::string decimal_text(Decimal value) {
  const bool negative = value.unscaled < 0;
  unsigned __int128 rest =
      negative ? -static_cast<unsigned __int128>(value.unscaled) : static_cast<unsigned __int128>(value.unscaled);
  std::string digits;
  for (; rest != 0; rest /= 10) digits.push_back(static_cast<char>('0' + static_cast<int>(rest % 10)));
  while (digits.size() <= static_cast<std::size_t>(value.scale)) digits.push_back('0');
  if (value.scale > 0) digits.insert(static_cast<std::size_t>(value.scale), 1, '.');
  if (negative) digits.push_back('-');
  return {digits.rbegin(), digits.rend()};
}

std::string date_text(Date value) {
  const CivilDate date = civil_from_days(value.days);
  return fmt::format("{}-{:02}-{:02}", year_text(date.year), date.month, date.day);
}

std::string time_text(Time value) {
  const int seconds = value.millis / 1000;
  std::string text = fmt::format("{:02}:{:02}", seconds / 3600, seconds / 60 % 60);
  if (seconds % 60 != 0) text += fmt::format(":{:02}", seconds % 60);
  return text;
}

std::string timestamp_text(Timestamp value) {
  const std::int64_t days = floor_div(value.millis, kMillisPerDay);
  const std::int64_t millis = value.millis - days * kMillisPerDay;
  const CivilDate date = civil_from_days(days);
  return fmt::format("{}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}", year_text(date.year), date.month, date.day,
                     millis / 3'600'000, millis / 60'000 % 60, millis / 1000 % 60, millis % 1000);
}

std::string to_text(const Value& value, const Type& type) {
  return text_of(value, type);
}

}  // namespace millrace::inline planner
