#pragma once

#include <vector>

#include "planner/logical/plan.h"

namespace millrace::inline planner {

/// The SourceNodes of a tree, left to right.
std::vector<const PlanNode*> sources_of(const PlanNode& root);

}  // namespace millrace::inline planner
