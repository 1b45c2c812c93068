#pragma once

#include <memory>
#include <string>
#include <vector>

#include "planner/bind/binder.h"
#include "planner/physical/plan.h"
#include "server/config/config.h"

namespace millrace::inline server {

/// Runs the rules over a bound plan and makes the physical one.
std::shared_ptr<const PhysicalPlan> make_plan(const NodePtr& root, const QueryOptions& options,
                                              const std::string& query_id, bool transient,
                                              const PropertyMap& properties, const Config& config,
                                              std::vector<std::string>* fired = nullptr);

}  // namespace millrace::inline server
