#pragma once

#include <span>
#include <string>
#include <vector>

#include "planner/physical/plan.h"

namespace millrace::inline planner {

/// A query that was planned without regard to others, and what with.
struct PlannedQuery {
  PlanPtr plan;
  PhysicalContext context;
};

/// Has these queries do once what they do alike before a repartition: what leads to a topic with the same rows by the
/// same key becomes a part that they share (PhysicalPlan::parts), as large as possible. Their plans anew, in order;
/// null for those that share nothing. Precondition: they start together, since a part is read from its beginning.
std::vector<PlanPtr> share_parts(std::span<const PlannedQuery> queries);

/// Leaves to `parts` what they do for the plan; its steps have their names, stores are not declared yet. Throws
/// SqlError where the plan does something else than a part.
void leave_to(PhysicalPlan& plan, const std::vector<PlanPtr>& parts, const PhysicalContext& context);

}  // namespace millrace::inline planner
