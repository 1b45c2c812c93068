#include <fmt/format.h>

#include <functional>

#include "exec/data/wall_clock.h"
#include "exec/expr/evaluator.h"
#include "exec/runtime/topic_pull.h"
#include "server/queries/plan_context.h"
#include "server/queries/pull_plan.h"
#include "server/session/pull_cache.h"
#include "server/session/run_query.h"
#include "server/session/running_pull.h"

namespace millrace::inline server {
namespace {

/// The shape of a request's text and its properties, under which its pull query is in the cache. False: it cannot be
/// there.
bool read_shape(const Request& request, StatementShape& shape) {
  if (request.sql.find("${") != std::string::npos || !read_shape(request.sql, shape)) return false;
  for (const auto& [name, value] : request.properties) {
    shape.key += '\n';
    shape.key += name;
    shape.key += '\0';
    shape.key += value;
  }
  return true;
}

/// Reused from request to request.
StatementShape& scratch_shape() {
  thread_local StatementShape shape;
  return shape;
}

using PlanWhat = std::function<std::shared_ptr<const PhysicalPlan>(const BoundPull& bound, const PlanContext& context)>;

/// A plan and the values of its parameters.
struct PlannedPull {
  KnownPullPtr known;
  std::vector<Value> values;
};

/// Plans a query; as far as they can, the literals of its text become parameters, and the plan is known from now on.
/// `kept`: as of KnownPull.
PlannedPull plan_known(const ast::Query& query, const Request& request, const SessionProperties& session,
                       ServiceImpl& service, const ServiceState& state, const std::string& kept, const PlanWhat& what) {
  LogTopics topics(service.log());
  const PlanContext context = plan_context("pull", true, session.effective, service.config());
  const auto lag = kept.empty() ? allowed_lag(session) : std::nullopt;
  const auto bind = [&](const std::vector<Span>& liftable) {
    return bind_pull(query, {state.catalog, service.functions(), topics, session.effective, evaluate_constant},
                     liftable);
  };
  StatementShape& shape = scratch_shape();
  if (read_shape(request, shape)) {
    std::vector<Span> liftable;
    for (const LiteralToken& literal : shape.literals)
      liftable.push_back({.begin = literal.begin, .end = literal.end()});
    const BoundPull bound = bind(liftable);
    const KnownPullPtr known = KnownPull::make(what(bound, context), lag, kept, bound.parameters, request.sql, shape);
    if (auto values = known ? known->values(shape) : std::nullopt) {
      service.pulls().put(shape, state.catalog.version, known);
      return {known, std::move(*values)};
    }
  }
  return {std::make_shared<KnownPull>(what(bind({}), context), lag, kept), {}};
}

/// Of a query that was admitted.
Service::Started give_pull(const PlannedPull& planned, const std::shared_ptr<KeptTable>& kept, ServiceImpl& service,
                           ResultSink& sink) {
  auto rows = service.engine().read_table(planned.known->pull, planned.values);
  if (!rows) return {nullptr, to_service_error(rows.error())};
  auto given = kept != nullptr ? held(std::move(*rows), {kept}) : std::move(*rows);
  return start_pull(pull_header(planned.known->columns), std::move(given), sink, service.pull_threads());
}

Service::Started give_topic(const BoundPull& bound, const ServiceState& state, const SessionProperties& session,
                            ServiceImpl& service, ResultSink& sink) {
  auto rows = service.read_topic(bound, state, session);
  if (!rows) return {nullptr, to_service_error(rows.error())};
  QueryHeader header = pull_header({});
  header.table = state.catalog.find(bound.source)->kind == RelationKind::table;
  for (const ProjectItem& item : bound.items) header.schema.columns.push_back(item.column);
  return start_pull(std::move(header), std::move(*rows), sink, service.pull_threads());
}

/// A pull query on a table that no query keeps.
Service::Started run_kept_pull(const ast::Query& query, const Request& request, const BoundPull& bound,
                               const ServiceState& state, const SessionProperties& session, ServiceImpl& service,
                               ResultSink& sink) {
  if (auto refused = service.admit_pull(sink)) return {nullptr, std::move(refused)};
  const auto kept = service.keep(state.catalog.sources.at(bound.source), state);
  if (!kept) return {nullptr, to_service_error(kept.error())};
  if (!*kept) return give_topic(bound, state, session, service, sink);
  const auto plan = [&](const BoundPull& what, const PlanContext& context) {
    return plan_pull(what, *(*kept)->plan(), context);
  };
  return give_pull(plan_known(query, request, session, service, state, bound.source, plan), *kept, service, sink);
}

}  // namespace

QueryHeader pull_header(Schema columns) {
  return {"query_" + std::to_string(wall_clock_ms()), std::move(columns), false, true};
}

std::optional<std::int64_t> allowed_lag(const SessionProperties& session) {
  if (!setting_flag(session.effective, "ksql.query.pull.enable.standby.reads")) return std::nullopt;
  return setting_integer(session.effective, "ksql.query.pull.max.allowed.offset.lag");
}

void require_pull_queries(const ast::Query& query, const ServiceImpl& service) {
  if (!service.config().boolean("ksql.pull.queries.enable"))
    throw SqlError(Code::invalid_statement, query.span,
                   fmt::format("Pull queries are disabled. {}\nAdd EMIT CHANGES if you intended to issue a push "
                               "query.\nPlease set ksql.pull.queries.enable=true "
                               "to enable this feature.",
                               kPullDocs));
}

Service::Started run_table_pull(const ast::Query& query, const Request& request, const SessionProperties& session,
                                ServiceImpl& service, ResultSink& sink) {
  require_pull_queries(query, service);
  const StatePtr state = service.state();
  if (const SourceDef* source = state->catalog.find(query.from.first.name.text);
      source != nullptr && source->created_by.empty()) {
    LogTopics topics(service.log());
    const BoundPull bound =
        bind_pull(query, {state->catalog, service.functions(), topics, session.effective, evaluate_constant});
    if (reads_topic(bound, *state)) return run_kept_pull(query, request, bound, *state, session, service, sink);
  }
  const PlannedPull planned = plan_known(
      query, request, session, service, *state, {},
      [&](const BoundPull& bound, const PlanContext& context) { return plan_table_pull(bound, *state, context); });
  if (auto refused = service.admit_pull(sink)) return {nullptr, std::move(refused)};
  return give_pull(planned, nullptr, service, sink);
}

Service::Started run_topic_pull(const BoundPull& bound, const StatePtr& state, const SessionProperties& session,
                                ServiceImpl& service, ResultSink& sink) {
  if (auto refused = service.admit_pull(sink)) return {nullptr, std::move(refused)};
  return give_topic(bound, *state, session, service, sink);
}

std::optional<ServiceError> ServiceImpl::admit_pull(ResultSink& sink) {
  auto refused = limits_->admit_pull(sink);
  if (!refused) ++pull_count;
  return refused;
}

Result<std::shared_ptr<KeptTable>> ServiceImpl::keep(const SourcePtr& source, const ServiceState& now) {
  if (!can_be_kept(*source, config())) return std::shared_ptr<KeptTable>();
  auto kept = kept_->get(source, [&] {
    LogTopics topics(log());
    const SessionProperties nobody = session_properties({}, true);  // it is for sessions to come, too
    const std::string id = std::string(kKeptTablePrefix) + next_transient_id(source->name);
    return engine_->keep_table(plan_kept(*source,
                                         {now.catalog, functions(), topics, nobody.effective, evaluate_constant},
                                         plan_context(id, true, nobody.effective, config())));
  });
  if (!kept || !*kept) return kept;
  const std::chrono::milliseconds wait(config().integer("millrace.pull.materialize.timeout.ms"));
  const Status done = (*kept)->catch_up(wait);
  if (done) return kept;
  if (done.error().fault == Fault::unavailable) return done.error();
  kept_->refuse(source);
  return std::shared_ptr<KeptTable>();
}

Result<std::shared_ptr<TableRows>> ServiceImpl::read_topic(const BoundPull& bound, const ServiceState& now,
                                                           const SessionProperties& session) {
  auto kept = keep(now.catalog.sources.at(bound.source), now);
  if (!kept) return kept.error();
  if (*kept) {
    auto plan = plan_pull(bound, *(*kept)->plan(), plan_context("pull", true, session.effective, config()));
    auto rows = engine_->read_table(std::make_shared<PreparedPull>(std::move(plan)), {});
    if (!rows) return rows;
    return held(std::move(*rows), {*kept});
  }
  LogTopics topics(log());
  const BindContext context{now.catalog, functions(), topics, session.effective, evaluate_constant};
  TopicPullPlan plan =
      plan_topic_pull(bound, context, plan_context(next_transient_id(bound.source), true, session.effective, config()));
  const std::chrono::milliseconds wait(config().integer("millrace.pull.materialize.timeout.ms"));
  auto rows = TopicPull::start(*engine_, std::move(plan.below), std::move(plan.above), wait);
  if (!rows) return rows.error();
  return std::shared_ptr<TableRows>(std::move(*rows));
}

Result<std::shared_ptr<TableRows>> ServiceImpl::read_rows(const BoundPull& bound, const SessionProperties& session) {
  const StatePtr now = state();
  const SourceDef* source = now->catalog.find(bound.source);
  if (source == nullptr) return user_error("{} is not there any more", bound.source);
  if (source->kind == RelationKind::stream || reads_topic(bound, *now)) return read_topic(bound, *now, session);
  auto plan = plan_table_pull(bound, *now, plan_context("pull", true, session.effective, config()));
  return engine_->read_table(std::make_shared<PreparedPull>(std::move(plan), allowed_lag(session)), {});
}

std::optional<Service::Started> ServiceImpl::known_pull(const Request& request, ResultSink& sink) {
  StatementShape& shape = scratch_shape();
  if (!read_shape(request, shape)) return std::nullopt;
  const StatePtr now = state();
  const KnownPullPtr known = pulls_.find(shape, now->catalog.version);
  auto values = known ? known->values(shape) : std::nullopt;
  if (!values) return std::nullopt;
  const auto good = [&](const std::shared_ptr<KeptTable>& kept) {
    return kept != nullptr && kept->plan()->query_id == known->pull->keeper();
  };
  const SourcePtr source = known->kept.empty() ? nullptr : now->catalog.sources.at(known->kept);
  if (source != nullptr && !good(kept_->find(source))) return std::nullopt;
  if (auto refused = admit_pull(sink)) return Started{nullptr, std::move(refused)};
  std::shared_ptr<KeptTable> kept;
  if (source != nullptr) {
    auto found = keep(source, *now);
    if (!found) return Started{nullptr, to_service_error(found.error())};
    if (!good(*found))
      return Started{nullptr, to_service_error(Error{Fault::unavailable, source->name + " is not kept any more"})};
    kept = std::move(*found);
  }
  return give_pull({known, std::move(*values)}, kept, *this, sink);
}

bool ServiceImpl::quick_query(const Request& request, const std::shared_ptr<QuickAnswer>& answer) {
  if (is_paged(request)) return false;
  StatementShape& shape = scratch_shape();
  if (!read_shape(request, shape)) return false;
  const KnownPullPtr known = pulls_.find(shape, state()->catalog.version);
  if (!known || known->pull->keys() == nullptr || !known->kept.empty()) return false;
  const auto values = known->values(shape);
  if (!values) return false;
  if (const auto refused = admit_pull(answer->sink())) {
    answer->fail(*refused);
    return true;
  }
  const auto give = [known, answer](TableRows& rows) {
    ResultSink& sink = answer->sink();
    bool begun = false;
    const Status done = pull_all(rows, [&](const Batch& batch) {
      if (!std::exchange(begun, true)) sink.begin(pull_header(known->columns));
      return sink.rows(batch);
    });
    if (!done) return answer->fail(to_service_error(done.error()));
    if (!begun) sink.begin(pull_header(known->columns));
    sink.end(std::nullopt, std::nullopt);
  };
  const auto rows = engine_->look_up(known->pull, *values, [give, answer](std::shared_ptr<TableRows> later) {
    answer->later([give, later = std::move(later)] { give(*later); });
  });
  if (rows) give(*rows);
  return true;
}

}  // namespace millrace::inline server
