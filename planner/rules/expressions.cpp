#include "planner/rules/expressions.h"

namespace millrace::inline planner {
namespace {

using Change = std::function<ExprPtr(const ExprPtr&)>;

struct Mapper {
  const Change& change;
  bool changed = false;

  void one(ExprPtr& expr) {
    if (!expr) return;
    ExprPtr replaced = change(expr);
    changed = changed || replaced != expr;
    expr = std::move(replaced);
  }
  void operator()(FilterNode& n) { one(n.predicate); }
  void operator()(ProjectNode& n) {
    for (auto& item : n.items) one(item.expr);
  }
  void operator()(FlatMapNode& n) { calls(n.calls); }
  void operator()(RekeyNode& n) {
    for (auto& item : n.keys) one(item.expr);
  }
  void operator()(CombineNode& n) { calls(n.calls); }
  void operator()(AggregateNode& n) { calls(n.calls); }
  void operator()(ForeignKeyJoinNode& n) { one(n.foreign_key); }
  template <class T>
  void operator()(T&) {}

  template <class Call>
  void calls(std::vector<Call>& calls) {
    for (auto& call : calls)
      for (auto& argument : call.arguments) one(argument);
  }
};

}  // namespace

NodePtr map_expressions(const PlanNode& node, const Change& change) {
  if (node.as<SourceNode>()) return nullptr;
  auto copy = node.node;
  Mapper mapper{change};
  std::visit(mapper, copy);
  return mapper.changed ? make_node(std::move(copy)) : nullptr;
}

bool can_fail(const Expr& expr) {
  const bool safe = expr.as<LiteralExpr>() || expr.as<ColumnExpr>() || expr.as<PseudoExpr>() ||
                    expr.as<CompareExpr>() || expr.as<LogicalExpr>() || expr.as<NotExpr>() || expr.as<IsNullExpr>() ||
                    expr.as<InExpr>() || expr.as<CaseExpr>();
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
