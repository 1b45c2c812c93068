#include "planner/bind/coerce_value.h"

#include "planner/bind/coercion.h"
#include "planner/bind/expr_binder.h"

namespace millrace::inline planner {
namespace {

std::optional<Value> cast_constant(const Value& value, const Type& from, const Type& to, const BindContext& context) {
  const auto cast = make_expr(CastExpr{make_literal(value, from)}, to, {});
  Value result = context.evaluate(*cast);
  return result.is_null() ? std::nullopt : std::optional(std::move(result));
}

std::optional<Value> to_decimal(Decimal value, const Type& to) {
  for (; value.scale < to.scale(); ++value.scale) value.unscaled *= 10;
  for (; value.scale > to.scale(); --value.scale) {
    if (value.unscaled % 10 != 0) return std::nullopt;
    value.unscaled /= 10;
  }
  Int128 limit = 1;
  for (int i = 0; i < to.precision() && i < 38; ++i) limit *= 10;
  if (value.unscaled >= limit || value.unscaled <= -limit) return std::nullopt;
  return Value(value);
}

std::optional<Value> coerce_number(const Value& value, const Type& from, const Type& to, const BindContext& context) {
  if (to.kind() == TypeKind::decimal) {
    if (from.kind() == TypeKind::integer) return to_decimal({value.as<std::int32_t>(), 0}, to);
    if (from.kind() == TypeKind::bigint) return to_decimal({value.as<std::int64_t>(), 0}, to);
    if (from.kind() == TypeKind::decimal) return to_decimal(value.as<Decimal>(), to);
    const auto exact = parse_decimal(double_text(value.as<double>()));
    return exact ? to_decimal(exact->value.as<Decimal>(), to) : std::nullopt;
  }
  if (!can_widen(from, to)) return std::nullopt;
  return cast_constant(value, from, to, context);
}

std::optional<Value> coerce_array(const Value& value, const Type& from, const Type& to, const BindContext& context) {
  Value::List items;
  for (const auto& item : value.items()) {
    auto fitted = coerce_value(item, from.element(), to.element(), context);
    if (!fitted) return std::nullopt;
    items.push_back(std::move(*fitted));
  }
  return Value::list(std::move(items));
}

std::optional<Value> coerce_map(const Value& value, const Type& from, const Type& to, const BindContext& context) {
  Value::Map entries;
  for (const auto& [key, item] : value.entries()) {
    auto fitted_key = coerce_value(key, from.key(), to.key(), context);
    auto fitted = coerce_value(item, from.value(), to.value(), context);
    if (!fitted_key || !fitted) return std::nullopt;
    entries.emplace_back(std::move(*fitted_key), std::move(*fitted));
  }
  return Value::map(std::move(entries));
}

std::optional<Value> coerce_struct(const Value& value, const Type& from, const Type& to, const BindContext& context) {
  Value::List fields;
  for (const auto& field : to.fields()) {
    const auto index = field_index(from, field.name);
    if (!index) {
      fields.emplace_back();
      continue;
    }
    auto fitted = coerce_value(value.fields()[*index], from.fields()[*index].type, field.type, context);
    if (!fitted) return std::nullopt;
    fields.push_back(std::move(*fitted));
  }
  return Value::structure(std::move(fields));
}

}  // namespace

std::optional<Value> coerce_value(const Value& value, const Type& from, const Type& to, const BindContext& context) {
  if (value.is_null()) return Value();
  if (from == to) return value;
  if (from.is_numeric() && to.is_numeric()) return coerce_number(value, from, to, context);
  if (from.kind() == TypeKind::string && (to.is_temporal() || to.kind() == TypeKind::bytes)) {
    return cast_constant(value, from, to, context);
  }
  if (from.kind() != to.kind()) return std::nullopt;
  switch (from.kind()) {
    case TypeKind::array:
      return coerce_array(value, from, to, context);
    case TypeKind::map:
      return coerce_map(value, from, to, context);
    case TypeKind::structure:
      return coerce_struct(value, from, to, context);
    default:
      return std::nullopt;
  }
}

}  // namespace millrace::inline planner
