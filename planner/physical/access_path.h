#pragma once

#include <string>

#include "planner/physical/plan.h"

namespace millrace::inline planner {

/// How a pull query comes to its rows, a line for each table, stream or topic that it reads, and what it does where the
/// rows are; empty for other queries.
std::string access_paths(const PhysicalPlan& plan);

}  // namespace millrace::inline planner
