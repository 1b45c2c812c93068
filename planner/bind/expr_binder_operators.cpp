#include <fmt/format.h>

#include <algorithm>

#include "parser/ast/format.h"
#include "parser/ast/time_unit.h"
#include "planner/bind/ast_rewrite.h"
#include "planner/bind/coercion.h"
#include "planner/bind/expr_binder.h"

namespace millrace::inline planner {
namespace {

ArithmeticOp arithmetic_op(ast::BinaryOp op) {
  switch (op) {
    case ast::BinaryOp::subtract:
      return ArithmeticOp::subtract;
    case ast::BinaryOp::multiply:
      return ArithmeticOp::multiply;
    case ast::BinaryOp::divide:
      return ArithmeticOp::divide;
    case ast::BinaryOp::modulo:
      return ArithmeticOp::modulo;
    default:
      return ArithmeticOp::add;
  }
}

Type decimal_result(ArithmeticOp op, const Type& a, const Type& b) {
  const int p1 = a.precision();
  const int s1 = a.scale();
  const int p2 = b.precision();
  const int s2 = b.scale();
  const int wide = std::max(s1, s2);
  switch (op) {
    case ArithmeticOp::add:
    case ArithmeticOp::subtract:
      return Type::decimal(wide + std::max(p1 - s1, p2 - s2) + 1, wide);
    case ArithmeticOp::multiply:
      return Type::decimal(p1 + p2 + 1, s1 + s2);
    case ArithmeticOp::divide: {
      const int scale = std::max(6, s1 + p2 + 1);
      return Type::decimal(p1 - s1 + s2 + scale, scale);
    }
    case ArithmeticOp::modulo:
      return Type::decimal(std::max(1, std::min(p1 - s1, p2 - s2) + wide), wide);
  }
  return a;
}

std::string_view op_name(CompareOp op) {
  constexpr std::string_view kNames[] = {"EQUAL",
                                         "NOT_EQUAL",
                                         "LESS_THAN",
                                         "LESS_THAN_OR_EQUAL",
                                         "GREATER_THAN",
                                         "GREATER_THAN_OR_EQUAL",
                                         "IS_DISTINCT_FROM",
                                         "IS_NOT_DISTINCT_FROM"};
  return kNames[static_cast<std::size_t>(op)];
}

std::string_view op_text(CompareOp op) {
  constexpr std::string_view kTexts[] = {"=", "<>", "<", "<=", ">", ">=", "IS DISTINCT FROM", "IS NOT DISTINCT FROM"};
  return kTexts[static_cast<std::size_t>(op)];
}

bool is_distinct(CompareOp op) {
  return op == CompareOp::distinct_from || op == CompareOp::not_distinct_from;
}
bool is_equality(CompareOp op) {
  return op == CompareOp::equal || op == CompareOp::not_equal || is_distinct(op);
}

bool is_time(const Type& type) {
  return type.is_temporal();
}

/// The type both sides are compared as; nullopt when they cannot be.
std::optional<Type> comparison_type(CompareOp op, const Type& a, const Type& b) {
  if (a.is_null()) return b;
  if (b.is_null()) return a;
  if (a.is_numeric() && b.is_numeric()) return wider_number(a, b);
  if (a.kind() == TypeKind::string && is_time(b)) return b;
  if (is_time(a) && b.kind() == TypeKind::string) return a;
  const auto either = [&](TypeKind x, TypeKind y) {
    return (a.kind() == x && b.kind() == y) || (a.kind() == y && b.kind() == x);
  };
  if (either(TypeKind::date, TypeKind::timestamp)) return Type::timestamp();
  if (!(a == b)) return std::nullopt;
  if ((a.is_nested() || a.kind() == TypeKind::boolean) && !is_equality(op)) return std::nullopt;
  return a;
}

/// Decimals are compared exactly as they are; everything else as the common type.
ExprPtr as_compared(const ExprPtr& side, const Type& type) {
  if (type.kind() == TypeKind::decimal) {
    return side->type.kind() == TypeKind::decimal ? side
                                                  : cast_to(side, side->type.is_null() ? type : as_decimal(side->type));
  }
  return cast_to(side, type);
}

bool names_time(const ast::ExprPtr& expr) {
  const auto* column = expr->as<ast::ColumnRef>();
  if (!column) return false;
  const std::string& name = column->name.text;
  return name == "ROWTIME" || name == "WINDOWSTART" || name == "WINDOWEND";
}

/// A text compared with a time pseudo column stands for an instant.
ExprPtr magic_time(const ast::ExprPtr& column, const ExprPtr& column_bound, const ExprPtr& other) {
  const auto* literal = other->as<LiteralExpr>();
  if (!literal || !names_time(column) || column_bound->type.kind() != TypeKind::bigint) return other;
  const auto* text = literal->value.get_if<std::string>();
  if (!text) return other;
  const auto millis = parse_partial_timestamp(*text);
  if (!millis) {
    throw SqlError(
        Code::invalid_literal, other->span,
        fmt::format("Failed to parse timestamp '{}': it must be a date and time such as 2020-01-31T13:00:00.000+0100",
                    *text));
  }
  return make_expr(LiteralExpr{Value(*millis)}, Type::bigint(), other->span);
}

}  // namespace

ExprPtr ExprBinder::build_boolean(const ast::ExprPtr& expr) {
  auto built = build(expr);
  if (built->type.is_null()) return cast_to(built, Type::boolean());
  if (built->type.kind() == TypeKind::boolean) return built;
  throw SqlError(Code::type_mismatch, expr->span,
                 fmt::format("Expected a BOOLEAN but {} is {}.", show(expr), built->type.to_string()));
}

ExprPtr ExprBinder::build_unary(const ast::Unary& unary, Span span) {
  if (unary.op == ast::UnaryOp::logical_not)
    return make_expr(NotExpr{build_boolean(unary.operand)}, Type::boolean(), span);
  auto operand = build(unary.operand);
  if (!operand->type.is_numeric()) {
    throw SqlError(Code::type_mismatch, span,
                   fmt::format("Error processing expression: {}. Unsupported arithmetic types. {}", show(unary.operand),
                               operand->type.base_name()));
  }
  if (unary.op == ast::UnaryOp::plus) return operand;
  const Type type = operand->type;
  return make_expr(NegateExpr{std::move(operand)}, type, span);
}

ExprPtr ExprBinder::build_binary(const ast::ExprPtr& expr, const ast::Binary& binary) {
  if (binary.op == ast::BinaryOp::logical_and || binary.op == ast::BinaryOp::logical_or) {
    auto left = build_boolean(binary.left);
    auto right = build_boolean(binary.right);
    return make_expr(LogicalExpr{binary.op == ast::BinaryOp::logical_and, std::move(left), std::move(right)},
                     Type::boolean(), expr->span);
  }
  if (const auto* interval = binary.right->as<ast::Interval>()) return build_moved(expr, binary, *interval);
  auto left = build(binary.left);
  auto right = build(binary.right);
  return build_arithmetic(arithmetic_op(binary.op), expr, std::move(left), std::move(right));
}

/// A time plus or minus an interval is what the function of its type gives; a BIGINT counts milliseconds.
ExprPtr ExprBinder::build_moved(const ast::ExprPtr& expr, const ast::Binary& binary, const ast::Interval& interval) {
  const bool minus = binary.op == ast::BinaryOp::subtract;
  const auto fail = [&](const std::string& message) { throw SqlError(Code::type_mismatch, expr->span, message); };
  if (!minus && binary.op != ast::BinaryOp::add)
    fail("An INTERVAL can only be added to a time or subtracted from one.");
  const std::int64_t count = minus ? -interval.count : interval.count;
  const Type type = build(binary.left)->type;
  const auto span = expr->span;
  if (type.kind() == TypeKind::bigint) {
    const std::int64_t unit = ast::unit_millis(interval.unit);
    std::int64_t millis = 0;
    if (unit == 0) fail(fmt::format("{} differ in length: a BIGINT cannot be moved by them.", interval.unit));
    if (__builtin_mul_overflow(count, unit, &millis)) fail("The INTERVAL is too long.");
    const ast::Binary sum{ast::BinaryOp::add, binary.left, make_ast(ast::BigintLiteral{millis}, binary.right->span)};
    return build(make_ast(sum, span));
  }
  const char* function = type.kind() == TypeKind::timestamp ? "TIMESTAMPADD"
                         : type.kind() == TypeKind::date    ? "DATEADD"
                         : type.kind() == TypeKind::time    ? "TIMEADD"
                                                            : nullptr;
  if (!function)
    fail(fmt::format("An INTERVAL cannot be added to {}, which is {}.", show(binary.left), type.to_string()));
  if (count != static_cast<std::int32_t>(count)) fail("The INTERVAL is too long.");
  return build(make_ast_call(function,
                             {make_ast(ast::IntervalUnit{interval.unit}, span),
                              make_ast(ast::IntegerLiteral{static_cast<std::int32_t>(count)}, span), binary.left},
                             span));
}

ExprPtr ExprBinder::build_arithmetic(ArithmeticOp op, const ast::ExprPtr& expr, ExprPtr left, ExprPtr right) {
  const Type& a = left->type;
  const Type& b = right->type;
  if (a.is_null() || b.is_null()) {
    throw SqlError(Code::type_mismatch, expr->span,
                   fmt::format("Error processing expression: {}. Arithmetic on types {} and {} are not supported.",
                               show(expr), a.to_string(), b.to_string()));
  }
  if (op == ArithmeticOp::add && a.kind() == TypeKind::string && b.kind() == TypeKind::string) {
    return make_expr(ArithmeticExpr{op, std::move(left), std::move(right)}, Type::string(), expr->span);
  }
  const auto* binary = expr->as<ast::Binary>();
  if (!a.is_numeric() || !b.is_numeric() || (binary && binary->op == ast::BinaryOp::concat)) {
    throw SqlError(Code::type_mismatch, expr->span,
                   fmt::format("Error processing expression: {}. Unsupported arithmetic types. {} {}", show(expr),
                               a.base_name(), b.base_name()));
  }
  Type type = wider_number(a, b);
  if (type.kind() == TypeKind::decimal) {
    left = cast_to(left, as_decimal(a));
    right = cast_to(right, as_decimal(b));
    type = decimal_result(op, left->type, right->type);
  } else {
    left = cast_to(left, type);
    right = cast_to(right, type);
  }
  return make_expr(ArithmeticExpr{op, std::move(left), std::move(right)}, type, expr->span);
}

ExprPtr ExprBinder::build_comparison(const ast::Comparison& comparison, Span span) {
  auto left = build(comparison.left);
  auto right = build(comparison.right);
  const CompareOp op = comparison.op;
  if ((left->type.is_null() || right->type.is_null()) && !is_distinct(op)) {
    const auto name = [](const Type& type) { return type.is_null() ? std::string("NULL") : type.base_name(); };
    throw SqlError(Code::type_mismatch, span,
                   fmt::format("Comparison with NULL not supported: {} {} {}\nUse 'IS NULL' or 'IS NOT NULL' instead.",
                               name(left->type), op_text(op), name(right->type)));
  }
  return compare(op, comparison.left, comparison.right, std::move(left), std::move(right), span);
}

ExprPtr ExprBinder::compare(CompareOp op, const ast::ExprPtr& left_ast, const ast::ExprPtr& right_ast, ExprPtr left,
                            ExprPtr right, Span span) {
  right = magic_time(left_ast, left, right);
  left = magic_time(right_ast, right, left);
  const auto type = comparison_type(op, left->type, right->type);
  if (!type) {
    throw SqlError(Code::type_mismatch, span,
                   fmt::format("Cannot compare {} ({}) to {} ({}) with {}.", show(left_ast), left->type.to_string(),
                               show(right_ast), right->type.to_string(), op_name(op)));
  }
  return make_expr(CompareExpr{op, as_compared(left, *type), as_compared(right, *type)}, Type::boolean(), span);
}

ExprPtr ExprBinder::build_between(const ast::Between& between, Span span) {
  const auto value = build(between.value);
  auto low = compare(CompareOp::greater_equal, between.value, between.low, value, build(between.low), span);
  auto high = compare(CompareOp::less_equal, between.value, between.high, value, build(between.high), span);
  auto both = make_expr(LogicalExpr{true, std::move(low), std::move(high)}, Type::boolean(), span);
  return between.negated ? make_expr(NotExpr{std::move(both)}, Type::boolean(), span) : both;
}

ExprPtr ExprBinder::build_in(const ast::In& in, Span span) {
  if (in.query)
    throw SqlError(Code::not_supported, span, "IN (SELECT ...) is not supported here.").hint("write a join");
  std::vector<ListItem> list{{build(in.value), show(in.value)}};
  for (const auto& item : in.items) {
    auto built = build(item);
    built = magic_time(in.value, list[0].expr, built);
    list.push_back({std::move(built), show(item)});
  }
  const Type type = common_type(list, span);
  InExpr result{coerce_element(list[0].expr, type), {}, in.negated};
  for (std::size_t i = 1; i < list.size(); ++i) result.items.push_back(coerce_element(list[i].expr, type));
  return make_expr(std::move(result), Type::boolean(), span);
}

ExprPtr ExprBinder::build_like(const ast::Like& like, Span span) {
  auto value = build(like.value);
  auto pattern = build(like.pattern);
  for (const auto* side : {&value, &pattern}) {
    if ((*side)->type.is_null())
      *side == value ? value = cast_to(value, Type::string()) : pattern = cast_to(pattern, Type::string());
  }
  if (value->type.kind() != TypeKind::string) {
    throw SqlError(Code::type_mismatch, span,
                   "The column type for Like condition must be VARCHAR. The column type is " + value->type.base_name());
  }
  if (pattern->type.kind() != TypeKind::string) {
    throw SqlError(Code::type_mismatch, span, "Like condition must be between strings");
  }
  if (like.escape && like.escape->size() != 1) {
    throw SqlError(Code::invalid_literal, span,
                   "Expected exactly one character for ESCAPE, but found: " + *like.escape);
  }
  return make_expr(
      LikeExpr{std::move(value), std::move(pattern), like.escape ? like.escape->front() : '\0', like.negated},
      Type::boolean(), span);
}

}  // namespace millrace::inline planner
