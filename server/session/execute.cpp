#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <future>
#include <set>

#include "exec/formats/schema_registrar.h"
#include "exec/log/ensure_topic.h"
#include "exec/runtime/layout.h"
#include "parser/error/mutex.h"
#include "planner/bind/dialect.h"
#include "server/session/service_impl.h"
#include "server/statements/entities.h"
#include "server/statements/shared_queries.h"

namespace millrace::inline server {
namespace json = boost::json;
namespace {

constexpr int kMaxStaleRetries = 20;
constexpr std::size_t kMostTogether = 200;  // statements

SqlError general(Code code, const std::string& message) {
  return SqlError(code, {}, message, ErrorClass::general);
}

SqlError not_written(const Error& error) {
  return general(Code::external, fmt::format("Could not write the statement to the command topic: {}", error.message));
}

/// It takes nothing away, and what it starts is not known to `state`.
bool only_adds(const Mutation& mutation, const ServiceState& state) {
  if (mutation.warning || mutation.changes.empty() || !mutation.forget.empty() || mutation.delete_topic ||
      !mutation.delete_subjects.empty())
    return false;
  return std::ranges::all_of(mutation.changes, [&](const Change& change) {
    if (change.kind == Change::Kind::start_query) return state.find_query(change.name) == nullptr;
    return change.kind == Change::Kind::put_source || change.kind == Change::Kind::put_type ||
           change.kind == Change::Kind::put_view;
  });
}

bool reads_any(const PhysicalPlan& plan, const std::vector<Log::NewTopic>& topics) {
  if (std::ranges::any_of(plan.parts, [&](const PlanPtr& part) { return reads_any(*part, topics); })) return true;
  for (const Subtopology& part : plan.subtopologies)
    for (const PlanNode* source : sources_of(*part.root))
      if (std::ranges::find(topics, source->as<SourceNode>()->topic, &Log::NewTopic::first) != topics.end())
        return true;
  return false;
}

/// With a semicolon.
std::string ended(const std::string& statement) {
  return statement.ends_with(';') ? statement : statement + ';';
}

}  // namespace

Reply ServiceImpl::execute(const Request& request) {
  Reply reply;
  std::string current;
  ++statement_count;
  try {
    if (request.command_sequence_number &&
        !commands_->wait_for(*request.command_sequence_number,
                             std::chrono::milliseconds(config().integer("ksql.server.command.response.timeout.ms")))) {
      reply.error = service_error(
          kSequenceTimeout,
          fmt::format("Timed out while waiting for a previous command to execute. command sequence number: {}",
                      *request.command_sequence_number));
      return reply;
    }
    auto session = std::make_shared<const SessionProperties>(session_properties(request));
    std::vector<Step> steps = plan_request(parse_request(request, *session), session);
    std::size_t admitted = 0;
    for (std::size_t i = 0; i < steps.size();) {
      current = steps[i].statement->text;
      const auto together = std::span(steps).subspan(i, count_together(std::span(steps).subspan(i)));
      if (const auto done = run_together(admit(together, i, admitted), reply.entities, current)) {
        i += done;
        continue;
      }
      const bool change = std::holds_alternative<Mutation>(steps[i].planned);
      if (change && i >= admitted && (reply.error = limits_->admit_command())) {
        reply.error->statement = steps[i].statement->text;
        break;
      }
      if (auto entity = run(steps[i++])) reply.entities.push_back(std::move(*entity));
    }
  } catch (const SqlError& error) {
    // Only the request's own properties are refused without a statement at fault.
    const bool plain = current.empty() && error.statement().empty();
    reply.error = to_service_error(error, current.empty() ? request.sql : current, plain);
  } catch (const WrongEndpoint& query) {
    reply.error = service_error(kQueryEndpoint,
                                "The following statement types should be issued to the websocket endpoint "
                                "'/query':\n\t* PRINT\n\t* SELECT");
    reply.error->statement = query.statement;
  } catch (const std::exception& error) {
    spdlog::error("statement '{}': {}", current, error.what());
    reply.error = service_error(kServerError, error.what());
  }
  if (reply.error) {
    ++error_count;
    reply.error->entities = reply.entities;
  }
  return reply;
}

std::vector<ServiceImpl::Step> ServiceImpl::plan_request(const std::vector<ast::StatementPtr>& statements,
                                                         std::shared_ptr<const SessionProperties> session) {
  StatePtr sandbox = state();  // as the statements so far would leave it
  LogTopics topics(log_);
  SchemaRegistrar schemas(*registry_, SchemaRegistrar::Mode::trial);
  std::vector<Step> steps;
  for (const ast::StatementPtr& statement : statements) {
    try {
      Planned planned = plan_statement(*statement, {*sandbox, functions_, topics, *session, config(), &schemas});
      if (std::holds_alternative<QueryStatement>(planned)) throw WrongEndpoint{statement->text};
      if (fixed_ && (std::holds_alternative<Mutation>(planned) || std::holds_alternative<RowInsert>(planned) ||
                     std::holds_alternative<RowChangeStatement>(planned)))
        throw general(Code::read_only, "This server runs the statements of ksql.queries.file, and takes no others.");
      steps.push_back({statement, session, sandbox->catalog.version, sandbox->next_sequence, std::move(planned),
                       schemas.registered() > 0});
    } catch (SqlError& error) {
      if (error.statement().empty()) error.set_statement(statement->text);
      throw;
    }
    if (const auto* change = std::get_if<SessionChange>(&steps.back().planned)) {
      auto changed = std::make_shared<SessionProperties>(*session);
      change->apply(*changed);
      session = std::move(changed);
    } else if (const auto* mutation = std::get_if<Mutation>(&steps.back().planned);
               mutation != nullptr && !mutation->changes.empty()) {
      auto changed = std::make_shared<ServiceState>(*sandbox);
      apply(*changed, mutation->changes);
      ++changed->next_sequence;
      sandbox = std::move(changed);
      if (mutation->create_topic)
        topics.pretend(mutation->create_topic->first,
                       TopicInfo{mutation->create_topic->second.partitions, mutation->create_topic->second.replicas});
      for (const auto& [topic, config] : mutation->more_topics)
        topics.pretend(topic, TopicInfo{config.partitions, config.replicas});
      if (mutation->delete_topic) topics.pretend(*mutation->delete_topic, std::nullopt);
    }
  }
  return steps;
}

void ServiceImpl::refresh(Step& step) {
  const StatePtr now = state();
  if (step.version == now->catalog.version && step.sequence == now->next_sequence && !step.pretended) return;
  LogTopics topics(log_);
  SchemaRegistrar schemas(*registry_, SchemaRegistrar::Mode::real);
  step.planned = plan_statement(*step.statement, {*now, functions_, topics, *step.session, config(), &schemas});
  step.version = now->catalog.version;
  step.sequence = now->next_sequence;
}

std::optional<json::object> ServiceImpl::run(Step& step) {
  if (std::holds_alternative<Mutation>(step.planned)) return mutate(step);
  if (std::holds_alternative<RowInsert>(step.planned)) {
    refresh(step);
    insert(std::get<RowInsert>(step.planned));
  }
  if (std::holds_alternative<RowChangeStatement>(step.planned)) {
    refresh(step);
    json::object done = entity("rows_changed", *step.statement);
    done["rows"] = change_rows(std::get<RowChangeStatement>(step.planned), *step.session);
    return done;
  }
  if (const auto* show = std::get_if<Show>(&step.planned)) {
    std::vector<std::pair<std::string, std::string>> push_queries;
    {
      const MutexLock lock(push_queries_->mutex);
      for (const auto& [id, running] : push_queries_->running) push_queries.emplace_back(id, running.text);
    }
    std::optional<OtherProcesses> others;
    const auto ask_others = [&]() -> const OtherProcesses& {
      if (!others) others = other_processes();
      return *others;
    };
    return show->entity({state(), log_, *engine_, functions_, config(), *step.session, options_.advertised,
                         std::move(push_queries), [this](const std::string& id) { return close_query(id); }, *registry_,
                         ask_others, [this](const std::string& table) { return kept_->memory_bytes(table); }});
  }
  return std::nullopt;
}

void ServiceImpl::do_before(std::span<const Mutation> mutations) {
  std::vector<Log::NewTopic> wanted, missing;
  std::vector<const PhysicalPlan*> plans;
  for (const Mutation& mutation : mutations) {
    if (mutation.create_topic) wanted.push_back(*mutation.create_topic);
    wanted.insert(wanted.end(), mutation.more_topics.begin(), mutation.more_topics.end());
    for (const auto& plan : mutation.prepare) plans.push_back(plan.get());
  }
  std::vector<std::string> names;
  for (const auto& topic : wanted) names.push_back(topic.first);
  const auto existing = log_.partition_counts(names);
  if (!existing) throw general(Code::external, existing.error().message);
  for (std::size_t i = 0; i < wanted.size(); ++i)
    if ((*existing)[i] == 0) missing.push_back(wanted[i]);
  const auto make = [&] { return missing.empty() ? Status{} : make_topics(log_, missing); };
  const auto check = [&](const Status& made) {
    if (!made) throw general(Code::external, fmt::format("topic {}: {}", missing.front().first, made.error().message));
  };
  // A broker takes its time for topics and for progress: side by side, but where a query reads what is made.
  const bool after = std::ranges::any_of(plans, [&](const PhysicalPlan* plan) { return reads_any(*plan, missing); });
  const bool beside = !missing.empty() && !plans.empty() && !after;
  if (!beside) check(make());
  if (plans.empty()) return;
  std::future<Status> making = beside ? std::async(std::launch::async, make) : std::future<Status>();
  const Status prepared = engine_->prepare(plans);
  const Status made = beside ? making.get() : Status{};
  if (prepared && !made)
    for (const Mutation& mutation : mutations) withdraw(mutation, *state());
  check(made);
  if (!prepared) throw general(Code::external, prepared.error().message);
}

// Another statement was faster. What runs already keeps its progress: it was only to be replaced.
void ServiceImpl::withdraw(const Mutation& mutation, const ServiceState& before) {
  const auto take_back = [&](const PhysicalPlan& plan) {
    if (Status done = engine_->withdraw(plan); !done) spdlog::warn("{}: {}", plan.query_id, done.error().message);
  };
  for (const auto& plan : mutation.prepare) {
    if (before.find_query(plan->query_id) != nullptr) continue;
    take_back(*plan);
    for (const PlanPtr& part : unused_parts(*plan, before)) take_back(*part);
  }
}

void ServiceImpl::do_after(const Mutation& mutation) {
  const auto forget = [&](const PhysicalPlan& plan) {
    if (Status forgotten = engine_->forget(plan); !forgotten)
      spdlog::warn("forgetting {}: {}", plan.query_id, forgotten.error().message);
  };
  const StatePtr now = state();
  for (const auto& plan : mutation.forget) {
    forget(*plan);
    for (const PlanPtr& part : unused_parts(*plan, *now)) forget(*part);
  }
  if (mutation.delete_topic)
    if (Status deleted = log_.delete_topic(*mutation.delete_topic); !deleted)
      throw general(Code::external, fmt::format("The source was dropped, but its topic {} could not be deleted: {}",
                                                *mutation.delete_topic, deleted.error().message));
  for (const std::string& subject : mutation.delete_subjects)
    if (auto removed = registry_->remove(subject); !removed)
      throw general(Code::external, fmt::format("The source was dropped, but subject {} could not be deleted: {}",
                                                subject, removed.error().message));
}

json::object ServiceImpl::mutate(Step& step) {
  for (int attempt = 0; attempt < kMaxStaleRetries; ++attempt) {
    refresh(step);
    const auto& mutation = std::get<Mutation>(step.planned);
    if (mutation.warning) {
      json::object warning = entity("warning_entity", *step.statement);
      warning["statementText"] = ended(mutation.statement);
      warning["message"] = *mutation.warning;
      return warning;
    }
    if (mutation.changes.empty()) return status_entity(step, "SUCCESS", -1);
    const std::vector<Mutation> one = shared({&step, 1});
    do_before(one);
    const auto submitted = commands_->submit({command_of(step, one.front())}, response_wait());
    if (submitted.error) throw not_written(*submitted.error);
    const auto& outcome = submitted.outcomes.front();
    if (outcome && outcome->stale) {
      withdraw(one.front(), *state());
      continue;
    }
    if (outcome) do_after(one.front());
    return accepted_entity(step, outcome);
  }
  throw general(Code::invalid_statement, "Other statements keep changing the catalog; try again.");
}

std::vector<Mutation> ServiceImpl::shared(std::span<const Step> together) const {
  std::vector<ToShare> all;
  for (const Step& step : together)
    if (const auto* mutation = std::get_if<Mutation>(&step.planned)) all.push_back({mutation, step.session.get()});
  return share_queries(all, config());
}

Command ServiceImpl::command_of(const Step& step, const Mutation& mutation) {
  return {mutation.command_id, step.version, mutation.statement, mutation.changes};
}

std::chrono::milliseconds ServiceImpl::response_wait() const {
  return std::chrono::milliseconds(config().integer("ksql.server.command.response.timeout.ms"));
}

json::object ServiceImpl::status_entity(const Step& step, const std::string& status, std::int64_t sequence) {
  const auto& mutation = std::get<Mutation>(step.planned);
  remember_status(mutation.command_id, status, mutation.message, mutation.query_id);
  json::object done = entity("currentStatus", *step.statement);
  done["statementText"] = ended(mutation.statement);
  done["commandId"] = mutation.command_id;
  done["commandStatus"] =
      json::object{{"status", status},
                   {"message", mutation.message},
                   {"queryId", mutation.query_id ? json::value(*mutation.query_id) : json::value()}};
  done["commandSequenceNumber"] = sequence;
  if (dialect_of(step.session->effective) == Dialect::millrace)
    for (const auto& plan : mutation.prepare)
      for (const json::value& warning : warnings_json(*plan)) done["warnings"].as_array().push_back(warning);
  return done;
}

json::object ServiceImpl::accepted_entity(const Step& step, const std::optional<CommandOutcome>& outcome) {
  if (!outcome) return status_entity(step, "QUEUED", -1);
  json::object done = status_entity(step, "SUCCESS", outcome->sequence);
  if (outcome->unfinished.empty()) return done;
  done["commandStatus"].as_object()["status"] = "EXECUTING";
  done["commandStatus"].as_object()["message"] = outcome->unfinished;
  return done;
}

// They start what they start together, and cost the log a few round trips in all. Statements that take something away,
// or take over from a query that runs, go by themselves.
std::size_t ServiceImpl::count_together(std::span<const Step> steps) const {
  const StatePtr now = state();
  if (steps.front().version != now->catalog.version || steps.front().sequence != now->next_sequence) return 0;
  std::set<std::string> queries;
  std::size_t count = 0;
  for (const Step& step : steps.first(std::min(steps.size(), kMostTogether))) {
    const auto* mutation = std::get_if<Mutation>(&step.planned);
    const bool change = std::holds_alternative<SessionChange>(step.planned);
    if (!change && (mutation == nullptr || !only_adds(*mutation, *now) || step.pretended)) break;
    if (mutation != nullptr && mutation->query_id && !queries.insert(*mutation->query_id).second) break;
    ++count;
  }
  return count;
}

// As many as the limit on statements lets pass; `admitted`: those before this one have passed already.
std::span<const ServiceImpl::Step> ServiceImpl::admit(std::span<const Step> steps, std::size_t at,
                                                      std::size_t& admitted) {
  for (std::size_t i = 0; i < steps.size(); ++i) {
    if (at + i < admitted) continue;
    if (std::holds_alternative<Mutation>(steps[i].planned) && limits_->admit_command()) return steps.first(i);
    admitted = at + i + 1;
  }
  return steps;
}

std::size_t ServiceImpl::run_together(std::span<const Step> together, json::array& entities, std::string& current) {
  const std::vector<Mutation> mutations = shared(together);
  if (mutations.size() < 2) return 0;
  std::vector<Command> commands;
  for (const Step& step : together)
    if (std::holds_alternative<Mutation>(step.planned))
      commands.push_back(command_of(step, mutations[commands.size()]));
  try {
    do_before(mutations);
  } catch (const SqlError&) {
    return 0;  // one by one those before the one at fault are done, and it is known which one that is
  }
  const auto submitted = commands_->submit(std::move(commands), response_wait() * static_cast<int>(mutations.size()));
  std::size_t command = 0;
  for (std::size_t done = 0; done < together.size(); ++done) {
    const Step& step = together[done];
    if (!std::holds_alternative<Mutation>(step.planned)) continue;
    current = step.statement->text;
    if (command == submitted.outcomes.size()) throw not_written(*submitted.error);
    const auto& outcome = submitted.outcomes[command];
    if (outcome && outcome->stale) {  // and so are those behind it
      for (; command < mutations.size(); ++command) withdraw(mutations[command], *state());
      return done;
    }
    entities.push_back(accepted_entity(step, outcome));
    ++command;
  }
  return together.size();
}

Result<std::unique_ptr<RowInserter>> ServiceImpl::open_rows(SourcePtr source) {
  LogTopics topics(log_);
  const auto topic = topics.find_topic(source->topic);
  if (!topic) return user_error("Topic '{}' does not exist.", source->topic);
  try {
    source = writable(source);
  } catch (const SqlError& error) {
    return user_error("{}", error.what());
  }
  return std::make_unique<RowInserter>(std::move(source), topic->partitions, log_, insert_writers_, keyless_++);
}

RowTurns::Turn ServiceImpl::insert_turn(const SourceDef& source) {
  return source.kind == RelationKind::table ? turns_.insert(source.topic) : RowTurns::Turn();
}

void ServiceImpl::insert(const RowInsert& insert) {
  const auto checked = [&](const Status& done) {
    if (!done)
      throw general(Code::invalid_insert,
                    fmt::format("Failed to insert values into '{}'. {}", insert.source->name, done.error().message));
  };
  auto rows = open_rows(insert.source);
  if (!rows) checked(rows.error());
  const RowTurns::Turn turn = insert_turn(*insert.source);
  for (const BoundInsert::Row& row : insert.bound.rows) checked((*rows)->add(row.values, row.time.value_or(now())));
  checked((*rows)->flush(true));
}

std::size_t ServiceImpl::change_rows(const RowChangeStatement& change, const SessionProperties& session) {
  const auto checked = [&](const Status& done) {
    if (!done)
      throw general(Code::external,
                    fmt::format("Failed to change rows of {}: {}", change.source->name, done.error().message));
  };
  const RowTurns::Turn turn = turns_.change(change.source->topic);
  std::vector<std::vector<Value>> found;
  if (change.bound.reads()) {
    const auto most = static_cast<std::size_t>(config().integer("millrace.insert.once.max.rows"));
    auto rows = change.bound.many ? read_finite(*change.bound.many, session) : read_rows(change.bound.found, session);
    if (!rows) checked(rows.error());
    checked(pull_all(**rows, [&](const Batch& batch) {
      for (std::size_t row = 0; row < batch.rows; ++row) {
        auto& values = found.emplace_back();
        for (const ColumnPtr& column : batch.columns) values.push_back(get_value(*column, row));
      }
      return found.size() <= most;
    }));
    if (found.size() > most)
      throw general(Code::invalid_insert,
                    fmt::format("The statement concerns more than {} rows; nothing was written.", most))
          .hint("millrace.insert.once.max.rows sets the limit");
  }
  auto writer = open_rows(change.source);
  if (!writer) checked(writer.error());
  const std::vector<RowChange> changes = row_changes(change.bound, std::move(found));
  for (const RowChange& row : changes) {
    const std::int64_t time = row.time.value_or(now());
    checked(row.removed ? (*writer)->remove(row.values, time) : (*writer)->add(row.values, time));
  }
  checked((*writer)->flush(true));
  return changes.size();
}

}  // namespace millrace::inline server
