#pragma once

#include <memory>
#include <optional>
#include <vector>

#include "planner/physical/plan.h"

namespace millrace::inline planner {

/// The plan of a pull query that scans a table, in two steps: `below` where the rows are, over those of one process,
/// and `above` over what all of them give. Less travels so: rows that a filter keeps, the first ones in an order,
/// groups.
struct SplitPull {
  std::shared_ptr<const PhysicalPlan> below, above;
};
/// Nothing where all rows would travel, or none are scanned.
std::optional<SplitPull> split_pull(const PhysicalPlan& plan);

/// The same with values for its parameters.
PhysicalPlan with_parameters(const PhysicalPlan& plan, const std::vector<Value>& values);

}  // namespace millrace::inline planner
