#pragma once

#include <vector>

#include "planner/bind/select_clauses.h"

namespace millrace::inline planner {

/// What ORDER BY of a pull query sorts by, qualified: an ordinal, the name of an item, or an expression over what the
/// items are over. An aggregate among them makes the query aggregated.
std::vector<ast::ExprPtr> read_order(const ast::Query& query, const BindContext& context, const Scope& scope,
                                     Clauses& clauses);
/// Whether values of the type have an order.
bool is_ordered(const Type& type);
/// Adds to `order` unless it is decided already. Throws for types without an order; `span`: of the item.
void add_order(std::vector<SortKey>& order, ExprPtr expr, bool descending, std::optional<bool> nulls_first, Span span);

}  // namespace millrace::inline planner
