#pragma once

#include "planner/logical/plan.h"

namespace millrace {

/// Decides which operators must give "before" rows (DESIGN §3) and puts a Materialize where an operator that needs them
/// stands on one that cannot give them by itself.
NodePtr provide_before_rows(const NodePtr& root);

/// The node below the sink that keeps the rows of a table in a store (Aggregate or Materialize), reached through
/// filters and projections only; null when there is none.
NodePtr find_materialized(const NodePtr& sink);

}  // namespace millrace
