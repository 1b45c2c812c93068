#include "server/queries/pull_plan.h"

#include <fmt/format.h>

namespace millrace::inline server {
namespace {

[[noreturn]] void fail_not_kept(const SourceDef& source) {
  throw SqlError(Code::invalid_statement, {},
                 fmt::format("The `{0}` table isn't queryable. To derive a queryable table, you can do 'CREATE TABLE "
                             "QUERYABLE_{0} AS SELECT * FROM {0}'. "
                             "{1}\nAdd EMIT CHANGES if you intended to issue a push query.",
                             source.name, kPullDocs));
}

}  // namespace

const QueryInfo* keeper_of(const SourceDef& source, const ServiceState& state) {
  const QueryInfo* keeper = source.created_by.empty() ? nullptr : state.find_query(source.created_by);
  return keeper != nullptr && keeper->plan->materialization ? keeper : nullptr;
}

bool reads_topic(const BoundPull& bound, const ServiceState& state) {
  const SourceDef& source = *state.catalog.find(bound.source);
  if (source.kind == RelationKind::stream) return !bound.row_wise();
  // A table of a query that keeps nothing, or source tables that are not kept, are refused as before.
  return source.created_by.empty() && !source.from_query && !source.read_only;
}

TopicPullPlan plan_topic_pull(const BoundPull& bound, const BindContext& context, const PlanContext& planning) {
  return plan_topic_pull(bound, bind_source_rows(bound.source, context).root, planning);
}

FinitePlan plan_finite_pull(const BoundFinite& bound, const ServiceState& state, const BindContext& context,
                            const PlanContext& planning) {
  return plan_finite(
      bound,
      [&](const std::string& name) -> FiniteSource {
        const SourceDef& source = *state.catalog.find(name);
        if (const QueryInfo* keeper = source.kind == RelationKind::table ? keeper_of(source, state) : nullptr)
          return {keeper->plan, source.history_ms ? bind_source_rows(name, context).root : nullptr};
        if (source.kind == RelationKind::table && (source.from_query || source.read_only)) fail_not_kept(source);
        return {nullptr, bind_source_rows(name, context).root};
      },
      planning);
}

std::shared_ptr<const PhysicalPlan> plan_table_pull(const BoundPull& bound, const ServiceState& state,
                                                    const PlanContext& context) {
  const SourceDef& source = *state.catalog.find(bound.source);
  const QueryInfo* keeper = keeper_of(source, state);
  if (keeper == nullptr) fail_not_kept(source);
  return plan_pull(bound, *keeper->plan, context);
}

BoundPull bind_stream_pull(const ast::Query& query, const BindContext& context) {
  if (!setting_flag(context.properties, "ksql.query.pull.stream.enabled"))
    throw SqlError(Code::invalid_statement, query.span, "Pull queries on streams are disabled.")
        .hint("ksql.query.pull.stream.enabled=true allows them; EMIT CHANGES makes it a push query");
  return bind_pull(query, context);
}

BoundQuery bind_passing_pull(const ast::Query& query, const BindContext& context) {
  ast::Query push = query;
  push.emit = ast::Emit::changes;
  BoundQuery bound = bind_push(push, context);
  bound.options.from_earliest = true;
  bound.options.emit_every_change = true;
  return bound;
}

}  // namespace millrace::inline server
