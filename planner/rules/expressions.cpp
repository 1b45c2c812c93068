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

std::vector<ExprPtr> split_conjunction(const ExprPtr& predicate) {
  const auto* logical = predicate->as<LogicalExpr>();
  if (!logical || !logical->is_and) return {predicate};
  std::vector<ExprPtr> parts = split_conjunction(logical->left);
  for (auto& part : split_conjunction(logical->right)) parts.push_back(std::move(part));
  return parts;
}

ExprPtr make_conjunction(const std::vector<ExprPtr>& parts) {
  ExprPtr all = parts.front();
  for (std::size_t i = 1; i < parts.size(); ++i) {
    auto both = std::make_shared<Expr>();
    both->type = Type::boolean();
    both->node = LogicalExpr{.is_and = true, .left = all, .right = parts[i]};
    all = std::move(both);
  }
  return all;
}

ExprPtr substitute_columns(const ExprPtr& expr, const std::vector<ExprPtr>& replacements) {
  if (const auto* column = expr->as<ColumnExpr>()) return replacements.at(column->index);
  const ExprPtr changed =
      map_children(expr, [&](const ExprPtr& child) { return substitute_columns(child, replacements); });
  return changed;
}

}  // namespace millrace::inline planner
