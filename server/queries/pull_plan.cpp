#include "server/queries/pull_plan.h"

#include <fmt/format.h>

#include "planner/types/topic_name.h"

namespace millrace::inline server {
namespace {

[[noreturn]] void fail_not_kept(const SourceDef& source) {
  throw SqlError(Code::invalid_statement, {},
                 fmt::format("The `{0}` table isn't queryable. To derive a queryable table, you can do 'CREATE TABLE "
                             "QUERYABLE_{0} AS SELECT * FROM {0}'. "
                             "{1}\nAdd EMIT CHANGES if you intended to issue a push query.",
                             source.name, kPullDocs));
}

/// A table over a topic, whose rows nothing but that topic has. One of a query that keeps nothing is none, nor is a
/// source table that is not kept.
bool is_plain_table(const SourceDef& source) {
  return source.kind == RelationKind::table && source.created_by.empty() && !source.from_query && !source.read_only;
}

}  // namespace

const QueryInfo* keeper_of(const SourceDef& source, const ServiceState& state) {
  const QueryInfo* keeper = source.created_by.empty() ? nullptr : state.find_query(source.created_by);
  return keeper != nullptr && keeper->plan->materialization ? keeper : nullptr;
}

bool reads_topic(const BoundPull& bound, const ServiceState& state) {
  const SourceDef& source = *state.catalog.find(bound.source);
  return source.kind == RelationKind::stream ? !bound.row_wise() : is_plain_table(source);
}

TopicPullPlan plan_topic_pull(const BoundPull& bound, const BindContext& context, const PlanContext& planning) {
  return plan_topic_pull(bound, bind_source_rows(bound.source, context).root, planning);
}

bool can_be_kept(const SourceDef& source, const Config& config) {
  return is_plain_table(source) && cluster_of(source.topic).empty() &&
         config.integer("millrace.table.materialize.idle.ms") > 0;
}

std::shared_ptr<const PhysicalPlan> plan_kept(const SourceDef& source, const BindContext& context,
                                              const PlanContext& planning) {
  BoundQuery bound = bind_source_rows(source.name, context);
  return plan_kept_table(std::move(bound.root), bound.options, planning);
}

FinitePlan plan_finite_pull(const BoundFinite& bound, const ServiceState& state, const BindContext& context,
                            const PlanContext& planning, const FindKept& find_kept) {
  return plan_finite(
      bound,
      [&](const std::string& name, bool versions) -> FiniteSource {
        const auto found = state.catalog.sources.find(name);
        if (found == state.catalog.sources.end())
          throw SqlError(Code::unknown_source, {}, fmt::format("{} is not there any more.", name));
        const SourceDef& source = *found->second;
        const bool table = source.kind == RelationKind::table;
        const QueryInfo* keeper = table ? keeper_of(source, state) : nullptr;
        if (table && keeper == nullptr && (source.from_query || source.read_only)) fail_not_kept(source);
        if (keeper != nullptr && !versions) return {keeper->plan, nullptr};
        if (table && !versions)
          if (auto kept = find_kept(found->second)) return {std::move(kept), nullptr};
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
