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

/// What the names of a query's internal topics begin with.
std::string topic_prefix(const PhysicalContext& context);

/// Where the rows of the table are that the last subtopology writes or keeps; its stores are declared.
std::optional<Materialization> find_materialization(const Subtopology& last);

}  // namespace millrace::inline planner
