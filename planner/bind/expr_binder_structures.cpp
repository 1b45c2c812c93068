#include <fmt/format.h>

#include <algorithm>

#include "parser/ast/format.h"
#include "planner/bind/coercion.h"
#include "planner/bind/expr_binder.h"
#include "planner/bind/nearest.h"

namespace millrace::inline planner {

ExprPtr ExprBinder::build_case(const ast::Case& branch, Span span) {
  if (branch.operand) {
    throw SqlError(Code::not_supported, span,
                   "Only the searched form of CASE is supported: CASE WHEN condition THEN ...");
  }
  CaseExpr result;
  Type type = Type::null();
  for (const auto& when : branch.whens) {
    auto condition = build(when.condition);
    if (condition->type.kind() != TypeKind::boolean) {
      throw SqlError(Code::type_mismatch, when.condition->span,
                     fmt::format("WHEN operand type should be boolean.\nType for '{}' is {}", show(when.condition),
                                 condition->type.to_string()));
    }
    auto value = build(when.result);
    if (!value->type.is_null() && !type.is_null() && !(value->type == type)) {
      throw SqlError(
          Code::type_mismatch, when.result->span,
          fmt::format("Invalid Case expression. Type for all 'THEN' clauses should be the same.\nTHEN expression "
                      "'WHEN {} THEN {}' has type: {}.\nPrevious THEN expression(s) type: {}.",
                      show(when.condition), show(when.result), value->type.to_string(), type.to_string()));
    }
    if (type.is_null()) type = value->type;
    result.whens.emplace_back(std::move(condition), std::move(value));
  }
  if (branch.otherwise) {
    result.otherwise = build(branch.otherwise);
    const Type& other = result.otherwise->type;
    if (!other.is_null() && !type.is_null() && !(other == type)) {
      throw SqlError(
          Code::type_mismatch, branch.otherwise->span,
          fmt::format("Invalid Case expression. Type for the default clause should be the same as for 'THEN' "
                      "clauses.\nTHEN type: {}.\nDEFAULT type: {}.",
                      type.to_string(), other.to_string()));
    }
    if (type.is_null()) type = other;
  }
  if (type.is_null()) {
    throw SqlError(Code::type_mismatch, span, "Invalid Case expression. All case branches have NULL type");
  }
  for (auto& [condition, value] : result.whens) value = cast_to(value, type);
  if (result.otherwise) result.otherwise = cast_to(result.otherwise, type);
  return make_expr(std::move(result), type, span);
}

ExprPtr ExprBinder::build_cast(const ast::Cast& cast, Span span) {
  const Type target = resolve_type(cast.target, context_.catalog);
  auto operand = build(cast.operand);
  if (!can_cast(operand->type, target)) {
    throw CoercionError(
        Code::type_mismatch, span,
        fmt::format("Cast of {} to {} is not supported", operand->type.to_string(), target.to_string()));
  }
  return cast_to(operand, target);
}

ExprPtr ExprBinder::build_field(const ast::FieldAccess& access, Span span) {
  auto base = build(access.base);
  if (base->type.kind() != TypeKind::structure) {
    throw SqlError(Code::type_mismatch, span,
                   fmt::format("Expected STRUCT type, got: {} in {}->{}", base->type.to_string(), show(access.base),
                               access.field.text));
  }
  const auto index = field_index(base->type, access.field.text);
  if (!index) {
    std::vector<std::string> names;
    for (const auto& field : base->type.fields()) names.push_back(field.name);
    throw SqlError(Code::unknown_column, access.field.span,
                   fmt::format("Could not find field '{}' in '{}'.", access.field.text, show(access.base)))
        .hint(nearest_hint(access.field.text, names));
  }
  const Type type = base->type.fields()[*index].type;
  return make_expr(FieldExpr{std::move(base), *index}, type, span);
}

ExprPtr ExprBinder::build_subscript(const ast::Subscript& subscript, Span span) {
  auto base = build(subscript.base);
  auto index = build(subscript.index);
  if (base->type.kind() == TypeKind::array) {
    if (index->type.kind() != TypeKind::integer && index->type.kind() != TypeKind::bigint && !index->type.is_null()) {
      throw SqlError(Code::type_mismatch, span,
                     fmt::format("The index of an array must be an INTEGER, but {} is {}.", show(subscript.index),
                                 index->type.to_string()));
    }
    const Type type = base->type.element();
    return make_expr(SubscriptExpr{std::move(base), cast_to(index, Type::integer())}, type, span);
  }
  if (base->type.kind() == TypeKind::map) {
    if (!can_widen(index->type, base->type.key())) {
      throw SqlError(Code::type_mismatch, span,
                     fmt::format("The key of this map must be {}, but {} is {}.", base->type.key().to_string(),
                                 show(subscript.index), index->type.to_string()));
    }
    const Type type = base->type.value();
    return make_expr(SubscriptExpr{base, cast_to(index, base->type.key())}, type, span);
  }
  throw SqlError(
      Code::type_mismatch, span,
      fmt::format("Only arrays and maps have elements: {} is {}.", show(subscript.base), base->type.to_string()));
}

ExprPtr ExprBinder::build_array(const ast::ArrayConstructor& array, Span span) {
  if (array.items.empty()) {
    throw SqlError(Code::type_mismatch, span,
                   "Array constructor cannot be empty. Please supply at least one element (see "
                   "https://github.com/confluentinc/ksql/issues/4239).");
  }
  std::vector<ListItem> list;
  for (const auto& item : array.items) list.push_back({build(item), show(item)});
  const Type type = common_type(list, span);
  if (type.is_null()) {
    throw SqlError(Code::type_mismatch, span,
                   "Cannot construct an array with all NULL elements: cast one of them to a type.");
  }
  ArrayExpr result;
  for (const auto& item : list) result.items.push_back(coerce_element(item.expr, type));
  return make_expr(std::move(result), Type::array(type), span);
}

ExprPtr ExprBinder::build_map(const ast::MapConstructor& map, Span span) {
  if (map.entries.empty()) {
    throw SqlError(Code::type_mismatch, span,
                   "Map constructor cannot be empty. Please supply at least one key value pair (see "
                   "https://github.com/confluentinc/ksql/issues/4239).");
  }
  std::vector<ListItem> keys;
  std::vector<ListItem> values;
  for (const auto& [key, value] : map.entries) {
    keys.push_back({build(key), show(key)});
    values.push_back({build(value), show(value)});
  }
  const Type key_type = common_type(keys, span);
  const Type value_type = common_type(values, span);
  for (const auto& [type, what] : {std::pair{key_type, "keys"}, std::pair{value_type, "values"}}) {
    if (!type.is_null()) continue;
    throw SqlError(Code::type_mismatch, span,
                   fmt::format("Cannot construct a map with all NULL {}: cast one of them to a type.", what));
  }
  MapExpr result;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    result.entries.emplace_back(coerce_element(keys[i].expr, key_type), coerce_element(values[i].expr, value_type));
  }
  return make_expr(std::move(result), Type::map(key_type, value_type), span);
}

ExprPtr ExprBinder::build_struct(const ast::StructConstructor& made, Span span) {
  StructExpr result;
  std::vector<StructField> fields;
  for (const auto& [name, value] : made.fields) {
    if (std::ranges::find(fields, name.text, &StructField::name) != fields.end()) {
      throw SqlError(Code::invalid_schema, name.span, "Duplicate field names found in STRUCT: " + name.text);
    }
    result.fields.push_back(build(value));
    fields.push_back({name.text, result.fields.back()->type});
  }
  return make_expr(std::move(result), Type::structure(std::move(fields)), span);
}

}  // namespace millrace::inline planner
