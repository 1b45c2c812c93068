#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "exec/expr/evaluator.h"
#include "server/session/pull_cache.h"
#include "server/session/run_query.h"
#include "server/session/running_pull.h"

namespace millrace::inline server {
namespace {

constexpr std::string_view kPullDocs = "See https://cnfl.io/queries for more info.";

/// The query that keeps a table's rows, or why there is none.
const QueryInfo& materialized_by(const SourceDef& source, const ServiceState& state) {
  const QueryInfo* query = source.created_by.empty() ? nullptr : state.find_query(source.created_by);
  if (query == nullptr || !query->plan->materialization)
    throw SqlError(Code::invalid_statement, {},
                   fmt::format("The `{0}` table isn't queryable. To derive a queryable table, you can do 'CREATE TABLE "
                               "QUERYABLE_{0} AS SELECT * FROM {0}'. "
                               "{1}\nAdd EMIT CHANGES if you intended to issue a push query.",
                               source.name, kPullDocs));
  return *query;
}

std::vector<PullLookup> lookups_of(const std::vector<BoundPull::Lookup>& wanted) {
  std::vector<PullLookup> lookups;
  lookups.reserve(wanted.size());
  for (const BoundPull::Lookup& from : wanted)
    lookups.push_back({from.key, from.window_start_min, from.window_start_max, from.window_end_min, from.window_end_max,
                       from.range_min, from.range_max});
  if (wanted.empty()) lookups.emplace_back();
  return lookups;
}

QueryHeader header_of(Schema columns) {
  const auto now =
      std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch());
  return {"query_" + std::to_string(now.count()), std::move(columns), false, true};
}

/// The rows to read; null where the limit lets none through.
Result<std::unique_ptr<TableRows>> rows_of_table(Engine& engine, const std::string& query_id,
                                                 const std::vector<BoundPull::Lookup>& lookups,
                                                 std::optional<std::int64_t> limit) {
  if (limit && *limit <= 0) return std::unique_ptr<TableRows>();
  return engine.read_table(query_id, lookups_of(lookups));
}

/// Where a request's pull query is in the cache; empty: it cannot be there.
std::string_view cache_key(const Request& request, StatementShape& shape) {
  if (request.sql.find("${") != std::string::npos || !read_shape(request.sql, shape)) return {};
  for (const auto& [name, value] : request.properties) {
    shape.key += '\n';
    shape.key += name;
    shape.key += '\0';
    shape.key += value;
  }
  return shape.key;
}

/// Reused from request to request.
StatementShape& scratch_shape() {
  thread_local StatementShape shape;
  return shape;
}

}  // namespace

Service::Started run_table_pull(const ast::Query& query, const SessionProperties& session, ServiceImpl& service,
                                ResultSink& sink) {
  if (!service.config().boolean("ksql.pull.queries.enable"))
    throw SqlError(Code::invalid_statement, query.span,
                   fmt::format("Pull queries are disabled. {}\nAdd EMIT CHANGES if you intended to issue a push "
                               "query.\nPlease set ksql.pull.queries.enable=true "
                               "to enable this feature.",
                               kPullDocs));
  const StatePtr state = service.state();
  LogTopics topics(service.log());
  const BoundPull pull =
      bind_pull(query, {state->catalog, service.functions(), topics, session.effective, evaluate_constant});
  const QueryInfo& from = materialized_by(*state->catalog.find(pull.source), *state);
  ++service.pull_count;
  auto source = rows_of_table(service.engine(), from.id, pull.lookups, pull.limit);
  if (!source) return {nullptr, to_service_error(source.error())};
  return start_pull(header_of(pull_columns(pull)), std::move(*source),
                    PullRows(pull.predicate, pull.limit, std::make_unique<PullProjection>(pull)), sink,
                    service.pull_threads());
}

void ServiceImpl::remember_pull(const Request& request, const ast::Query& query, const SessionProperties& session,
                                const StatePtr& state) {
  StatementShape& shape = scratch_shape();
  const std::string_view key = cache_key(request, shape);
  if (key.empty()) return;
  LogTopics topics(log_);
  auto plan = PullTemplate::make(request.sql, shape, query,
                                 {state->catalog, functions_, topics, session.effective, evaluate_constant});
  if (!plan) return;
  const SourceDef& source = *state->catalog.find(plan->bound().source);
  QueryPtr from = state->queries.find(source.created_by)->second;
  pulls_.put(std::string(key), std::make_shared<KnownPull>(state->catalog.version, std::move(plan), std::move(from)));
}

std::optional<Service::Started> ServiceImpl::known_pull(const Request& request, ResultSink& sink) {
  StatementShape& shape = scratch_shape();
  const std::string_view key = cache_key(request, shape);
  if (key.empty()) return std::nullopt;
  const StatePtr now = state();
  const auto known = pulls_.find(key, now->catalog.version);
  if (!known) return std::nullopt;
  auto wanted = known->plan->key_arguments(shape);
  if (!wanted) {
    LogTopics topics(log_);
    const SessionProperties session = session_properties(request, true);
    wanted = known->plan->arguments(shape, {now->catalog, functions_, topics, session.effective, evaluate_constant});
  }
  if (!wanted) return std::nullopt;
  ++pull_count;
  const auto limit = known->plan->bound().limit;
  auto source = rows_of_table(*engine_, known->query->id, wanted->lookups, limit);
  if (!source) return Started{nullptr, to_service_error(source.error())};
  return start_pull(header_of(known->columns), std::move(*source),
                    PullRows(wanted->predicate, limit, known->take_projection(), known), sink, pull_threads_);
}

bool ServiceImpl::quick_query(const Request& request, const std::shared_ptr<QuickAnswer>& answer) {
  StatementShape& shape = scratch_shape();
  const std::string_view key = cache_key(request, shape);
  if (key.empty()) return false;
  const StatePtr now = state();
  const auto known = pulls_.find(key, now->catalog.version);
  if (!known) return false;
  const auto limit = known->plan->bound().limit;
  auto wanted = known->plan->key_arguments(shape);
  if (!wanted || (limit && *limit <= 0)) return false;
  ++pull_count;
  const auto give = [known, limit, predicate = wanted->predicate, answer](const Engine::Found& found) {
    PullRows rows(predicate, limit, known->take_projection(), known);
    ResultSink& sink = answer->sink();
    bool begun = false;
    const Status done = found->rows([&](const Batch& batch) {
      if (!std::exchange(begun, true)) sink.begin(header_of(known->columns));
      const Batch out = rows.apply(batch);
      if (out.rows > 0) sink.rows(out);
      return !rows.full();
    });
    if (!done) return answer->fail(to_service_error(done.error()));
    if (!begun) sink.begin(header_of(known->columns));
    sink.end(std::nullopt, std::nullopt);
  };
  const auto found = engine_->look_up(
      known->query->id, lookups_of(wanted->lookups),
      [give, answer](Engine::Found later) { answer->later([give, later = std::move(later)] { give(later); }); });
  if (found) give(found);
  return true;
}

}  // namespace millrace::inline server
