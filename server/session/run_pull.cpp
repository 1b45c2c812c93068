#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "exec/expr/evaluator.h"
#include "server/session/pull_cache.h"
#include "server/session/run_query.h"

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

/// Applies what a pull query asks of the rows it finds.
class PullRows {
 public:
  PullRows(const ExprPtr& predicate, std::optional<std::int64_t> limit, PullProjection& projection, ResultSink& sink)
      : sink_(sink), projection_(projection), limit_(limit) {
    if (predicate) predicate_.emplace(predicate);
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
    for (Evaluator& item : projection_.items) out.columns.push_back(item.evaluate(*from, errors));
    sent_ += static_cast<std::int64_t>(out.rows);
    sink_.rows(out);
    return !limit_ || sent_ < *limit_;
  }

 private:
  ResultSink& sink_;
  PullProjection& projection_;
  std::optional<Evaluator> predicate_;
  std::vector<std::uint32_t> selected_;
  std::optional<std::int64_t> limit_;
  std::int64_t sent_ = 0;
};

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

/// Gives what `read` finds to the sink, which is not touched before the first rows or the good end.
Service::Started give_rows(QueryHeader header, PullRows& rows, ResultSink& sink,
                           const std::function<Status(const std::function<bool(const Batch&)>&)>& read) {
  bool begun = false;
  const auto begin = [&] {
    if (!begun) sink.begin(header);
    begun = true;
  };
  const Status done = read([&](const Batch& batch) {
    begin();
    return rows.take(batch);
  });
  if (!done) {
    ServiceError error = to_service_error(done.error());
    if (!begun) return {nullptr, std::move(error)};
    sink.end(std::nullopt, std::move(error));
    return {nullptr, std::nullopt};
  }
  begin();
  sink.end(std::nullopt, std::nullopt);
  return {nullptr, std::nullopt};
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
  PullProjection projection(pull);
  PullRows rows(pull.predicate, pull.limit, projection, sink);
  return give_rows(header_of(pull_columns(pull)), rows, sink, [&](const auto& visit) -> Status {
    if (pull.limit && *pull.limit <= 0) return {};
    return service.engine().pull(from.id, lookups_of(pull.lookups), visit);
  });
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
  auto projection = known->take_projection();
  PullRows rows(wanted->predicate, limit, *projection, sink);
  Started done = give_rows(header_of(known->columns), rows, sink, [&](const auto& visit) -> Status {
    if (limit && *limit <= 0) return {};
    return engine_->pull(known->query->id, lookups_of(wanted->lookups), visit);
  });
  known->give_back(std::move(projection));
  return done;
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
    auto projection = known->take_projection();
    PullRows rows(predicate, limit, *projection, answer->sink());
    const Started done = give_rows(header_of(known->columns), rows, answer->sink(),
                                   [&](const auto& visit) { return found->rows(visit); });
    if (done.error) answer->fail(*done.error);
    known->give_back(std::move(projection));
  };
  const auto found = engine_->look_up(
      known->query->id, lookups_of(wanted->lookups),
      [give, answer](Engine::Found later) { answer->later([give, later = std::move(later)] { give(later); }); });
  if (found) give(found);
  return true;
}

}  // namespace millrace::inline server
