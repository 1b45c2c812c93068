#pragma once

#include <optional>

#include "planner/bind/select_clauses.h"

namespace millrace::inline planner {

/// USING of the source `index`, the last that the columns may be of: the equality that it stands for. Unqualified, the
/// columns are one from now on.
ast::ExprPtr using_condition(const ast::JoinedSource& join, std::size_t index, Scope& scope);

/// The same for all joins of a query that goes on. The query with ON where joins say it otherwise (USING, CROSS JOIN
/// with BROADCAST); nothing: none does.
std::optional<ast::Query> with_conditions(const SelectInput& input, Scope& scope);

}  // namespace millrace::inline planner
