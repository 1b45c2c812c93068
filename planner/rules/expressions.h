#pragma once

#include <functional>
#include <vector>

#include "planner/logical/plan.h"

/// What rules need to know of expressions.
namespace millrace::inline planner {

/// A copy of the node with every expression replaced by `change(expression)`; null when nothing changed.
NodePtr map_expressions(const PlanNode& node, const std::function<ExprPtr(const ExprPtr&)>& change);

/// False when no row can make the expression fail: columns, literals and what compares and combines them.
bool can_fail(const Expr& expr);

/// Puts `replacements[i]` in place of column i.
ExprPtr substitute_columns(const ExprPtr& expr, const std::vector<ExprPtr>& replacements);

}  // namespace millrace::inline planner
