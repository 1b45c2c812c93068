#pragma once

#include "planner/bind/finite_query.h"

namespace millrace::inline planner {

/// UNION [ALL], EXCEPT, INTERSECT over what is there now; ORDER BY and pages are those of a query over the whole.
/// Precondition: the query has further branches.
FiniteRelation bind_branches(const ast::Query& query, const BindContext& context, const FiniteNames* named);

}  // namespace millrace::inline planner
