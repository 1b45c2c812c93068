#pragma once

#include <string>

#include "planner/physical/plan.h"

namespace millrace::inline planner {

/// What a failure does to the rows that a persistent query writes, where it concerns more than one cluster; empty for
/// all others: those are written exactly once.
std::string guarantee_of(const PhysicalPlan& plan);

}  // namespace millrace::inline planner
