#pragma once

#include <functional>

#include "parser/ast/query.h"

namespace millrace::inline planner {

/// Throws for what the grammar takes and the engine does not do yet.
void check_forms(const ast::Query& query);
/// The same for its clauses, whatever FROM is.
void check_clause_forms(const ast::Query& query);
/// The same for what pull queries do not do yet.
void check_finite_forms(const ast::Query& query);

/// Calls `visit` with the name of every source that the query reads, also in queries within it. Names that WITH gives
/// are none.
void for_each_source(const ast::Query& query, const std::function<void(const ast::Identifier&)>& visit);

}  // namespace millrace::inline planner
