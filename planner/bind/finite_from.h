#pragma once

#include <vector>

#include "planner/bind/finite_query.h"
#include "planner/bind/select_clauses.h"

namespace millrace::inline planner {

/// FROM of a query over what is there now: its joined rows, every pseudo column a column among them.
struct FiniteFrom {
  Scope scope;
  NodePtr node;
  std::vector<const SourceDef*> sources;
};
FiniteFrom open_finite(const ast::Query& query, const BindContext& context, const FiniteNames* named);

/// Puts the conjuncts of a predicate over both sides into the join: equalities between them, and what else must hold.
/// `width`: columns of the left side.
void set_condition(FiniteJoinNode& join, const ExprPtr& predicate, std::size_t width);
/// ASOF: of the partners of a left row the one that its only comparison by order is nearest for. `span`: of ON.
void set_nearest(FiniteJoinNode& join, std::size_t width, Span span);

void add_source(std::vector<const SourceDef*>& sources, const SourceDef* source);

}  // namespace millrace::inline planner
