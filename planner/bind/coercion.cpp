#include "planner/bind/coercion.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace millrace::inline planner {
namespace {

int rank(TypeKind kind) {
  switch (kind) {
    case TypeKind::integer:
      return 0;
    case TypeKind::bigint:
      return 1;
    case TypeKind::decimal:
      return 2;
    default:
      return 3;
  }
}

bool is_text_target(TypeKind kind) {
  return kind == TypeKind::time || kind == TypeKind::date || kind == TypeKind::timestamp || kind == TypeKind::bytes;
}

bool can_cast_scalar(TypeKind from, TypeKind to) {
  const auto number = [](TypeKind kind) { return rank(kind) < 3 || kind == TypeKind::double_; };
  if (number(from)) return number(to) || to == TypeKind::string;
  switch (from) {
    case TypeKind::boolean:
      return to == TypeKind::string;
    case TypeKind::string:
      return number(to) || to == TypeKind::boolean || is_text_target(to);
    case TypeKind::time:
      return to == TypeKind::string;
    case TypeKind::date:
      return to == TypeKind::string || to == TypeKind::timestamp;
    case TypeKind::timestamp:
      return to == TypeKind::string || to == TypeKind::date || to == TypeKind::time;
    default:
      return false;
  }
}

}  // namespace

Type as_decimal(const Type& type) {
  if (type.kind() == TypeKind::integer) return Type::decimal(10, 0);
  if (type.kind() == TypeKind::bigint) return Type::decimal(19, 0);
  return type;
}

Type wider_number(const Type& a, const Type& b) {
  const int level = std::max(rank(a.kind()), rank(b.kind()));
  if (level == 0) return Type::integer();
  if (level == 1) return Type::bigint();
  if (level == 3) return Type::double_();
  const Type left = as_decimal(a);
  const Type right = as_decimal(b);
  const int scale = std::max(left.scale(), right.scale());
  const int digits = std::max(left.precision() - left.scale(), right.precision() - right.scale());
  return Type::decimal(std::max(1, digits + scale), scale);
}

bool can_widen(const Type& from, const Type& to) {
  if (from == to || from.is_null()) return true;
  if (from.is_numeric() && to.is_numeric()) {
    if (from.kind() == TypeKind::double_ || to.kind() == TypeKind::double_) return to.kind() == TypeKind::double_;
    if (to.kind() != TypeKind::decimal) return rank(from.kind()) < rank(to.kind());
    return wider_number(from, to) == to;
  }
  if (from.kind() == TypeKind::string) return is_text_target(to.kind());
  if (from.kind() != to.kind()) return false;
  switch (from.kind()) {
    case TypeKind::array:
      return can_widen(from.element(), to.element());
    case TypeKind::map:
      return can_widen(from.key(), to.key()) && can_widen(from.value(), to.value());
    case TypeKind::structure: {
      const auto a = from.fields();
      const auto b = to.fields();
      return std::ranges::equal(a, b, [](const StructField& x, const StructField& y) {
        return x.name == y.name && can_widen(x.type, y.type);
      });
    }
    default:
      return false;
  }
}

bool can_cast(const Type& from, const Type& to) {
  if (from == to || from.is_null()) return true;
  if (!from.is_nested()) return can_cast_scalar(from.kind(), to.kind());
  if (to.kind() == TypeKind::string) return true;
  if (from.kind() != to.kind()) return false;
  if (from.kind() == TypeKind::array) return can_cast(from.element(), to.element());
  if (from.kind() == TypeKind::map) return can_cast(from.key(), to.key()) && can_cast(from.value(), to.value());
  return std::ranges::all_of(to.fields(), [&](const StructField& field) {
    const auto index = field_index(from, field.name);
    return !index || can_cast(from.fields()[*index].type, field.type);
  });
}

ExprPtr cast_to(const ExprPtr& expr, const Type& type) {
  if (expr->type == type) return expr;
  auto result = std::make_shared<Expr>();
  result->type = type;
  result->span = expr->span;
  result->sql = expr->sql;
  if (const auto* literal = expr->as<LiteralExpr>(); literal && literal->value.is_null()) {
    result->node = LiteralExpr{};
  } else {
    result->node = CastExpr{expr};
  }
  return result;
}

std::optional<std::size_t> field_index(const Type& type, std::string_view name) {
  const auto fields = type.fields();
  for (std::size_t i = 0; i < fields.size(); ++i) {
    if (fields[i].name == name) return i;
  }
  return std::nullopt;
}

}  // namespace millrace::inline planner
