#include "server/session/json_value.h"

#include <fmt/format.h>

#include <cmath>

#include "exec/expr/evaluator.h"
#include "planner/logical/expr.h"

namespace millrace::inline server {
namespace json = boost::json;
namespace {

/// Text to a type through the dialect's own CAST.
bool cast_text(std::string_view text, const Type& type, Value& value) {
  const ExprPtr literal = make_literal(Value(std::string(text)), Type::string());
  value = evaluate_constant(Expr{type, CastExpr{literal}, {}, {}});
  return !value.is_null();
}

bool to_integer(const json::value& from, std::int64_t& out) {
  if (from.is_int64()) {
    out = from.get_int64();
    return true;
  }
  if (from.is_double() && std::trunc(from.get_double()) == from.get_double() && std::abs(from.get_double()) < 9e15) {
    out = static_cast<std::int64_t>(from.get_double());
    return true;
  }
  return false;
}

bool nested(const json::value& from, const Type& type, Value& value) {
  if (type.kind() == TypeKind::array) {
    if (!from.is_array()) return false;
    Value::List items(from.get_array().size());
    for (std::size_t i = 0; i < items.size(); ++i)
      if (!json_to_value(from.get_array()[i], type.element(), items[i])) return false;
    value = Value::list(std::move(items));
    return true;
  }
  if (!from.is_object()) return false;
  if (type.kind() == TypeKind::map) {
    Value::Map entries;
    for (const auto& entry : from.get_object()) {
      Value item;
      if (!json_to_value(entry.value(), type.value(), item)) return false;
      entries.emplace_back(Value(std::string(entry.key())), std::move(item));
    }
    value = Value::map(std::move(entries));
    return true;
  }
  Value::List fields(type.fields().size());
  for (const auto& entry : from.get_object()) {
    bool known = false;
    for (std::size_t i = 0; i < fields.size() && !known; ++i) {
      const std::string& name = type.fields()[i].name;
      known = name.size() == entry.key().size() &&
              std::equal(name.begin(), name.end(), entry.key().begin(),
                         [](char a, char b) { return std::toupper(a) == std::toupper(b); });
      if (known && !json_to_value(entry.value(), type.fields()[i].type, fields[i])) return false;
    }
    if (!known) return false;
  }
  value = Value::structure(std::move(fields));
  return true;
}

}  // namespace

std::string_view json_kind(const json::value& from) {
  switch (from.kind()) {
    case json::kind::bool_:
      return "BOOLEAN";
    case json::kind::int64:
    case json::kind::uint64:
      return "BIGINT";
    case json::kind::double_:
      return "DOUBLE";
    case json::kind::string:
      return "STRING";
    case json::kind::array:
      return "ARRAY";
    case json::kind::object:
      return "STRUCT";
    default:
      return "NULL";
  }
}

bool json_to_value(const json::value& from, const Type& type, Value& value) {
  if (from.is_null()) {
    value = Value();
    return true;
  }
  std::int64_t number = 0;
  switch (type.kind()) {
    case TypeKind::boolean:
      if (!from.is_bool()) return false;
      value = Value(from.get_bool());
      return true;
    case TypeKind::integer:
      if (!to_integer(from, number) || number != static_cast<std::int32_t>(number)) return false;
      value = Value(static_cast<std::int32_t>(number));
      return true;
    case TypeKind::bigint:
      if (!to_integer(from, number)) return false;
      value = Value(number);
      return true;
    case TypeKind::double_:
      if (!from.is_number()) return false;
      value = Value(from.to_number<double>());
      return true;
    case TypeKind::string:
      if (!from.is_string()) return false;
      value = Value(std::string(from.get_string()));
      return true;
    case TypeKind::array:
    case TypeKind::map:
    case TypeKind::structure:
      return nested(from, type, value);
    case TypeKind::decimal:
      if (from.is_number()) return cast_text(json::serialize(from), type, value);
      return from.is_string() && cast_text(from.get_string(), type, value);
    case TypeKind::timestamp:
      if (from.is_int64()) {
        value = Value(Timestamp{from.get_int64()});
        return true;
      }
      return from.is_string() && cast_text(from.get_string(), type, value);
    default:
      return from.is_string() && cast_text(from.get_string(), type, value);
  }
}

}  // namespace millrace::inline server
