#pragma once

#include "planner/physical/plan.h"

namespace millrace::inline planner {

/// Makes a plan that takes over the state and the internal topics of `old` (CREATE OR REPLACE) write and read rows in
/// forms that fit what is there: in each store and each topic the old columns stand first, as they stood, and new ones
/// follow; rows that were written before have NULL there. A column that is gone keeps its place, with NULL.
/// Throws SqlError when rows under way would be lost: the plans must move rows through the same topics.
/// The steps have their names; they are named anew.
void keep_forms(PhysicalPlan& plan, const PhysicalPlan& old);

}  // namespace millrace::inline planner
