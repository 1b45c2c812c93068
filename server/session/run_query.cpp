#include "server/session/run_query.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "exec/expr/evaluator.h"
#include "parser/error/mutex.h"
#include "server/queries/plan_context.h"
#include "server/queries/pull_plan.h"
#include "server/session/push_token.h"

namespace millrace::inline server {
namespace {

/// What a transient query and its owner share. The sink is called from a worker thread until `ended`.
struct TransientRun {
  explicit TransientRun(ResultSink& out) : sink(out) {}

  void end(std::optional<std::string> message, std::optional<ServiceError> error) {
    if (!ended.exchange(true)) sink.end(std::move(message), std::move(error));
  }

  ResultSink& sink;
  std::atomic<bool> ended = false;
  std::string id;
  Mutex mutex;
  std::unique_ptr<TransientQuery> query GUARDED_BY(mutex);
};

class TransientHandle final : public RunningQuery {
 public:
  TransientHandle(std::shared_ptr<TransientRun> run, std::shared_ptr<ServiceImpl::PushQueries> registry)
      : run_(std::move(run)), registry_(std::move(registry)) {}
  ~TransientHandle() override {
    {
      const MutexLock lock(registry_->mutex);
      registry_->running.erase(run_->id);
    }
    run_->ended = true;
    std::unique_ptr<TransientQuery> query;
    {
      const MutexLock lock(run_->mutex);
      query = std::move(run_->query);
    }
  }
  const std::string& id() const override { return run_->id; }
  void resume() override {
    const MutexLock lock(run_->mutex);
    if (run_->query) run_->query->resume();
  }

 private:
  std::shared_ptr<TransientRun> run_;
  std::shared_ptr<ServiceImpl::PushQueries> registry_;
};

/// The list in the order the client sees it; all as it stands when `order` is empty.
template <class T>
std::vector<T> in_order(const std::vector<T>& list, const std::vector<std::size_t>& order) {
  if (order.empty()) return list;
  std::vector<T> result;
  for (const std::size_t i : order) result.push_back(list[i]);
  return result;
}

/// Counts a push query from when it is asked for until it is among those that run.
class StartingPush {
 public:
  StartingPush(ServiceImpl::PushQueries& queries, std::int64_t most) : queries_(queries) {
    const MutexLock lock(queries_.mutex);
    counted_ = static_cast<std::int64_t>(queries_.running.size()) + queries_.starting < most;
    if (counted_) ++queries_.starting;
  }
  ~StartingPush() {
    const MutexLock lock(queries_.mutex);
    if (counted_) --queries_.starting;
  }
  StartingPush(const StartingPush&) = delete;
  StartingPush& operator=(const StartingPush&) = delete;
  bool allowed() const { return counted_; }

 private:
  friend void enlist(const std::shared_ptr<TransientRun>& run, const struct TransientTerms& terms,
                     ServiceImpl::PushQueries& registry);
  ServiceImpl::PushQueries& queries_;
  bool counted_ = false;
};

/// How a transient query runs.
struct TransientTerms {
  std::string text;  // of the statement
  bool until_end = false;
  std::optional<std::string> resumable;  // the topic that tokens tell the position in; nothing: no tokens
  std::vector<std::int64_t> from;        // position to begin at
  StartingPush* starting = nullptr;      // where it is counted so far
};

/// Lists the query among those that run here.
void enlist(const std::shared_ptr<TransientRun>& run, const TransientTerms& terms, ServiceImpl::PushQueries& registry) {
  const MutexLock lock(registry.mutex);
  if (terms.starting != nullptr && std::exchange(terms.starting->counted_, false)) --registry.starting;
  registry.running[run->id] = {terms.text, [weak = std::weak_ptr(run)] {
                                 auto target = weak.lock();
                                 if (!target) return;
                                 std::unique_ptr<TransientQuery> query;
                                 {
                                   const MutexLock guard(target->mutex);
                                   query = std::move(target->query);
                                 }
                                 query.reset();
                                 target->end(std::nullopt, std::nullopt);
                               }};
}

/// Starts a transient plan whose rows go to the sink, which is not touched where that fails.
Service::Started start_transient(std::shared_ptr<const PhysicalPlan> plan, const TransientTerms& terms,
                                 const QueryHeader& header, ServiceImpl& service, ResultSink& sink) {
  auto run = std::make_shared<TransientRun>(sink);
  run->id = header.query_id;
  auto registry = service.push_queries();
  auto handle = std::make_unique<TransientHandle>(run, registry);
  std::optional<std::int64_t> limit;
  std::vector<std::size_t> order;
  if (const auto* output = plan->subtopologies.back().root->as<OutputNode>()) {
    limit = output->limit;
    order = output->columns;
  }
  const std::string message = terms.until_end ? "Query Completed" : "Limit Reached";
  auto seen = std::make_shared<std::int64_t>(0);
  TransientEvents events;
  events.on_begin = [&] {
    enlist(run, terms, *registry);
    QueryHeader shown = header;
    shown.schema.columns = in_order(header.schema.columns, order);
    sink.begin(shown);
  };
  events.on_rows = [run, seen, order](const Batch& batch) {
    if (run->ended) return true;
    Batch rows;  // what a sink reads of a batch
    rows.rows = batch.rows;
    rows.columns = in_order(batch.columns, order);
    rows.timestamps = batch.timestamps;
    rows.kinds = batch.kinds;
    if (!run->sink.rows(rows)) return false;
    *seen += static_cast<std::int64_t>(batch.rows);
    return true;
  };
  if (terms.resumable)
    events.on_position = [run, topic = *terms.resumable](const std::vector<std::int64_t>& offsets) {
      if (!run->ended) run->sink.token(to_token({topic, offsets}));
    };
  events.on_end = [run, seen, limit, message](std::optional<Error> error) {
    if (error) return run->end(std::nullopt, to_service_error(*error));
    run->end(limit && *seen >= *limit ? std::string("Limit Reached") : message, std::nullopt);
  };
  auto started = service.engine().run_transient(std::move(plan), terms.until_end, std::move(events), terms.from);
  if (!started) return {nullptr, to_service_error(started.error())};
  {
    const MutexLock lock(run->mutex);
    run->query = std::move(*started);
  }
  return {std::move(handle), std::nullopt};
}

/// Whether ksqlDB would tap the running query that writes the source, and name the push query after that.
bool is_scalable(const ast::Query& query, const SessionProperties& session, const Catalog& catalog) {
  const SourceDef* source = catalog.find(query.from.first.name.text);
  return setting_flag(session.effective, "ksql.query.push.v2.enabled") &&
         setting_text(session.effective, "auto.offset.reset") == "latest" && source != nullptr && source->from_query &&
         query.from.joins.empty() && !query.window && !query.group_by && !query.partition_by && !query.having;
}

constexpr std::string_view kTokenProperty = "request.ksql.query.push.continuation.token";

/// Sets from where the query goes on, and whether it gives tokens. An error: it cannot.
std::optional<ServiceError> set_position(const PhysicalPlan& plan, const Request& request,
                                         const SessionProperties& session, Log& log, TransientTerms& terms) {
  const auto given = request.request_properties.find(std::string(kTokenProperty));
  const bool resumes = given != request.request_properties.end();
  if (!resumes && !setting_flag(session.effective, "ksql.query.push.v2.continuation.tokens.enabled"))
    return std::nullopt;
  terms.resumable = resumable_topic(plan);
  if (!resumes) return std::nullopt;
  const auto refused = [](const std::string& why) { return service_error(kBadRequest, why); };
  if (!terms.resumable)
    return refused("The query cannot go on from a token: it keeps state, or reads more than one topic.");
  const auto position = parse_token(given->second);
  if (!position || position->topic != *terms.resumable)
    return refused("The continuation token is not one of this query.");
  for (std::size_t p = 0; p < position->offsets.size(); ++p) {
    const auto bounds = log.bounds({position->topic, static_cast<std::int32_t>(p)});
    if (!bounds) return refused(fmt::format("The continuation token cannot be used: {}", bounds.error().message));
    if (position->offsets[p] < bounds->begin || position->offsets[p] > bounds->end)
      return refused(
          fmt::format("The continuation token cannot be used: partition {} of {} holds offsets {} to {}, not {}.", p,
                      position->topic, bounds->begin, bounds->end, position->offsets[p]));
  }
  terms.from = position->offsets;
  return std::nullopt;
}

}  // namespace

Service::Started run_push(const ast::Query& query, const Request& request, const SessionProperties& session,
                          ServiceImpl& service, ResultSink& sink) {
  StartingPush starting(*service.push_queries(), service.config().integer("ksql.max.push.queries"));
  if (!starting.allowed())
    return {nullptr, service_error(kTooManyPushQueries, "Maximum number of push queries exceeded")};
  const StatePtr state = service.state();
  LogTopics topics(service.log());
  BoundQuery bound =
      bind_push(query, {state->catalog, service.functions(), topics, session.effective, evaluate_constant});
  std::string id = service.next_transient_id(bound.sources.empty() ? "QUERY" : bound.sources.front());
  if (is_scalable(query, session, state->catalog)) id = "SCALABLE_PUSH_QUERY_" + id;
  bound.options.emit_every_change = true;
  auto plan = plan_query(bound.root, bound.options, plan_context(id, true, session.effective, service.config()));
  TransientTerms terms{.text = request.sql, .until_end = request.until_end, .resumable = {}, .from = {}};
  if (auto refused = set_position(*plan, request, session, service.log(), terms)) return {nullptr, *refused};
  if (is_scalable(query, session, state->catalog))
    if (auto refused = service.limits().admit_push(sink)) return {nullptr, std::move(refused)};
  terms.starting = &starting;
  ++service.push_count;
  const QueryHeader header{id, plan->result, true, plan->kind == RelationKind::table};
  return start_transient(plan, terms, header, service, sink);
}

Service::Started run_stream_pull(const ast::Query& query, const SessionProperties& session, ServiceImpl& service,
                                 ResultSink& sink) {
  const StatePtr state = service.state();
  LogTopics topics(service.log());
  const BindContext context{state->catalog, service.functions(), topics, session.effective, evaluate_constant};
  if (const BoundPull pull = bind_stream_pull(query, context); reads_topic(pull, *state))
    return run_topic_pull(pull, state, session, service, sink);
  const BoundQuery bound = bind_passing_pull(query, context);
  const std::string id = service.next_transient_id(bound.sources.front());
  auto plan = plan_query(bound.root, bound.options, plan_context(id, true, session.effective, service.config()));
  if (auto refused = service.admit_pull(sink)) return {nullptr, std::move(refused)};
  const TransientTerms terms{.text = {}, .until_end = true, .resumable = {}, .from = {}};
  return start_transient(plan, terms, {id, plan->result, false, false}, service, sink);
}

Service::Started ServiceImpl::query(const Request& request, ResultSink& sink) {
  return is_paged(request) ? query_in_pages(request, sink) : query_whole(request, sink);
}

Service::Started ServiceImpl::query_whole(const Request& request, ResultSink& sink) {
  std::string current = request.sql;
  bool push = true;  // as are the request's own properties, these mistakes are the request's, not the statement's
  try {
    if (auto answered = known_pull(request, sink)) return std::move(*answered);
    const SessionProperties session = session_properties(request, true);
    push = false;
    const std::vector<ast::StatementPtr> statements = parse_request(request, session);
    if (statements.size() != 1)
      return {nullptr, service_error(kBadStatement, fmt::format("Expected exactly one KSQL statement; found {} instead",
                                                                statements.size()))};
    const ast::Statement& statement = *statements.front();
    current = statement.text;
    if (const auto* print = statement.as<ast::Print>()) {
      if (!request.lines) return {nullptr, service_error(kNotAcceptable, "Not Acceptable")};
      return run_print(*print, request.until_end, *this, sink);
    }
    const auto* select = statement.as<ast::Select>();
    if (select == nullptr) {
      ServiceError error = service_error(
          kBadStatement,
          "The following statement types should be issued to the '/ksql' endpoint: everything but SELECT and PRINT.");
      error.statement = current;
      return {nullptr, error};
    }
    push = select->query->emit != ast::Emit::none;
    if (!push && select->query->limit && !setting_flag(session.effective, "ksql.query.pull.limit.clause.enabled"))
      throw SqlError(Code::not_supported, select->query->span, "LIMIT is disabled in pull queries.")
          .hint("ksql.query.pull.limit.clause.enabled=true allows it");
    if (push) return run_push(*select->query, request, session, *this, sink);
    const StatePtr now = state();
    LogTopics topics(log());
    if (is_finite_form(*select->query, {now->catalog, functions(), topics, session.effective, evaluate_constant}))
      return run_finite_pull(*select->query, session, *this, sink);
    const SourceDef* source = now->catalog.find(select->query->from.first.name.text);
    if (source != nullptr && source->kind == RelationKind::stream)
      return run_stream_pull(*select->query, session, *this, sink);
    return run_table_pull(*select->query, request, session, *this, sink);
  } catch (const SqlError& error) {
    ++error_count;
    return {nullptr, to_service_error(error, current, push)};
  } catch (const std::exception& error) {
    ++error_count;
    spdlog::error("query '{}': {}", current, error.what());
    return {nullptr, service_error(kServerError, error.what())};
  }
}

}  // namespace millrace::inline server
