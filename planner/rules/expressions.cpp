#include "planner/rules/expressions.h"

namespace millrace::inline planner {

NodePtr map_expressions(const PlanNode& node, const std::function<ExprPtr(const ExprPtr&)>& change) {
  bool changed = false;
  NodePtr mapped = map_node(node, inputs_of(node), [&](const ExprPtr& expr) {
    ExprPtr replaced = change(expr);
    changed = changed || replaced != expr;
    return replaced;
  });
  return changed ? mapped : nullptr;
}

bool can_fail(const Expr& expr) {
  const bool safe = expr.as<LiteralExpr>() || expr.as<ColumnExpr>() || expr.as<PseudoExpr>() ||
                    expr.as<ParameterExpr>() || expr.as<CompareExpr>() || expr.as<LogicalExpr>() ||
                    expr.as<NotExpr>() || expr.as<IsNullExpr>() || expr.as<InExpr>() || expr.as<CaseExpr>();
  if (!safe) return true;
  bool fails = false;
  for_each_child(expr, [&](const ExprPtr& child) { fails = fails || can_fail(*child); });
  return fails;
}

ExprPtr substitute_columns(const ExprPtr& expr, const std::vector<ExprPtr>& replacements) {
  if (const auto* column = expr->as<ColumnExpr>()) return replacements.at(column->index);
  const ExprPtr changed =
      map_children(expr, [&](const ExprPtr& child) { return substitute_columns(child, replacements); });
  return changed;
}

}  // namespace millrace::inline planner
