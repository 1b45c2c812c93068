#include "planner/rules/expressions.h"
#include "planner/rules/rule_list.h"

namespace millrace::inline planner {
namespace {

const bool* literal_boolean(const Expr& expr) {
  const auto* literal = expr.as<LiteralExpr>();
  return literal ? literal->value.get_if<bool>() : nullptr;
}

// TRUE AND x => x, FALSE AND x => FALSE, and their mirror images for OR. Only a literal on the left decides before x is
// evaluated.
ExprPtr fold_logical(const ExprPtr& expr) {
  const auto* logical = expr->as<LogicalExpr>();
  if (!logical) return expr;
  if (const bool* left = literal_boolean(*logical->left))
    return *left == logical->is_and ? logical->right : logical->left;
  if (const bool* right = literal_boolean(*logical->right); right && *right == logical->is_and) return logical->left;
  return expr;
}

ExprPtr fold(const ExprPtr& expr, const RuleContext& context) {
  if (expr->as<LiteralExpr>()) return expr;
  const bool plain = !expr->as<LambdaExpr>() && !expr->type.is_nested() && !expr->type.is_null();
  if (plain && context.evaluate && is_constant(*expr)) {
    Value value = context.evaluate(*expr);
    if (!value.is_null()) return make_literal(std::move(value), expr->type);
  }
  return fold_logical(map_children(expr, [&](const ExprPtr& child) { return fold(child, context); }));
}

// The text of a changed expression would be a lie, of its ancestors too.
ExprPtr drop_text(const ExprPtr& before, const ExprPtr& after) {
  if (before == after || after->sql.empty() || after->as<ColumnExpr>()) return after;
  if (after->sql != before->sql) return after;
  auto copy = std::make_shared<Expr>(*after);
  copy->sql.clear();
  return copy;
}

}  // namespace

NodePtr constant_folding(const NodePtr& node, const RuleContext& context) {
  return map_expressions(*node, [&](const ExprPtr& expr) { return drop_text(expr, fold(expr, context)); });
}

}  // namespace millrace::inline planner
