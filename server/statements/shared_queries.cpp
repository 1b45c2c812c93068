#include "server/statements/shared_queries.h"

#include <algorithm>

#include "planner/physical/shared_parts.h"
#include "server/queries/plan_context.h"

namespace millrace::inline server {
namespace {

/// Puts a plan in another's place.
void replace(Mutation& mutation, const PlanPtr& old, const PlanPtr& plan) {
  std::ranges::replace(mutation.prepare, old, plan);
  for (Change& change : mutation.changes) {
    if (!change.query || change.query->plan != old) continue;
    auto query = std::make_shared<QueryInfo>(*change.query);
    query->plan = plan;
    change.query = std::move(query);
  }
}

}  // namespace

std::vector<Mutation> share_queries(std::span<const ToShare> together, const Config& config) {
  std::vector<Mutation> out;
  std::vector<PlannedQuery> queries;
  std::vector<std::size_t> of;  // by query: its mutation
  for (const auto& [mutation, session] : together) {
    for (const Change& change : mutation->changes) {
      if (change.kind != Change::Kind::start_query || change.query->origin == QueryOrigin::source_table) continue;
      const PlanContext context = plan_context(change.query->id, false, session->effective, config);
      if (context.rules_off.contains("all") || context.rules_off.contains("sharing")) continue;
      queries.push_back({change.query->plan, context.physical});
      of.push_back(out.size());
    }
    out.push_back(*mutation);
  }
  if (queries.size() < 2) return out;
  const std::vector<PlanPtr> shared = share_parts(queries);
  for (std::size_t i = 0; i < queries.size(); ++i)
    if (shared[i]) replace(out[of[i]], queries[i].plan, shared[i]);
  return out;
}

bool has_part(const PhysicalPlan& plan, const std::string& part) {
  return std::ranges::any_of(plan.parts, [&](const PlanPtr& its) { return its->query_id == part; });
}

std::vector<PlanPtr> unused_parts(const PhysicalPlan& plan, const ServiceState& state) {
  std::vector<PlanPtr> unused = plan.parts;
  std::erase_if(unused, [&](const PlanPtr& part) {
    return std::ranges::any_of(state.queries,
                               [&](const auto& query) { return has_part(*query.second->plan, part->query_id); });
  });
  return unused;
}

std::vector<std::string> share_with(const ServiceState& state, const std::string& part, const std::string& query) {
  std::vector<std::string> others;
  for (const auto& [id, other] : state.queries)
    if (id != query && has_part(*other->plan, part)) others.push_back(id);
  return others;
}

}  // namespace millrace::inline server
