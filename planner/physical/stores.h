#pragma once

#include <string>

#include "planner/physical/plan.h"

namespace millrace::inline planner {

/// Declares the stores of every stateful node and, unless `topic_prefix` is empty, their changelog topics. Names count
/// the stateful operators of one kind, so a new filter renames nothing.
void declare_stores(PhysicalPlan& plan, const std::string& topic_prefix);

}  // namespace millrace::inline planner
