#pragma once

#include <memory>

#include "planner/bind/binder.h"
#include "planner/query/plan_query.h"
#include "server/queries/state.h"

namespace millrace::inline server {

/// The plan of a pull query on a table. Throws SqlError when no query keeps the table's rows.
std::shared_ptr<const PhysicalPlan> plan_table_pull(const BoundPull& bound, const ServiceState& state,
                                                    const PlanContext& context);

/// A pull query on a stream: a plan that reads what the topics hold now. Throws SqlError.
BoundQuery bind_stream_pull(const ast::Query& query, const BindContext& context);

/// ` See … for more info.`, at the end of messages about pull queries.
inline constexpr std::string_view kPullDocs = "See https://cnfl.io/queries for more info.";

}  // namespace millrace::inline server
