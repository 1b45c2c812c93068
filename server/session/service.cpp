#include "server/session/service.h"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <random>

#include "exec/data/wall_clock.h"
#include "exec/formats/schema_registrar.h"
#include "exec/log/ensure_topic.h"
#include "exec/schemas/http/http_registry.h"
#include "parser/error/letter_case.h"
#include "parser/error/mutex.h"
#include "parser/syntax/parse.h"
#include "planner/bind/dialect.h"
#include "planner/catalog/formats.h"
#include "server/queries/schema_topic.h"
#include "server/session/service_impl.h"

namespace millrace::inline server {
namespace json = boost::json;

namespace {

constexpr std::size_t kKeptStatuses = 10'000;

}  // namespace

Result<std::unique_ptr<Service>> Service::open(Log& log, ServiceOptions options) {
  auto service = std::make_unique<ServiceImpl>(log, std::move(options));
  if (Status started = service->start(); !started) return started.error();
  return std::unique_ptr<Service>(std::move(service));
}

ServiceImpl::ServiceImpl(Log& log, ServiceOptions options)
    : log_(log),
      options_(std::move(options)),
      functions_(builtin_functions()),
      insert_writers_(std::make_shared<InsertWriters>(
          log, fmt::format("{}-{}", options_.config.text("ksql.service.id"), options_.process_id))),
      limits_(std::make_shared<QueryLimits>(QueryLimits::most_of(options_.config))) {}

std::int64_t ServiceImpl::now() const {
  if (options_.now) return options_.now();
  return wall_clock_ms();
}

ServiceImpl::~ServiceImpl() {
  audit_.reset();
  commands_.reset();
  kept_->clear();
  engine_.reset();
  processing_log_.reset();
}

// What they could not do is in the processing log by then, and those that read it have taken it in.
bool ServiceImpl::wait_until_idle(std::chrono::milliseconds wait) {
  const auto deadline = std::chrono::steady_clock::now() + wait;
  const auto left = [&] {
    return std::max(std::chrono::milliseconds{0},
                    std::chrono::ceil<std::chrono::milliseconds>(deadline - std::chrono::steady_clock::now()));
  };
  std::optional<std::uint64_t> before;
  while (true) {
    if (!engine_->wait_until_idle(left())) return false;
    const auto written = processing_log_->wait_until_written(left());
    if (!written) return false;
    if (written == before || (!before && *written == 0)) return true;
    before = written;
  }
}

TopicConfig ServiceImpl::internal_topic() const {
  TopicConfig shape{.replicas = static_cast<int>(config().integer("ksql.internal.topic.replicas")), .retention_ms = -1};
  if (config().find("ksql.internal.topic.min.insync.replicas"))
    shape.min_insync_replicas = static_cast<int>(config().integer("ksql.internal.topic.min.insync.replicas"));
  return shape;
}

Status ServiceImpl::open_registry() {
  if (config().text("ksql.schema.registry.url").empty()) {
    const std::string topic = fmt::format("_confluent-ksql-{}_schemas", config().text("ksql.service.id"));
    auto opened = open_schema_topic(log_, topic, internal_topic());
    if (!opened) return opened.error();
    registry_ = local_registry_ = std::move(*opened);
  } else {
    auto options = http_registry_options([this](const std::string& name) { return config().find(name).value_or(""); });
    if (!options) return options.error();
    auto made = make_http_registry(*options);
    if (!made) return made.error();
    registry_ = std::move(*made);
  }
  schemas_ = std::make_shared<SchemaCache>(registry_);
  return {};
}

SourcePtr ServiceImpl::writable(const SourcePtr& source) {
  const auto missing = [&](const FormatInfo& format, const std::vector<ColumnDef>& columns) {
    return !columns.empty() && !can_write(format);
  };
  const bool key = missing(source->key_format, source->schema.keys());
  const bool value = missing(source->value_format, source->schema.values());
  if (!key && !value) return source;
  auto changed = std::make_shared<SourceDef>(*source);
  SchemaRegistrar registrar(*registry_, SchemaRegistrar::Mode::real);
  if (key)
    changed->key_format.schema = registrar.register_schema({changed->key_format, source->topic, true}, source->name,
                                                           source->schema.keys(), false);
  if (value)
    changed->value_format.schema = registrar.register_schema({changed->value_format, source->topic, false},
                                                             source->name, source->schema.values(), false);
  return changed;
}

Status ServiceImpl::start() {
  const std::string service_id = config().text("ksql.service.id");
  if (Status opened = open_registry(); !opened) return opened;
  processing_log_ = ProcessingLog::open(
      log_, ProcessingLog::topic_name(config().text("ksql.logging.processing.topic.name"), service_id),
      config().boolean("ksql.logging.processing.rows.include"));
  EngineOptions engine;
  engine.service_id = service_id;
  engine.process_id = options_.process_id;
  engine.advertised = options_.advertised;
  engine.remote = options_.remote;
  engine.standbys = static_cast<int>(config().integer("num.standby.replicas"));
  engine.acceptable_lag = config().integer("acceptable.recovery.lag");
  engine.warm_ups = static_cast<int>(config().integer("max.warmup.replicas"));
  engine.standby_share = static_cast<double>(config().integer("millrace.standby.cpu.percent")) / 100;
  engine.state_directory = options_.state_directory;
  engine.slots = static_cast<int>(config().integer("millrace.slots"));
  engine.workers = options_.workers;
  engine.commit_interval = std::chrono::milliseconds(config().integer("commit.interval.ms"));
  engine.retry_first = std::chrono::milliseconds(config().integer("ksql.query.retry.backoff.initial.ms"));
  engine.retry_longest = std::chrono::milliseconds(config().integer("ksql.query.retry.backoff.max.ms"));
  engine.state_memory_bytes = static_cast<std::size_t>(config().integer("millrace.state.memory.bytes"));
  engine.pull_cache_bytes = static_cast<std::size_t>(config().integer("millrace.pull.cache.max.bytes"));
  engine.own_readers = static_cast<int>(config().integer("millrace.topic.readers.max"));
  engine.transient_memory_bytes = static_cast<std::size_t>(config().integer("millrace.push.memory.bytes"));
  engine.batch_rows = static_cast<std::size_t>(config().integer("millrace.batch.rows"));
  engine.internal_replicas = internal_topic().replicas;
  engine.internal_min_insync = internal_topic().min_insync_replicas;
  engine.schemas = schemas_;
  auto started = Engine::start(
      log_, engine, {.on_record_error = [this](const ProcessingError& error) { processing_log_->report(error); }});
  if (!started) return started.error();
  engine_ = std::move(*started);
  auto commands =
      CommandLog::open(log_, service_id, engine.internal_replicas, engine.internal_min_insync, functions_,
                       [this](const StatePtr& state) { replayed(state); },
                       {.applied = [this](const std::vector<Command>& commands) { return applied(commands); }});
  if (!commands) return commands.error();
  commands_ = std::move(*commands);
  create_processing_log();
  keep_tables();
  try {
    open_audit();
  } catch (const std::exception& error) {
    return external_error("{}", error.what());
  }
  return {};
}

void ServiceImpl::create_processing_log() {
  const std::string stream = config().text("ksql.logging.processing.stream.name");
  const std::string topic =
      ProcessingLog::topic_name(config().text("ksql.logging.processing.topic.name"), config().text("ksql.service.id"));
  const auto described = log_.describe_topic(topic);
  if (!described) return spdlog::warn("the topic of the processing log: {}", described.error().message);
  bool exists = described->has_value();
  if (!exists && config().boolean("ksql.logging.processing.topic.auto.create")) {
    const TopicConfig shape{
        .partitions = static_cast<int>(config().integer("ksql.logging.processing.topic.partitions")),
        .replicas = static_cast<int>(config().integer("ksql.logging.processing.topic.replication.factor"))};
    const auto made = ensure_topic(log_, topic, shape);
    if (!made) spdlog::warn("the topic of the processing log: {}", made.error().message);
    exists = made.has_value();
  }
  if (!exists || !config().boolean("ksql.logging.processing.stream.auto.create") ||
      state()->catalog.find(stream) != nullptr)
    return;
  Reply reply = execute({.sql = ProcessingLog::create_statement(stream, topic)});
  if (reply.error) spdlog::warn("the stream over the processing log: {}", reply.error->message);
}

// Those that no query keeps go when nobody has asked for them for a while.
void ServiceImpl::keep_tables() {
  constexpr std::chrono::milliseconds kShortest{100}, kLongest{60'000};
  const std::chrono::milliseconds idle(config().integer("millrace.table.materialize.idle.ms"));
  if (idle.count() == 0) return;
  kept_look_ = pull_threads_.every(std::clamp(idle / 4, kShortest, kLongest), [kept = kept_] { kept->forget_idle(); });
}

void ServiceImpl::replayed(const StatePtr& state) {
  std::vector<Engine::Start> starts;
  for (const auto& [id, query] : state->queries) starts.push_back({query->plan, query->paused, query->identity});
  static_cast<void>(start_queries(starts));
}

std::string ServiceImpl::applied(const std::vector<Command>& commands) {
  std::string unfinished;
  const auto note = [&](Status done) {
    if (!done && done.error().retriable() && unfinished.empty()) unfinished = done.error().message;
  };
  std::vector<Engine::Start> starts;
  for (const Command& command : commands) {
    for (const Change& change : command.changes) {
      if (change.kind == Change::Kind::put_source) kept_->forget(change.source->name);
      if (change.kind == Change::Kind::drop_source) kept_->forget(change.name);
      if (change.kind == Change::Kind::start_query) {
        const auto same = [&](const Engine::Start& start) { return start.plan->query_id == change.query->id; };
        if (std::ranges::any_of(starts, same)) note(start_queries(starts));
        if (engine_->status(change.query->id)) note(engine_->stop_query(change.query->id));  // CREATE OR REPLACE
        starts.push_back({change.query->plan, false, change.query->identity});
      } else if (change.kind == Change::Kind::stop_query || change.kind == Change::Kind::pause_query ||
                 change.kind == Change::Kind::resume_query) {
        note(start_queries(starts));
        note(change_engine(change));
      }
    }
    for (const auto& [name, reason] : command.unreadable) {
      note(start_queries(starts));
      if (engine_->status(name)) note(engine_->stop_query(name));  // it is another one now
    }
  }
  note(start_queries(starts));
  return unfinished;
}

Status ServiceImpl::start_queries(std::vector<Engine::Start>& starts) {
  if (starts.empty()) return {};
  Status done = engine_->start_queries(std::exchange(starts, {}));
  if (!done) spdlog::error("{}", done.error().message);
  return done;
}

namespace {

std::optional<Engine::GoOn> go_on(const std::string& offset_reset) {
  if (offset_reset.empty()) return std::nullopt;
  return lower_case(offset_reset) == "earliest" ? Engine::GoOn::at_begin : Engine::GoOn::at_end;
}

}  // namespace

Status ServiceImpl::change_engine(const Change& change) {
  Status done;
  switch (change.kind) {
    case Change::Kind::stop_query:
      done = engine_->stop_query(change.name);
      break;
    case Change::Kind::pause_query:
      done = engine_->pause_query(change.name);
      break;
    case Change::Kind::resume_query:
      done = engine_->resume_query(change.name, go_on(change.value));
      break;
    default:
      return {};
  }
  if (!done) spdlog::error("query {}: {}", change.name, done.error().message);
  return done;
}

SessionProperties ServiceImpl::session_properties(const Request& request, bool any_name) const {
  SessionProperties session;
  session.variables = request.variables;
  for (const auto& [name, value] : config().explicit_values()) session.effective[name] = value;
  for (const auto& [name, value] : state()->system_properties) session.effective[name] = value;
  for (const auto& [name, value] : request.properties) {
    if (!any_name || find_setting(plain_property_name(name)) != nullptr) check_session_property(name, value);
    config().check_override(name);
    session.overrides[std::string(plain_property_name(name))] = value;
    session.effective[std::string(plain_property_name(name))] = value;
  }
  return session;
}

std::vector<ast::StatementPtr> ServiceImpl::parse_request(const Request& request,
                                                          const SessionProperties& session) const {
  if (request.sql.find("${") == std::string::npos ||
      !setting_flag(session.effective, "ksql.variable.substitution.enable"))
    return parse(request.sql, dialect_of(session.effective));
  return parse(substitute_script(request.sql, request.variables), dialect_of(session.effective));
}

std::string ServiceImpl::next_transient_id(const std::string& source) {
  static const std::uint64_t seed = std::random_device{}() & 0xffffffffu;
  return fmt::format("{}{}_{}", config().text("ksql.transient.prefix"), source, (seed << 20) + ++transient_count_);
}

bool ServiceImpl::close_query(const std::string& query_id) {
  std::function<void()> cancel;
  {
    const MutexLock lock(push_queries_->mutex);
    auto it = push_queries_->running.find(query_id);
    if (it == push_queries_->running.end()) return false;
    cancel = std::move(it->second.cancel);
    push_queries_->running.erase(it);  // what is left of it may take a moment to go
  }
  cancel();
  return true;
}

std::vector<std::string> ServiceImpl::source_names() {
  std::vector<std::string> names;
  for (const auto& [name, source] : state()->catalog.sources) names.push_back(name);
  return names;
}

std::vector<std::string> ServiceImpl::query_ids() {
  std::vector<std::string> ids;
  for (const auto& [id, query] : state()->queries) ids.push_back(id);
  return ids;
}

json::object ServiceImpl::statuses() {
  const MutexLock lock(statuses_mutex_);
  json::object all;
  for (const auto& [id, status] : statuses_) all[id] = status.at("status");
  return {{"commandStatuses", std::move(all)}};
}

std::optional<json::object> ServiceImpl::status(const std::string& command_id) {
  const MutexLock lock(statuses_mutex_);
  auto it = statuses_.find(command_id);
  if (it == statuses_.end()) return std::nullopt;
  return it->second;
}

void ServiceImpl::remember_status(const std::string& command_id, const std::string& status, const std::string& message,
                                  const std::optional<std::string>& query_id) {
  const MutexLock lock(statuses_mutex_);
  auto [it, added] = statuses_.try_emplace(command_id);
  it->second = {
      {"status", status}, {"message", message}, {"queryId", query_id ? json::value(*query_id) : json::value()}};
  if (added) status_order_.push_back(command_id);
  if (status_order_.size() > kKeptStatuses) {
    statuses_.erase(status_order_.front());
    status_order_.pop_front();
  }
}

std::optional<ServiceError> ServiceImpl::check_property(const std::string& name) {
  const Setting* setting = find_setting(plain_property_name(name));
  try {
    check_session_property(name, setting == nullptr ? "" : setting->fallback);
  } catch (const SqlError& error) {
    // A fallback may be empty where a session's value may not: only the name counts here.
    if (setting == nullptr || setting->scope == SettingScope::server) return service_error(kBadRequest, error.what());
  }
  return std::nullopt;
}

}  // namespace millrace::inline server
