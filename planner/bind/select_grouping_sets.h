#pragma once

#include "planner/bind/select_clauses.h"

namespace millrace::inline planner {

/// GROUPING SETS, ROLLUP and CUBE: adds to `clauses` what is grouped by in any set, and the sets. `keyed`: what is
/// grouped by is a key.
void read_sets(const ast::Grouping& grouping, const Scope& scope, Clauses& clauses, bool keyed);
/// GROUPING(c): whether the row's set lacks c. Null: it is no such call.
ast::ExprPtr grouping_call(const ast::Expression& expr, const Clauses& clauses);

}  // namespace millrace::inline planner
