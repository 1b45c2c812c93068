#pragma once

#include "planner/logical/plan.h"

namespace millrace::inline planner {

/// Throws unless the query `next` may take over state and offsets of the query `old` (CREATE OR REPLACE,
/// sql.md): the chain of steps keeps its shape, only projections and filters differ. Both are plans as the binder makes
/// them, before any rule.
void check_query_upgrade(const NodePtr& old, const NodePtr& next, Span span);

}  // namespace millrace::inline planner
