#include "server/session/run_query.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "exec/expr/evaluator.h"
#include "parser/ast/format.h"

namespace millrace {
namespace {

constexpr std::string_view kPullDocs = "See https://cnfl.io/queries for more info.";

/// What a transient query and its owner share. The sink is called from a worker thread until `ended`.
struct TransientRun {
  explicit TransientRun(ResultSink& out) : sink(out) {}

  void end(std::optional<std::string> message, std::optional<ServiceError> error) {
    if (!ended.exchange(true)) sink.end(std::move(message), std::move(error));
  }

  ResultSink& sink;
  std::atomic<bool> ended = false;
  std::string id;
  std::mutex mutex;  // guards query
  std::unique_ptr<TransientQuery> query;
};

class TransientHandle final : public RunningQuery {
 public:
  TransientHandle(std::shared_ptr<TransientRun> run, std::shared_ptr<ServiceImpl::PushQueries> registry)
      : run_(std::move(run)), registry_(std::move(registry)) {}
  ~TransientHandle() override {
    {
      std::lock_guard lock(registry_->mutex);
      registry_->cancel.erase(run_->id);
    }
    run_->ended = true;
    std::unique_ptr<TransientQuery> query;
    {
      std::lock_guard lock(run_->mutex);
      query = std::move(run_->query);
    }
  }
  const std::string& id() const override { return run_->id; }
  void resume() override {
    std::lock_guard lock(run_->mutex);
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

/// Starts a transient plan whose rows go to the sink.
std::unique_ptr<RunningQuery> start_transient(std::shared_ptr<const PhysicalPlan> plan, const std::string& id,
                                              bool until_end, const QueryHeader& header, ServiceImpl& service,
                                              ResultSink& sink) {
  auto run = std::make_shared<TransientRun>(sink);
  run->id = id;
  auto registry = service.push_queries();
  {
    std::lock_guard lock(registry->mutex);
    registry->cancel[id] = [weak = std::weak_ptr(run)] {
      auto target = weak.lock();
      if (!target) return;
      std::unique_ptr<TransientQuery> query;
      {
        std::lock_guard guard(target->mutex);
        query = std::move(target->query);
      }
      query.reset();
      target->end(std::nullopt, std::nullopt);
    };
  }
  auto handle = std::make_unique<TransientHandle>(run, registry);
  std::optional<std::int64_t> limit;
  std::vector<std::size_t> order;
  if (const auto* output = plan->subtopologies.back().root->as<OutputNode>()) {
    limit = output->limit;
    order = output->columns;
  }
  QueryHeader shown = header;
  shown.schema.columns = in_order(header.schema.columns, order);
  sink.begin(shown);
  const std::string message = until_end ? "Query Completed" : "Limit Reached";
  auto seen = std::make_shared<std::int64_t>(0);
  TransientEvents events;
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
  events.on_end = [run, seen, limit, message](std::optional<Error> error) {
    if (error) return run->end(std::nullopt, to_service_error(*error));
    run->end(limit && *seen >= *limit ? std::string("Limit Reached") : message, std::nullopt);
  };
  auto started = service.engine().run_transient(std::move(plan), until_end, std::move(events));
  if (!started) {
    run->end(std::nullopt, to_service_error(started.error()));
    return handle;
  }
  std::lock_guard lock(run->mutex);
  run->query = std::move(*started);
  return handle;
}

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

/// Applies what a pull query asks of the rows it finds.
class PullRows {
 public:
  PullRows(const BoundPull& pull, ResultSink& sink) : sink_(sink), limit_(pull.limit) {
    if (pull.predicate) predicate_.emplace(pull.predicate);
    for (const ProjectItem& item : pull.items) items_.emplace_back(item.expr);
  }

  /// False: no more rows are wanted.
  bool take(const Batch& in) {
    if (limit_ && sent_ >= *limit_) return false;
    RowErrors errors;
    Batch rows;
    const Batch* from = &in;
    if (predicate_) {
      predicate_->select(in, errors, selected_);
      if (selected_.empty()) return true;
      if (selected_.size() < in.rows) {
        rows = gather(in, selected_);
        from = &rows;
      }
    }
    if (limit_ && static_cast<std::int64_t>(from->rows) > *limit_ - sent_) {
      std::vector<std::uint32_t> first(static_cast<std::size_t>(*limit_ - sent_));
      for (std::uint32_t i = 0; i < first.size(); ++i) first[i] = i;
      Batch cut = gather(*from, first);
      rows = std::move(cut);
      from = &rows;
    }
    Batch out;
    out.rows = from->rows;
    out.timestamps = from->timestamps;
    for (Evaluator& item : items_) out.columns.push_back(item.evaluate(*from, errors));
    sent_ += static_cast<std::int64_t>(out.rows);
    sink_.rows(out);
    return !limit_ || sent_ < *limit_;
  }

 private:
  ResultSink& sink_;
  std::optional<Evaluator> predicate_;
  std::vector<Evaluator> items_;
  std::vector<std::uint32_t> selected_;
  std::optional<std::int64_t> limit_;
  std::int64_t sent_ = 0;
};

std::vector<PullLookup> lookups_of(const BoundPull& pull) {
  std::vector<PullLookup> lookups;
  for (const BoundPull::Lookup& from : pull.lookups)
    lookups.push_back({from.key, from.window_start_min, from.window_start_max, from.window_end_min, from.window_end_max,
                       from.range_min, from.range_max});
  if (pull.lookups.empty()) lookups.emplace_back();
  return lookups;
}

bool is_allowed(const SessionProperties& session, const char* flag) {
  const auto it = session.effective.find(flag);
  return it == session.effective.end() || it->second != "false";
}

std::string pull_id() {
  return fmt::format("query_{}", std::chrono::duration_cast<std::chrono::milliseconds>(
                                     std::chrono::system_clock::now().time_since_epoch())
                                     .count());
}

}  // namespace

Service::Started run_push(const ast::Query& query, bool until_end, const SessionProperties& session,
                          ServiceImpl& service, ResultSink& sink) {
  const auto running = [&] {
    std::lock_guard lock(service.push_queries()->mutex);
    return static_cast<std::int64_t>(service.push_queries()->cancel.size());
  }();
  if (running >= service.config().integer("ksql.max.push.queries"))
    return {nullptr, service_error(kTooManyPushQueries, "Maximum number of push queries exceeded")};
  const StatePtr state = service.state();
  LogTopics topics(service.log());
  BoundQuery bound =
      bind_push(query, {state->catalog, service.functions(), topics, session.effective, evaluate_constant});
  const std::string id = service.next_transient_id(bound.sources.empty() ? "QUERY" : bound.sources.front());
  bound.options.emit_every_change = true;
  auto plan = make_plan(bound.root, bound.options, id, true, session.effective, service.config());
  ++service.push_count;
  const QueryHeader header{id, plan->result, true, plan->kind == RelationKind::table};
  return {start_transient(plan, id, until_end, header, service, sink), std::nullopt};
}

Service::Started run_stream_pull(const ast::Query& query, const SessionProperties& session, ServiceImpl& service,
                                 ResultSink& sink) {
  if (!is_allowed(session, "ksql.query.pull.stream.enabled"))
    throw SqlError(Code::invalid_statement, query.span, "Pull queries on streams are disabled.")
        .hint("ksql.query.pull.stream.enabled=true allows them; EMIT CHANGES makes it a push query");
  const StatePtr state = service.state();
  LogTopics topics(service.log());
  const BindContext context{state->catalog, service.functions(), topics, session.effective, evaluate_constant};
  (void)bind_pull(query, context);
  ast::Query push = query;
  push.emit = ast::Emit::changes;
  BoundQuery bound = bind_push(push, context);
  bound.options.from_earliest = true;
  bound.options.emit_every_change = true;
  const std::string id = service.next_transient_id(bound.sources.front());
  auto plan = make_plan(bound.root, bound.options, id, true, session.effective, service.config());
  ++service.pull_count;
  return {start_transient(plan, id, true, {id, plan->result, false, false}, service, sink), std::nullopt};
}

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
  QueryHeader header{pull_id(), {}, false, true};
  for (const ProjectItem& item : pull.items) header.schema.columns.push_back(item.column);
  PullRows rows(pull, sink);
  bool begun = false;
  auto begin = [&] {
    if (!begun) sink.begin(header);
    begun = true;
  };
  if (!pull.limit || *pull.limit > 0) {
    const std::vector<PullLookup> lookups = lookups_of(pull);
    Status done = service.engine().pull(from.id, lookups, [&](const Batch& batch) {
      begin();
      return rows.take(batch);
    });
    if (!done) {
      ServiceError error = to_service_error(done.error());
      if (!begun) return {nullptr, error};
      sink.end(std::nullopt, error);
      return {nullptr, std::nullopt};
    }
  }
  begin();
  sink.end(std::nullopt, std::nullopt);
  return {nullptr, std::nullopt};
}

Service::Started ServiceImpl::query(const Request& request, ResultSink& sink) {
  std::string text, current = request.sql;
  bool push = true;  // as are the request's own properties, these mistakes are the request's, not the statement's
  try {
    const SessionProperties session = session_properties(request, true);
    push = false;
    const std::vector<ast::StatementPtr> statements = parse_request(request, session, text);
    if (statements.size() != 1)
      return {nullptr, service_error(kBadStatement, fmt::format("Expected exactly one KSQL statement; found {} instead",
                                                                statements.size()))};
    const ast::Statement& statement = *statements.front();
    current = statement.text;
    if (const auto* print = statement.as<ast::Print>()) return run_print(*print, request.until_end, *this, sink);
    const auto* select = statement.as<ast::Select>();
    if (select == nullptr) {
      ServiceError error = service_error(
          kBadStatement,
          "The following statement types should be issued to the '/ksql' endpoint: everything but SELECT and PRINT.");
      error.statement = current;
      return {nullptr, error};
    }
    push = select->query->emit != ast::Emit::none;
    if (push) return run_push(*select->query, request.until_end, session, *this, sink);
    const StatePtr now = state();
    const SourceDef* source = now->catalog.find(select->query->from.first.name.text);
    if (source != nullptr && source->kind == RelationKind::stream)
      return run_stream_pull(*select->query, session, *this, sink);
    return run_table_pull(*select->query, session, *this, sink);
  } catch (const SqlError& error) {
    ++error_count;
    return {nullptr, to_service_error(error, current, push)};
  } catch (const std::exception& error) {
    ++error_count;
    spdlog::error("query '{}': {}", current, error.what());
    return {nullptr, service_error(kServerError, error.what())};
  }
}

}  // namespace millrace
