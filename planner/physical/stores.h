#pragma once

#include <string>

#include "planner/physical/plan.h"

namespace millrace::inline planner {

/// Names every operator (Subtopology::steps).
void name_steps(PhysicalPlan& plan);

/// What the owner of a store says of it: layout, windows, retention. The store has its owner and its role.
void describe_store(StorePlan& store);

/// Declares the stores of every stateful node and, unless `topic_prefix` is empty, their changelog topics. The steps
/// have their names.
void declare_stores(PhysicalPlan& plan, const std::string& topic_prefix);

}  // namespace millrace::inline planner
