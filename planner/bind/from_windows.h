#pragma once

#include <optional>
#include <vector>

#include "planner/bind/select_clauses.h"

namespace millrace::inline planner {

/// A query over TUMBLE(...) and its like in FROM that groups by the bounds: the WINDOW clause in another spelling, with
/// the bounds as key columns.
struct GroupedByWindow {
  ast::Query query;                // with the clause, and without bounds in GROUP BY
  std::vector<ast::ExprPtr> keys;  // all of GROUP BY, bounds without qualifiers
};
/// Nothing: it is not one.
std::optional<GroupedByWindow> grouped_by_window(const ast::Query& query);

/// The column ON which windows of a source go, a BIGINT or a TIMESTAMP. Precondition: the window has one.
ExprPtr window_time(const BindContext& context, const ScopeSource& source, const ast::Window& window);
/// What spreads the rows of a stream over windows; its input is the caller's.
WindowRowsNode spread_rows(const ScopeSource& source, const ast::Window& window, const BindContext& context);
/// The rows of a stream in FROM once for each of its windows, whose bounds are columns.
ScopeSource in_windows(const SelectInput& input, ScopeSource source, const ast::Window& window);

}  // namespace millrace::inline planner
