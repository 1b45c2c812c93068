#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "exec/formats/schema_registrar.h"
#include "parser/error/mutex.h"
#include "server/session/service_impl.h"
#include "server/statements/entities.h"

namespace millrace::inline server {
namespace json = boost::json;
namespace {

constexpr int kMaxStaleRetries = 20;

SqlError general(Code code, const std::string& message) {
  return SqlError(code, {}, message, ErrorClass::general);
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
    for (Step& step : plan_request(parse_request(request, *session), session)) {
      current = step.statement->text;
      if (std::holds_alternative<Mutation>(step.planned))
        if ((reply.error = limits_->admit_command())) break;
      if (auto done = run(step)) reply.entities.push_back(std::move(*done));
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
      if (fixed_ && (std::holds_alternative<Mutation>(planned) || std::holds_alternative<RowInsert>(planned)))
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
  if (const auto* show = std::get_if<Show>(&step.planned)) {
    std::vector<std::pair<std::string, std::string>> push_queries;
    {
      const MutexLock lock(push_queries_->mutex);
      for (const auto& [id, running] : push_queries_->running) push_queries.emplace_back(id, running.text);
    }
    return show->entity({state(), log_, *engine_, functions_, config(), *step.session, options_.advertised,
                         std::move(push_queries), [this](const std::string& id) { return close_query(id); },
                         *registry_});
  }
  return std::nullopt;
}

void ServiceImpl::do_before(const Mutation& mutation) {
  if (mutation.create_topic) {
    const auto& [topic, topic_config] = *mutation.create_topic;
    auto existing = log_.describe_topic(topic);
    if (!existing) throw general(Code::external, existing.error().message);
    if (!*existing)
      if (Status made = log_.create_topic(topic, topic_config); !made)
        throw general(Code::external, fmt::format("topic {}: {}", topic, made.error().message));
  }
  for (const auto& plan : mutation.prepare)
    if (Status prepared = engine_->prepare(*plan); !prepared) throw general(Code::external, prepared.error().message);
}

// Another statement was faster. What runs already keeps its progress: it was only to be replaced.
void ServiceImpl::withdraw(const Mutation& mutation, const ServiceState& before) {
  for (const auto& plan : mutation.prepare) {
    if (before.find_query(plan->query_id) != nullptr) continue;
    if (Status done = engine_->withdraw(*plan); !done) spdlog::warn("{}: {}", plan->query_id, done.error().message);
  }
}

void ServiceImpl::do_after(const Mutation& mutation) {
  for (const auto& plan : mutation.forget)
    if (Status forgotten = engine_->forget(*plan); !forgotten)
      spdlog::warn("forgetting {}: {}", plan->query_id, forgotten.error().message);
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
  const auto wait = std::chrono::milliseconds(config().integer("ksql.server.command.response.timeout.ms"));
  for (int attempt = 0; attempt < kMaxStaleRetries; ++attempt) {
    refresh(step);
    const auto& mutation = std::get<Mutation>(step.planned);
    if (mutation.warning) {
      json::object warning = entity("warning_entity", *step.statement);
      warning["statementText"] = ended(mutation.statement);
      warning["message"] = *mutation.warning;
      return warning;
    }
    std::int64_t sequence = -1;
    std::string status = "SUCCESS";
    if (!mutation.changes.empty()) {
      do_before(mutation);
      auto outcome = commands_->submit({mutation.command_id, step.version, mutation.statement, mutation.changes}, wait);
      if (!outcome)
        throw general(Code::external,
                      fmt::format("Could not write the statement to the command topic: {}", outcome.error().message));
      if (*outcome && (*outcome)->stale) {
        withdraw(mutation, *state());
        continue;
      }
      if (*outcome) {
        sequence = (*outcome)->sequence;
        do_after(mutation);
      } else {
        status = "QUEUED";
      }
    }
    remember_status(mutation.command_id, status, mutation.message, mutation.query_id);
    json::object done = entity("currentStatus", *step.statement);
    done["statementText"] = ended(mutation.statement);
    done["commandId"] = mutation.command_id;
    done["commandStatus"] =
        json::object{{"status", status},
                     {"message", mutation.message},
                     {"queryId", mutation.query_id ? json::value(*mutation.query_id) : json::value()}};
    done["commandSequenceNumber"] = sequence;
    return done;
  }
  throw general(Code::invalid_statement, "Other statements keep changing the catalog; try again.");
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

void ServiceImpl::insert(const RowInsert& insert) {
  const auto checked = [&](const Status& done) {
    if (!done)
      throw general(Code::invalid_insert,
                    fmt::format("Failed to insert values into '{}'. {}", insert.source->name, done.error().message));
  };
  auto rows = open_rows(insert.source);
  if (!rows) checked(rows.error());
  for (const BoundInsert::Row& row : insert.bound.rows) checked((*rows)->add(row.values, row.time.value_or(now())));
  checked((*rows)->flush());
}

}  // namespace millrace::inline server
