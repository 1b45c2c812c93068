#pragma once

#include <optional>
#include <string_view>

#include "planner/bind/select_clauses.h"

namespace millrace::inline planner {

/// Begins the aliases of what is joined for subqueries.
inline constexpr std::string_view kSubqueryAlias = "MILLRACE_SUBQUERY_";

/// The query of a persistent or push query with every IN and EXISTS subquery of its WHERE as a join with the groups of
/// the values that the subquery gives: rows that meet one stay, or those that meet none where it is negated. A subquery
/// as a value is a join with its one row. Streams keep their key. Nothing: WHERE has no subquery. Throws for subqueries
/// that are no such join. `scope`: what FROM means.
std::optional<ast::Query> join_subqueries(const SelectInput& input, const Scope& scope);

}  // namespace millrace::inline planner
