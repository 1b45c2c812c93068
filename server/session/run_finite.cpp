#include "exec/expr/evaluator.h"
#include "exec/runtime/joint_pull.h"
#include "exec/runtime/one_row.h"
#include "exec/runtime/topic_pull.h"
#include "server/queries/plan_context.h"
#include "server/queries/pull_plan.h"
#include "server/session/run_query.h"
#include "server/session/running_pull.h"

namespace millrace::inline server {

Result<std::shared_ptr<TableRows>> ServiceImpl::read_finite(const BoundFinite& bound,
                                                            const SessionProperties& session) {
  const StatePtr now = state();
  LogTopics topics(log());
  const BindContext context{now->catalog, functions(), topics, session.effective, evaluate_constant};
  std::vector<std::shared_ptr<KeptTable>> held_tables;
  std::optional<Error> failed;
  const auto find_kept = [&](const SourcePtr& source) -> std::shared_ptr<const PhysicalPlan> {
    if (failed) return nullptr;
    auto table = keep(source, *now);
    if (!table) failed = table.error();
    if (!table || !*table) return nullptr;
    held_tables.push_back(std::move(*table));
    return held_tables.back()->plan();
  };
  const FinitePlan plan = plan_finite_pull(
      bound, *now, context, plan_context(next_transient_id("PULL"), true, session.effective, config()), find_kept);
  if (failed) return *failed;
  const std::chrono::milliseconds wait(config().integer("millrace.pull.materialize.timeout.ms"));
  std::vector<std::shared_ptr<PreparedPull>> tables;
  for (const FinitePlan::Leaf& leaf : plan.leaves)
    if (leaf.table) tables.push_back(std::make_shared<PreparedPull>(leaf.table, allowed_lag(session), leaf.any_order));
  auto kept = engine_->read_tables(tables);
  if (!kept) return kept.error();
  std::vector<std::shared_ptr<TableRows>> leaves;
  std::size_t table = 0;
  for (const FinitePlan::Leaf& leaf : plan.leaves) {
    if (leaf.table) {
      leaves.push_back(std::move((*kept)[table++]));
      continue;
    }
    if (leaf.one_row) {
      leaves.push_back(std::make_shared<OneRow>());
      continue;
    }
    auto rows = TopicPull::start(*engine_, leaf.topic.below, leaf.topic.above, wait);
    if (!rows) return rows.error();
    leaves.push_back(std::move(*rows));
  }
  auto joint = JointPull::make(plan.above, std::move(leaves));
  if (!joint) return joint.error();
  return held(std::move(*joint), std::move(held_tables));
}

Service::Started run_finite_pull(const ast::Query& query, const SessionProperties& session, ServiceImpl& service,
                                 ResultSink& sink) {
  require_pull_queries(query, service);
  const StatePtr state = service.state();
  LogTopics topics(service.log());
  const BindContext context{state->catalog, service.functions(), topics, session.effective, evaluate_constant};
  const BoundFinite bound = bind_finite(query, context);
  if (auto refused = service.admit_pull(sink)) return {nullptr, std::move(refused)};
  auto rows = service.read_finite(bound, session);
  if (!rows) return {nullptr, to_service_error(rows.error())};
  return start_pull(pull_header(bound.root->schema), std::move(*rows), sink, service.pull_threads());
}

}  // namespace millrace::inline server
