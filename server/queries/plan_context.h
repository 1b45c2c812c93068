#pragma once

#include <string>

#include "planner/bind/binder.h"
#include "planner/query/plan_query.h"
#include "server/config/config.h"

namespace millrace::inline server {

/// What the properties of a session and the server's settings say about the plan of a query.
PlanContext plan_context(const std::string& query_id, bool transient, const PropertyMap& properties,
                         const Config& config);

}  // namespace millrace::inline server
