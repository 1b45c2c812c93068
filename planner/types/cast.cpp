#include "planner/types/cast.h"

#include <fmt/format.h>

#include <limits>
#include <optional>

#include "parser/error/trim.h"
#include "planner/types/civil.h"
#include "planner/types/decimal.h"
#include "planner/types/parse_text.h"

namespace millrace::inline planner {
namespace {

bool structs_castable(const Type& from, const Type& to) {
  for (const StructField& target : to.fields())
    for (const StructField& field : from.fields())
      if (field.name == target.name && !is_cast_supported(field.type, target.type)) return false;
  return true;
}

template <class T>
Value boxed(const std::optional<T>& value) {
  return value ? Value(*value) : Value();
}

Value cast_text(const std::string& text, const Type& to) {
  switch (to.kind()) {
    case TypeKind::boolean:
      return parse_boolean_loosely(text);
    case TypeKind::integer:
      return boxed(parse_int(text));
    case TypeKind::bigint:
      return boxed(parse_bigint(text));
    case TypeKind::double_:
      return boxed(parse_double(text));
    case TypeKind::decimal: {
      const auto fitted = parse_decimal_rounded(trim(text), to);
      return fitted ? Value(Decimal{*fitted, to.scale()}) : Value();
    }
    case TypeKind::time:
      return boxed(parse_time(text));
    case TypeKind::date:
      return boxed(parse_date(text));
    case TypeKind::timestamp:
      return boxed(parse_timestamp(text));
    case TypeKind::bytes: {
      Bytes bytes;
      return base64_decode(text, bytes.data) ? Value(std::move(bytes)) : Value();
    }
    default:
      return {};
  }
}

Value decimal_box(std::optional<Int128> unscaled, const Type& to) {
  return unscaled ? Value(Decimal{*unscaled, to.scale()}) : Value();
}

Value cast_whole(std::int64_t value, const Type& to) {
  switch (to.kind()) {
    case TypeKind::integer:
      return static_cast<std::int32_t>(value);
    case TypeKind::bigint:
      return value;
    case TypeKind::double_:
      return static_cast<double>(value);
    case TypeKind::decimal:
      return decimal_box(to_decimal({value, 0}, to, Rounding::exact), to);
    default:
      return {};
  }
}

Value cast_double(double value, const Type& to) {
  switch (to.kind()) {
    case TypeKind::integer:
      return narrow_to_int(value);
    case TypeKind::bigint:
      return narrow_to_bigint(value);
    case TypeKind::double_:
      return value;
    case TypeKind::decimal:
      return decimal_box(double_to_decimal(value, to), to);
    default:
      return {};
  }
}

Value cast_decimal(Decimal value, const Type& to) {
  switch (to.kind()) {
    case TypeKind::integer:
      return static_cast<std::int32_t>(decimal_to_bigint(value));
    case TypeKind::bigint:
      return decimal_to_bigint(value);
    case TypeKind::double_:
      return decimal_to_double(value);
    case TypeKind::decimal:
      return decimal_box(to_decimal(value, to, Rounding::half_up), to);
    default:
      return {};
  }
}

Value cast_timestamp(Timestamp value, const Type& to) {
  const std::int64_t days = floor_div(value.millis, kMillisPerDay);
  if (to.kind() == TypeKind::date) return Date{static_cast<std::int32_t>(days)};
  return Time{static_cast<std::int32_t>(value.millis - days * kMillisPerDay)};
}

bool cast_nested(const Value& value, const Type& from, const Type& to, Value& out, std::string& why) {
  if (to.kind() == TypeKind::array) {
    Value::List items(value.items().size());
    for (std::size_t i = 0; i < items.size(); ++i)
      if (!cast_value(value.items()[i], from.element(), to.element(), items[i], why)) return false;
    out = Value::list(std::move(items));
    return true;
  }
  if (to.kind() == TypeKind::map) {
    Value::Map entries(value.entries().size());
    for (std::size_t i = 0; i < entries.size(); ++i)
      if (!cast_value(value.entries()[i].first, from.key(), to.key(), entries[i].first, why) ||
          !cast_value(value.entries()[i].second, from.value(), to.value(), entries[i].second, why))
        return false;
    out = Value::map(std::move(entries));
    return true;
  }
  Value::List fields(to.fields().size());
  for (std::size_t i = 0; i < fields.size(); ++i)
    for (std::size_t j = 0; j < from.fields().size(); ++j)
      if (from.fields()[j].name == to.fields()[i].name &&
          !cast_value(value.fields()[j], from.fields()[j].type, to.fields()[i].type, fields[i], why))
        return false;
  out = Value::structure(std::move(fields));
  return true;
}

Value cast_scalar(const Value& value, const Type& from, const Type& to) {
  switch (from.kind()) {
    case TypeKind::string:
      return cast_text(value.as<std::string>(), to);
    case TypeKind::integer:
      return cast_whole(value.as<std::int32_t>(), to);
    case TypeKind::bigint:
      return cast_whole(value.as<std::int64_t>(), to);
    case TypeKind::double_:
      return cast_double(value.as<double>(), to);
    case TypeKind::decimal:
      return cast_decimal(value.as<Decimal>(), to);
    case TypeKind::date:
      return Timestamp{value.as<Date>().days * kMillisPerDay};
    case TypeKind::timestamp:
      return cast_timestamp(value.as<Timestamp>(), to);
    default:
      return {};
  }
}

}  // namespace

bool is_cast_supported(const Type& from, const Type& to) {
  if (from == to || from.is_null()) return true;
  const TypeKind a = from.kind();
  const TypeKind b = to.kind();
  if (b == TypeKind::string) return a != TypeKind::bytes;
  if (from.is_nested() || to.is_nested()) {
    if (a != b) return false;
    if (a == TypeKind::array) return is_cast_supported(from.element(), to.element());
    if (a == TypeKind::map)
      return is_cast_supported(from.key(), to.key()) && is_cast_supported(from.value(), to.value());
    return structs_castable(from, to);
  }
  if (from.is_numeric()) return to.is_numeric();
  if (a == TypeKind::string) return true;
  if (a == TypeKind::timestamp) return b == TypeKind::date || b == TypeKind::time;
  return a == TypeKind::date && b == TypeKind::timestamp;
}

bool cast_value(const Value& value, const Type& from, const Type& to, Value& out, std::string& why) {
  out = Value();
  if (value.is_null()) return true;
  if (from == to) {
    out = value;
    return true;
  }
  if (to.kind() == TypeKind::string) {
    out = to_text(value, from);
    return true;
  }
  if (from.is_nested()) return cast_nested(value, from, to, out, why);
  out = cast_scalar(value, from, to);
  if (!out.is_null()) return true;
  why = fmt::format("cannot cast {} to {}", to_text(value, from), to.to_string());
  return false;
}

std::int32_t narrow_to_int(double value) {
  if (!(value == value)) return 0;
  if (value >= 2147483647.0) return std::numeric_limits<std::int32_t>::max();
  if (value <= -2147483648.0) return std::numeric_limits<std::int32_t>::min();
  return static_cast<std::int32_t>(value);
}

std::int64_t narrow_to_bigint(double value) {
  if (!(value == value)) return 0;
  if (value >= 9223372036854775808.0) return std::numeric_limits<std::int64_t>::max();
  if (value <= -9223372036854775808.0) return std::numeric_limits<std::int64_t>::min();
  return static_cast<std::int64_t>(value);
}

std::int64_t decimal_to_bigint(Decimal value) {
  const auto whole = rescale(value.unscaled, value.scale, 0, Rounding::down);
  return static_cast<std::int64_t>(static_cast<unsigned __int128>(whole.value_or(0)));
}

}  // namespace millrace::inline planner
