#include <fmt/format.h>

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

/// Plans a query on a table, which `kept` keeps, or (null) a query. The literals of `shape`, if that was read, become
/// parameters as far as they can.
KnownPullPtr plan_known(const ast::Query& query, const Request& request, const StatementShape* shape,
                        const SessionProperties& session, ServiceImpl& service, const ServiceState& state,
                        const KeptTable* kept) {
  std::vector<Span> liftable;
  if (shape != nullptr)
    for (const LiteralToken& literal : shape->literals)
      liftable.push_back({.begin = literal.begin, .end = literal.end()});
  LogTopics topics(service.log());
  const BoundPull bound =
      bind_pull(query, {state.catalog, service.functions(), topics, session.effective, evaluate_constant}, liftable);
  const PlanContext context = plan_context("pull", true, session.effective, service.config());
  auto plan = kept != nullptr ? plan_pull(bound, *kept->plan(), context) : plan_table_pull(bound, state, context);
  const auto lag = kept != nullptr ? std::nullopt : allowed_lag(session);
  std::string source = kept != nullptr ? bound.source : std::string();
  if (shape == nullptr) return std::make_shared<KnownPull>(std::move(plan), lag, std::move(source));
  return KnownPull::make(std::move(plan), lag, std::move(source), bound.parameters, request.sql, *shape);
}

/// `kept`: who keeps the table, unless a query does.
Service::Started begin_pull(const KnownPull& known, const std::vector<Value>& values,
                            const std::shared_ptr<KeptTable>& kept, ServiceImpl& service, ResultSink& sink) {
  if (auto refused = service.limits().admit_pull(sink)) return {nullptr, std::move(refused)};
  ++service.pull_count;
  auto rows = service.engine().read_table(known.pull, values);
  if (!rows) return {nullptr, to_service_error(rows.error())};
  auto given = kept != nullptr ? held(std::move(*rows), {kept}) : std::move(*rows);
  return start_pull(pull_header(known.columns), std::move(given), sink, service.pull_threads());
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
  std::shared_ptr<KeptTable> kept;
  if (const SourceDef* source = state->catalog.find(query.from.first.name.text);
      source != nullptr && source->created_by.empty()) {
    LogTopics topics(service.log());
    const BoundPull bound =
        bind_pull(query, {state->catalog, service.functions(), topics, session.effective, evaluate_constant});
    if (reads_topic(bound, *state)) {
      auto found = service.keep(state->catalog.sources.at(bound.source), *state);
      if (!found) return {nullptr, to_service_error(found.error())};
      if (!*found) return run_topic_pull(bound, state, session, service, sink);
      kept = std::move(*found);
    }
  }
  const auto plan = [&](const StatementShape* shape) {
    return plan_known(query, request, shape, session, service, *state, kept.get());
  };
  StatementShape& shape = scratch_shape();
  if (read_shape(request, shape)) {
    const KnownPullPtr known = plan(&shape);
    const auto values = known ? known->values(shape) : std::nullopt;
    if (values) {
      service.pulls().put(shape, state->catalog.version, known);
      return begin_pull(*known, *values, kept, service, sink);
    }
  }
  return begin_pull(*plan(nullptr), {}, kept, service, sink);
}

Service::Started run_topic_pull(const BoundPull& bound, const StatePtr& state, const SessionProperties& session,
                                ServiceImpl& service, ResultSink& sink) {
  if (auto refused = service.limits().admit_pull(sink)) return {nullptr, std::move(refused)};
  ++service.pull_count;
  auto rows = service.read_topic(bound, *state, session);
  if (!rows) return {nullptr, to_service_error(rows.error())};
  const bool table = state->catalog.find(bound.source)->kind == RelationKind::table;
  QueryHeader header = pull_header({});
  header.table = table;
  for (const ProjectItem& item : bound.items) header.schema.columns.push_back(item.column);
  return start_pull(std::move(header), std::move(*rows), sink, service.pull_threads());
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
  const auto values = known ? known->values(shape) : std::nullopt;
  if (!values) return std::nullopt;
  std::shared_ptr<KeptTable> kept;
  if (!known->kept.empty()) {
    auto found = keep(now->catalog.sources.at(known->kept), *now);
    if (!found || !*found || (*found)->plan()->query_id != known->pull->keeper()) return std::nullopt;
    kept = std::move(*found);
  }
  return begin_pull(*known, *values, kept, *this, sink);
}

bool ServiceImpl::quick_query(const Request& request, const std::shared_ptr<QuickAnswer>& answer) {
  if (is_paged(request)) return false;
  StatementShape& shape = scratch_shape();
  if (!read_shape(request, shape)) return false;
  const KnownPullPtr known = pulls_.find(shape, state()->catalog.version);
  if (!known || known->pull->keys() == nullptr || !known->kept.empty()) return false;
  const auto values = known->values(shape);
  if (!values) return false;
  if (const auto refused = limits_->admit_pull(answer->sink())) {
    answer->fail(*refused);
    return true;
  }
  ++pull_count;
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
