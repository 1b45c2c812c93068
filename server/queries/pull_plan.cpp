#include "server/queries/pull_plan.h"

#include <fmt/format.h>

namespace millrace::inline server {

std::shared_ptr<const PhysicalPlan> plan_table_pull(const BoundPull& bound, const ServiceState& state,
                                                    const PlanContext& context) {
  const SourceDef& source = *state.catalog.find(bound.source);
  const QueryInfo* keeper = source.created_by.empty() ? nullptr : state.find_query(source.created_by);
  if (keeper == nullptr || !keeper->plan->materialization)
    throw SqlError(Code::invalid_statement, {},
                   fmt::format("The `{0}` table isn't queryable. To derive a queryable table, you can do 'CREATE TABLE "
                               "QUERYABLE_{0} AS SELECT * FROM {0}'. "
                               "{1}\nAdd EMIT CHANGES if you intended to issue a push query.",
                               source.name, kPullDocs));
  return plan_pull(bound, *keeper->plan, context);
}

BoundQuery bind_stream_pull(const ast::Query& query, const BindContext& context) {
  if (!setting_flag(context.properties, "ksql.query.pull.stream.enabled"))
    throw SqlError(Code::invalid_statement, query.span, "Pull queries on streams are disabled.")
        .hint("ksql.query.pull.stream.enabled=true allows them; EMIT CHANGES makes it a push query");
  (void)bind_pull(query, context);
  ast::Query push = query;
  push.emit = ast::Emit::changes;
  BoundQuery bound = bind_push(push, context);
  bound.options.from_earliest = true;
  bound.options.emit_every_change = true;
  return bound;
}

}  // namespace millrace::inline server
