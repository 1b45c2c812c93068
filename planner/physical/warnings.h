#pragma once

#include <string>
#include <vector>

#include "planner/physical/plan.h"

namespace millrace::inline planner {

/// What whoever makes the query should know of its state and of its cost, one sentence or two each; steps are named as
/// EXPLAIN names them.
std::vector<std::string> warnings_of(const PhysicalPlan& plan);

}  // namespace millrace::inline planner
