#pragma once

#include <functional>
#include <memory>

#include "planner/bind/binder.h"
#include "planner/query/plan_query.h"
#include "server/config/config.h"
#include "server/queries/state.h"

namespace millrace::inline server {

/// The query that keeps a table's rows; null: none does.
const QueryInfo* keeper_of(const SourceDef& source, const ServiceState& state);

/// Whether a bound pull query must read the topic of its source: no query keeps its rows, or it does more with those of
/// a stream than pass them on.
bool reads_topic(const BoundPull& bound, const ServiceState& state);
TopicPullPlan plan_topic_pull(const BoundPull& bound, const BindContext& context, const PlanContext& planning);

/// The plan of a pull query on a table. Throws SqlError when no query keeps the table's rows.
std::shared_ptr<const PhysicalPlan> plan_table_pull(const BoundPull& bound, const ServiceState& state,
                                                    const PlanContext& context);

/// Whether it is a table that no query keeps, but this process can.
bool can_be_kept(const SourceDef& source, const Config& config);
/// What keeps it, under the id of `planning`.
std::shared_ptr<const PhysicalPlan> plan_kept(const SourceDef& source, const BindContext& context,
                                              const PlanContext& planning);
/// The plan that keeps such a table; null: its topic is to be read. May throw.
using FindKept = std::function<std::shared_ptr<const PhysicalPlan>(const SourcePtr& source)>;

/// A pull query over several sources, or over queries. Throws SqlError when no query keeps the rows of a table.
FinitePlan plan_finite_pull(const BoundFinite& bound, const ServiceState& state, const BindContext& context,
                            const PlanContext& planning, const FindKept& find_kept);

/// A pull query on a stream. Throws SqlError.
BoundPull bind_stream_pull(const ast::Query& query, const BindContext& context);
/// One that passes rows on, as a push query that reads what the topic holds now. Throws SqlError.
BoundQuery bind_passing_pull(const ast::Query& query, const BindContext& context);

/// ` See … for more info.`, at the end of messages about pull queries.
inline constexpr std::string_view kPullDocs = "See https://cnfl.io/queries for more info.";

}  // namespace millrace::inline server
