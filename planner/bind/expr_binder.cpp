#include "planner/bind/expr_binder.h"

#include <fmt/format.h>

#include <algorithm>

#include "parser/ast/format.h"
#include "planner/bind/coercion.h"

namespace millrace::inline planner {
namespace {

ExprPtr literal(Value value, Type type, Span span) {
  return make_expr(LiteralExpr{std::move(value)}, std::move(type), span);
}

ExprPtr build_decimal(const ast::DecimalLiteral& node, Span span) {
  const auto number = parse_decimal(node.text);
  if (!number) {
    throw SqlError(Code::not_supported, span,
                   "Decimal literals of more than 38 digits are not supported: " + node.text);
  }
  return literal(number->value, number->type, span);
}

}  // namespace

ExprPtr ExprBinder::bind(const ast::ExprPtr& expr) {
  const ExprPtr built = build(expr);
  auto named = std::make_shared<Expr>(*built);
  named->sql = show(expr);
  return named;
}

ExprPtr ExprBinder::build(const ast::ExprPtr& expr) {
  if (intercept) {
    if (auto ready = intercept(expr)) return ready;
  }
  const Span span = expr->span;
  return std::visit(
      [&](const auto& node) -> ExprPtr {
        using Node = std::decay_t<decltype(node)>;
        if constexpr (std::is_same_v<Node, ast::NullLiteral>) return literal(Value(), Type::null(), span);
        if constexpr (std::is_same_v<Node, ast::BooleanLiteral>)
          return literal(Value(node.value), Type::boolean(), span);
        if constexpr (std::is_same_v<Node, ast::IntegerLiteral>)
          return literal(Value(node.value), Type::integer(), span);
        if constexpr (std::is_same_v<Node, ast::BigintLiteral>) return literal(Value(node.value), Type::bigint(), span);
        if constexpr (std::is_same_v<Node, ast::DecimalLiteral>) return build_decimal(node, span);
        if constexpr (std::is_same_v<Node, ast::DoubleLiteral>)
          return literal(Value(node.value), Type::double_(), span);
        if constexpr (std::is_same_v<Node, ast::StringLiteral>) return literal(Value(node.value), Type::string(), span);
        if constexpr (std::is_same_v<Node, ast::IntervalUnit>) return literal(Value(node.unit), Type::string(), span);
        if constexpr (std::is_same_v<Node, ast::ColumnRef>) return build_column(node, span);
        if constexpr (std::is_same_v<Node, ast::Unary>) return build_unary(node, span);
        if constexpr (std::is_same_v<Node, ast::Binary>) return build_binary(expr, node);
        if constexpr (std::is_same_v<Node, ast::Comparison>) return build_comparison(node, span);
        if constexpr (std::is_same_v<Node, ast::Between>) return build_between(node, span);
        if constexpr (std::is_same_v<Node, ast::In>) return build_in(node, span);
        if constexpr (std::is_same_v<Node, ast::Like>) return build_like(node, span);
        if constexpr (std::is_same_v<Node, ast::IsNull>) {
          return make_expr(IsNullExpr{build(node.value), node.negated}, Type::boolean(), span);
        }
        if constexpr (std::is_same_v<Node, ast::Case>) return build_case(node, span);
        if constexpr (std::is_same_v<Node, ast::Cast>) return build_cast(node, span);
        if constexpr (std::is_same_v<Node, ast::Call>) return build_scalar_call(node, span);
        if constexpr (std::is_same_v<Node, ast::FieldAccess>) return build_field(node, span);
        if constexpr (std::is_same_v<Node, ast::Subscript>) return build_subscript(node, span);
        if constexpr (std::is_same_v<Node, ast::ArrayConstructor>) return build_array(node, span);
        if constexpr (std::is_same_v<Node, ast::MapConstructor>) return build_map(node, span);
        if constexpr (std::is_same_v<Node, ast::StructConstructor>) return build_struct(node, span);
        if constexpr (std::is_same_v<Node, ast::Lambda>) {
          throw SqlError(Code::invalid_statement, span, "A lambda can only be an argument of a function.");
        }
        if constexpr (std::is_same_v<Node, ast::AtTimeZone>) {
          throw SqlError(Code::not_supported, span, "AT TIME ZONE is not supported.");
        }
        if constexpr (std::is_same_v<Node, ast::Exists>) {
          throw SqlError(Code::not_supported, span, "EXISTS (SELECT ...) is not supported here.").hint("write a join");
        }
        if constexpr (std::is_same_v<Node, ast::ScalarQuery>) {
          throw SqlError(Code::not_supported, span, "A subquery as a value is not supported here.")
              .hint("write a join");
        }
        if constexpr (std::is_same_v<Node, ast::Interval>) {
          throw SqlError(Code::type_mismatch, span, "An INTERVAL can only be added to a time or subtracted from one.");
        }
        return nullptr;
      },
      expr->node);
}

ExprPtr ExprBinder::build_column(const ast::ColumnRef& column, Span span) {
  const std::string& name = column.name.text;
  const auto at = [&](std::size_t position, const Type& type) { return make_expr(ColumnExpr{position}, type, span); };
  if (!column.qualifier) {
    const auto parameter =
        std::ranges::find(parameters_.rbegin(), parameters_.rend(), name, [](const Parameter& p) { return p.name; });
    if (parameter != parameters_.rend()) {
      return make_expr(LambdaParamExpr{parameter->id, name}, parameter->type, span);
    }
    if (const auto* key = scope_.find_synthetic(name)) return at(key->position, key->type);
    if (scope_.window_aggregation && (name == "WINDOWSTART" || name == "WINDOWEND")) {
      throw SqlError(
          Code::invalid_window, span,
          fmt::format("Window bounds column {} can only be used in the SELECT clause of windowed aggregations", name));
    }
  } else if (macro_ && column.qualifier->text == *macro_->name) {
    return macro_->given.at(name);
  } else if (const auto* source = scope_.find_source(column.qualifier->text)) {
    if (const auto* found = source->find(name)) return at(found->position, found->type);
    if (const auto pseudo = source->find_pseudo(name)) {
      const auto moved = source->pseudo_positions.find(*pseudo);
      if (moved != source->pseudo_positions.end()) return at(moved->second, pseudo_column_type(*pseudo));
      return make_expr(PseudoExpr{*pseudo}, pseudo_column_type(*pseudo), span);
    }
  }
  throw SqlError(Code::unknown_column, span, fmt::format("Unknown column {}.", name));
}

namespace {

std::string schema_text(const Scope& scope) {
  std::string text;
  for (const auto& source : scope.sources) {
    for (const auto& column : source.columns) {
      if (!text.empty()) text += ", ";
      const std::string name = scope.is_join() ? join_column_name(source.alias, column.name) : column.name;
      text += fmt::format("`{}` {}{}", name, column.type.to_string(), column.role == ColumnRole::key ? " KEY" : "");
    }
  }
  return text;
}

SqlError reworded(const SqlError& error, const std::string& message) {
  return SqlError(error.code(), error.span(), message, error.error_class()).hint(error.hint());
}

SqlError coercion_in(const char* prefix, const CoercionError& error, const ast::ExprPtr& expr, const Scope& scope) {
  return reworded(error, fmt::format("{}: {}. expression:{}, schema:{}", prefix, error.what(), display(expr, scope),
                                     schema_text(scope)));
}

}  // namespace

ExprPtr bind_predicate(ExprBinder& binder, const ast::ExprPtr& expr, const Scope& scope, const std::string& clause) {
  ExprPtr bound;
  try {
    bound = binder.bind(expr);
  } catch (const CoercionError& error) {
    throw coercion_in("Invalid Predicate", error, expr, scope);
  } catch (const SqlError& error) {
    throw reworded(error, fmt::format("Error in {} expression: {}", clause, error.what()));
  }
  if (bound->type.kind() == TypeKind::boolean) return bound;
  throw SqlError(Code::type_mismatch, expr->span,
                 fmt::format("Type error in {} expression: Should evaluate to boolean but is {} ({}) instead.", clause,
                             display(expr, scope), bound->type.to_string()));
}

ExprPtr bind_item(ExprBinder& binder, const ast::ExprPtr& expr, const Scope& scope) {
  try {
    return binder.bind(expr);
  } catch (const CoercionError& error) {
    throw coercion_in("Invalid Select", error, expr, scope);
  }
}

}  // namespace millrace::inline planner
