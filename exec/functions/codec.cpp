#include "exec/functions/codec.h"

namespace millrace::inline exec::codec {
namespace {

template <class T>
bool get_into(std::string_view& in, Value& value) {
  T raw{};
  if (!get(in, raw)) return false;
  value = Value(raw);
  return true;
}

void put_nested(const Value& value, const Type& type, std::string& out) {
  if (type.kind() == TypeKind::structure) {
    for (std::size_t i = 0; i < value.fields().size(); ++i) put_value(value.fields()[i], type.fields()[i].type, out);
  } else if (type.kind() == TypeKind::array) {
    put_unsigned(value.items().size(), out);
    for (const Value& item : value.items()) put_value(item, type.element(), out);
  } else {
    put_unsigned(value.entries().size(), out);
    for (const auto& [key, mapped] : value.entries()) {
      put_value(key, type.key(), out);
      put_value(mapped, type.value(), out);
    }
  }
}

bool get_nested(std::string_view& in, const Type& type, Value& value) {
  if (type.kind() == TypeKind::structure) {
    Value::List fields(type.fields().size());
    for (std::size_t i = 0; i < fields.size(); ++i)
      if (!get_value(in, type.fields()[i].type, fields[i])) return false;
    value = Value::structure(std::move(fields));
    return true;
  }
  std::uint64_t count = 0;
  if (!get_unsigned(in, count) || count > in.size()) return false;
  if (type.kind() == TypeKind::array) {
    Value::List items(count);
    for (Value& item : items)
      if (!get_value(in, type.element(), item)) return false;
    value = Value::list(std::move(items));
    return true;
  }
  Value::Map entries(count);
  for (auto& [key, mapped] : entries)
    if (!get_value(in, type.key(), key) || !get_value(in, type.value(), mapped)) return false;
  value = Value::map(std::move(entries));
  return true;
}

}  // namespace

void put_value(const Value& value, const Type& type, std::string& out) {
  put(!value.is_null(), out);
  if (value.is_null()) return;
  switch (type.kind()) {
    case TypeKind::null:
      return;
    case TypeKind::boolean:
      return put(value.as<bool>(), out);
    case TypeKind::integer:
      return put(value.as<std::int32_t>(), out);
    case TypeKind::bigint:
      return put(value.as<std::int64_t>(), out);
    case TypeKind::double_:
      return put(value.as<double>(), out);
    case TypeKind::decimal:
      return put(value.as<Decimal>().unscaled, out);
    case TypeKind::string:
      return put_text(value.as<std::string>(), out);
    case TypeKind::bytes:
      return put_text(value.as<Bytes>().data, out);
    case TypeKind::time:
      return put(value.as<Time>().millis, out);
    case TypeKind::date:
      return put(value.as<Date>().days, out);
    case TypeKind::timestamp:
      return put(value.as<Timestamp>().millis, out);
    default:
      return put_nested(value, type, out);
  }
}

bool get_value(std::string_view& in, const Type& type, Value& value) {
  bool present = false;
  value = Value();
  if (!get(in, present)) return false;
  if (!present) return true;
  std::string_view text;
  switch (type.kind()) {
    case TypeKind::null:
      return false;
    case TypeKind::boolean:
      return get_into<bool>(in, value);
    case TypeKind::integer:
      return get_into<std::int32_t>(in, value);
    case TypeKind::bigint:
      return get_into<std::int64_t>(in, value);
    case TypeKind::double_:
      return get_into<double>(in, value);
    case TypeKind::decimal: {
      Int128 unscaled = 0;
      if (!get(in, unscaled)) return false;
      value = Decimal{unscaled, type.scale()};
      return true;
    }
    case TypeKind::string:
      if (!get_text(in, text)) return false;
      value = std::string(text);
      return true;
    case TypeKind::bytes:
      if (!get_text(in, text)) return false;
      value = Bytes{std::string(text)};
      return true;
    case TypeKind::time:
    case TypeKind::date: {
      std::int32_t raw = 0;
      if (!get(in, raw)) return false;
      value = type.kind() == TypeKind::time ? Value(Time{raw}) : Value(Date{raw});
      return true;
    }
    case TypeKind::timestamp: {
      std::int64_t raw = 0;
      if (!get(in, raw)) return false;
      value = Timestamp{raw};
      return true;
    }
    default:
      return get_nested(in, type, value);
  }
}

}  // namespace millrace::inline exec::codec
