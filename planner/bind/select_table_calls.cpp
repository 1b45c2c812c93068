#include "planner/bind/select_table_calls.h"

#include <fmt/format.h>

#include <algorithm>

#include "planner/bind/ast_rewrite.h"
#include "planner/bind/expr_binder.h"

namespace millrace::inline planner {

void TableCalls::collect(const ast::ExprPtr& expr, bool in_case, bool nested) {
  const bool call = is_call_of(input_.context.functions, *expr, FunctionKind::table);
  if (call && in_case) {
    throw SqlError(Code::invalid_aggregate, expr->span,
                   "Table functions cannot be used in CASE: " + display(expr, scope_));
  }
  if (call && nested) {
    throw SqlError(Code::invalid_aggregate, expr->span, "Table functions cannot be nested: " + display(expr, scope_));
  }
  if (call) calls_.push_back(expr);
  const bool case_below = in_case || expr->as<ast::Case>() != nullptr;
  for_each_child(*expr, [&](const ast::ExprPtr& child) { collect(child, case_below, nested || call); });
}

void TableCalls::apply(KeyedPlan& plan) {
  for (const auto& item : clauses_.items) collect(item.expr, false, false);
  if (calls_.empty()) return;
  const Span span = calls_.front()->span;
  if (plan.node->kind == RelationKind::table) {
    throw SqlError(Code::invalid_aggregate, span, "Table source is not supported with table functions");
  }
  if (clauses_.aggregated) {
    throw SqlError(Code::invalid_aggregate, span, "Table functions cannot be used with aggregations.");
  }
  ExprBinder binder(input_.context, scope_);
  FlatMapNode node{plan.node, {}};
  for (const auto& expr : calls_) {
    const auto& call = *expr->as<ast::Call>();
    auto bound = binder.bind_call(call, expr->span);
    ColumnDef column{.name = fmt::format("KSQL_SYNTH_{}", node.calls.size()), .type = bound.type};
    node.calls.push_back({bound.function, bound.variant, std::move(bound.arguments), std::move(column)});
  }
  bound_ = node.calls;
  plan.node = make_node(std::move(node));
  const Schema& schema = plan.node->schema;
  base_ = *schema.find(bound_.front().column.name);
  if (scope_.is_join()) return;
  for (auto& column : scope_.sources[0].columns) {  // header columns stand behind the new ones
    if (column.role == ColumnRole::header) column.position = *schema.find(column.name);
  }
}

ExprPtr TableCalls::replace(const ast::ExprPtr& expr) const {
  const auto found = std::ranges::find(calls_, expr);
  if (found == calls_.end()) return nullptr;
  const auto index = static_cast<std::size_t>(found - calls_.begin());
  return make_expr(ColumnExpr{base_ + index}, bound_[index].column.type, expr->span);
}

}  // namespace millrace::inline planner
