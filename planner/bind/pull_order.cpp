#include "planner/bind/pull_order.h"

#include <fmt/format.h>

#include <algorithm>

#include "parser/ast/format.h"
#include "planner/bind/macros.h"

namespace millrace::inline planner {
namespace {

ast::ExprPtr ordered_by(const ast::ExprPtr& written, const BindContext& context, const Scope& scope,
                        const Clauses& clauses) {
  if (const auto* ordinal = written->as<ast::IntegerLiteral>()) {
    if (ordinal->value < 1 || static_cast<std::size_t>(ordinal->value) > clauses.items.size())
      throw SqlError(Code::invalid_statement, written->span,
                     fmt::format("ORDER BY {}: the SELECT list has {} columns.", ordinal->value, clauses.items.size()));
    return clauses.items[static_cast<std::size_t>(ordinal->value) - 1].expr;
  }
  if (const auto* column = written->as<ast::ColumnRef>(); column && !column->qualifier) {
    const auto item = std::ranges::find(clauses.items, column->name.text, &OutputItem::name);
    if (item != clauses.items.end()) return item->expr;
  }
  ast::ExprPtr expr = qualify(written, scope);
  check_resolved(expr, scope, "ORDER BY");
  return expand_aggregates(expr, scope, context, "ORDER BY");
}

}  // namespace

std::vector<ast::ExprPtr> read_order(const ast::Query& query, const BindContext& context, const Scope& scope,
                                     Clauses& clauses) {
  std::vector<ast::ExprPtr> order;
  for (const auto& item : query.order_by) {
    order.push_back(ordered_by(item.expr, context, scope, clauses));
    const bool shown = std::ranges::any_of(
        clauses.items, [&](const OutputItem& output) { return ast::equal(*output.expr, *order.back()); });
    if (query.distinct && !shown)
      throw SqlError(Code::invalid_statement, item.span,
                     "With SELECT DISTINCT, ORDER BY takes expressions of the SELECT list only.");
  }
  clauses.aggregated = clauses.aggregated || std::ranges::any_of(order, [&](const ast::ExprPtr& expr) {
                         return has_call_of(context.functions, expr, FunctionKind::aggregate);
                       });
  if (clauses.having && !clauses.aggregated)
    throw SqlError(Code::invalid_aggregate, clauses.having->span, "HAVING requires a GROUP BY clause.");
  return order;
}

bool is_ordered(const Type& type) {
  return type.kind() != TypeKind::array && type.kind() != TypeKind::map && type.kind() != TypeKind::structure;
}

void add_order(std::vector<SortKey>& order, ExprPtr expr, bool descending, std::optional<bool> nulls_first, Span span) {
  if (!is_ordered(expr->type))
    throw SqlError(Code::type_mismatch, span, fmt::format("ORDER BY does not take {}.", expr->type.to_string()));
  const auto decided = [&](const SortKey& key) { return equal(*key.expr, *expr); };
  if (std::ranges::any_of(order, decided)) return;
  order.push_back({std::move(expr), descending, nulls_first.value_or(descending)});
}

}  // namespace millrace::inline planner
