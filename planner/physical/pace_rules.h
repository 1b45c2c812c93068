#pragma once

#include <vector>

#include "planner/physical/plan.h"

namespace millrace::inline planner {

/// What the operators of a tree allow for that look at the time of rows.
std::vector<PaceRule> pace_rules(const PlanNode& root);

/// How the subtopologies of a plan have to do with the pace of its partitions: those that move rows to where somebody
/// looks at their time keep it.
struct PaceRoles {
  std::vector<bool> looks;  // at the time of rows that come out of a repartition topic
  std::vector<bool> feeds;  // those that look, from before the topic
};
PaceRoles pace_roles(const PhysicalPlan& plan);

/// Whether the subtopology reads repartition topics, or others partition by partition.
bool reads_any(const Subtopology& subtopology, bool internal);

}  // namespace millrace::inline planner
