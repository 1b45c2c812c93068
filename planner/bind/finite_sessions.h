#pragma once

#include <optional>
#include <vector>

#include "planner/bind/finite_from.h"

namespace millrace::inline planner {

/// The WINDOW clause of a query, where it is of sessions.
std::optional<ast::Window> sessions_of(const ast::Query& query);

/// Makes names of the bounds of sessions, which `add_sessions` gives their columns.
void name_sessions(Scope& scope, Span span);

/// Puts the bounds of each row's session behind its columns: rows that are equal in `keys` (qualified) lie in one as
/// long as none is further from the one before than the gap. Rows without a time are left out.
void add_sessions(FiniteFrom& from, const std::vector<ast::ExprPtr>& keys, const ast::Window& window,
                  const BindContext& context);

}  // namespace millrace::inline planner
