#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include "exec/expr/evaluator.h"
#include "exec/formats/format.h"
#include "parser/ast/format.h"
#include "server/session/service_impl.h"

namespace millrace::inline server {
namespace json = boost::json;
namespace {

constexpr int kMaxStaleRetries = 20;

SqlError general(Code code, const std::string& message) {
  return SqlError(code, {}, message, ErrorClass::general);
}

void set_property(SessionProperties& session, const std::string& name, const std::string& value, const Config& config) {
  check_session_property(name, value);
  config.check_override(name);
  const std::string plain(plain_property_name(name));
  session.overrides[plain] = value;
  session.effective[plain] = value;
}

void unset_property(SessionProperties& session, const std::string& name, const Config& config) {
  const std::string plain(plain_property_name(name));
  session.overrides.erase(plain);
  session.effective.erase(plain);
  if (auto value = config.find(plain)) session.effective[plain] = *value;
}

bool is_query(const ast::Statement& statement) {
  return statement.as<ast::Select>() || statement.as<ast::Print>();
}

bool is_test_only(const ast::Statement& statement) {
  return statement.as<ast::AssertValues>() || statement.as<ast::AssertSource>() || statement.as<ast::RunScript>();
}

bool is_connector(const ast::Statement& statement) {
  return statement.as<ast::CreateConnector>() || statement.as<ast::DropConnector>() ||
         statement.as<ast::DescribeConnector>() || statement.as<ast::ShowConnectors>() ||
         statement.as<ast::ShowConnectorPlugins>();
}

void refuse_misplaced(const ast::Statement& statement) {
  if (is_test_only(statement))
    throw SqlError(Code::invalid_statement, statement.span,
                   "ASSERT VALUES, ASSERT STREAM|TABLE and RUN SCRIPT only run in `millrace test`.");
  if (is_connector(statement))
    throw SqlError(Code::not_supported, statement.span, "Connectors are not supported yet.")
        .hint("use Kafka Connect's own REST API");
}

}  // namespace

Reply ServiceImpl::execute(const Request& request) {
  Reply reply;
  std::string text, current;
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
    SessionProperties session = session_properties(request);
    const std::vector<ast::StatementPtr> statements = parse_request(request, session, text);
    for (const ast::StatementPtr& statement : statements)
      if (is_query(*statement)) {
        reply.error = service_error(kQueryEndpoint,
                                    "The following statement types should be issued to the websocket endpoint "
                                    "'/query':\n\t* PRINT\n\t* SELECT");
        reply.error->statement = statement->text;
        return reply;
      }
    validate(statements, session);
    for (const ast::StatementPtr& statement : statements) {
      current = statement->text;
      if (statement->as<ast::ShowVariables>()) {
        reply.entities.push_back(show_entity(*statement, *this, session, request.variables));
      } else if (auto done = execute_one(*statement, session)) {
        reply.entities.push_back(std::move(*done));
      }
    }
  } catch (const SqlError& error) {
    // Only the request's own properties are refused without a statement at fault.
    const bool plain = current.empty() && error.statement().empty();
    reply.error = to_service_error(error, current.empty() ? request.sql : current, plain);
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

void ServiceImpl::validate(const std::vector<ast::StatementPtr>& statements, SessionProperties session) {
  ServiceState sandbox = *state();
  LogTopics topics(log_);
  for (const ast::StatementPtr& statement : statements) {
    try {
      refuse_misplaced(*statement);
      if (const auto* set = statement->as<ast::SetProperty>()) {
        set_property(session, set->name, set->value, config());
      } else if (const auto* unset = statement->as<ast::UnsetProperty>()) {
        unset_property(session, unset->name, config());
      } else if (is_mutation(*statement)) {
        const Mutation mutation =
            plan_mutation(*statement, {sandbox, functions_, topics, session.effective, session.overrides, config()});
        if (mutation.changes.empty()) continue;
        apply(sandbox, mutation.changes);
        ++sandbox.next_sequence;
        if (mutation.create_topic)
          topics.pretend(mutation.create_topic->first,
                         {mutation.create_topic->second.partitions, mutation.create_topic->second.replicas});
      } else if (const auto* insert = statement->as<ast::InsertValues>()) {
        (void)bind_insert_values(*insert, {sandbox.catalog, functions_, topics, session.effective, evaluate_constant});
      }
    } catch (SqlError& error) {
      if (error.statement().empty()) error.set_statement(statement->text);
      throw;
    }
  }
}

std::optional<json::object> ServiceImpl::execute_one(const ast::Statement& statement, SessionProperties& session) {
  if (is_mutation(statement)) return mutate(statement, session);
  if (const auto* insert = statement.as<ast::InsertValues>()) {
    insert_values(*insert, session);
    return std::nullopt;
  }
  if (const auto* set = statement.as<ast::SetProperty>()) {
    set_property(session, set->name, set->value, config());
    return std::nullopt;
  }
  if (const auto* unset = statement.as<ast::UnsetProperty>()) {
    unset_property(session, unset->name, config());
    return std::nullopt;
  }
  if (statement.as<ast::DefineVariable>() || statement.as<ast::UndefineVariable>()) return std::nullopt;
  if (statement.as<ast::DescribeSource>() || statement.as<ast::DescribeStreams>() ||
      statement.as<ast::DescribeFunction>())
    return describe_entity(statement, *this, session);
  if (const auto* explain = statement.as<ast::Explain>()) return explain_entity(*explain, statement, *this, session);
  if (statement.as<ast::AssertTopic>() || statement.as<ast::AssertSchema>())
    return assert_entity(statement, *this, session);
  return show_entity(statement, *this, session, {});
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

void ServiceImpl::do_after(const Mutation& mutation) {
  for (const auto& plan : mutation.forget)
    if (Status forgotten = engine_->forget(*plan); !forgotten)
      spdlog::warn("forgetting {}: {}", plan->query_id, forgotten.error().message);
  if (mutation.delete_topic)
    if (Status deleted = log_.delete_topic(*mutation.delete_topic); !deleted)
      throw general(Code::external, fmt::format("The source was dropped, but its topic {} could not be deleted: {}",
                                                *mutation.delete_topic, deleted.error().message));
}

json::object ServiceImpl::mutate(const ast::Statement& statement, const SessionProperties& session) {
  const auto wait = std::chrono::milliseconds(config().integer("ksql.server.command.response.timeout.ms"));
  for (int attempt = 0; attempt < kMaxStaleRetries; ++attempt) {
    const StatePtr now = state();
    LogTopics topics(log_);
    const Mutation mutation =
        plan_mutation(statement, {*now, functions_, topics, session.effective, session.overrides, config()});
    if (mutation.warning) {
      json::object warning = entity("warning_entity", statement);
      warning["statementText"] = mutation.statement;
      warning["message"] = *mutation.warning;
      return warning;
    }
    std::int64_t sequence = -1;
    std::string status = "SUCCESS";
    if (!mutation.changes.empty()) {
      do_before(mutation);
      auto outcome =
          commands_->submit({mutation.command_id, now->catalog.version, mutation.statement, mutation.changes}, wait);
      if (!outcome)
        throw general(Code::external,
                      fmt::format("Could not write the statement to the command topic: {}", outcome.error().message));
      if (*outcome && (*outcome)->stale) continue;
      if (*outcome) {
        sequence = (*outcome)->sequence;
        do_after(mutation);
      } else {
        status = "QUEUED";
      }
    }
    remember_status(mutation.command_id, status, mutation.message, mutation.query_id);
    json::object done = entity("currentStatus", statement);
    done["statementText"] = mutation.statement;
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

void ServiceImpl::insert_values(const ast::InsertValues& insert, const SessionProperties& session) {
  if (!config().boolean("ksql.insert.into.values.enabled"))
    throw general(Code::invalid_insert, "The server has disabled INSERT INTO ... VALUES functionality.");
  const StatePtr now = state();
  LogTopics topics(log_);
  const BoundInsert bound =
      bind_insert_values(insert, {now->catalog, functions_, topics, session.effective, evaluate_constant});
  const SourceDef& source = *now->catalog.find(bound.target);
  if (matches_topic_list(source.topic, config().text("ksql.readonly.topics")))
    throw general(Code::read_only, fmt::format("Cannot insert values into read-only topic: {}", source.topic));
  const std::vector<ColumnDef> keys = source.schema.keys(), values = source.schema.values();
  const std::span<const Value> row = bound.row;
  auto fail = [&](const std::string& why) {
    return general(Code::invalid_insert, fmt::format("Failed to insert values into '{}'. {}", bound.target, why));
  };
  auto key = encode_row(source.key_format, keys, row.first(keys.size()), true);
  if (!key) throw fail(key.error().message);
  auto value = encode_row(source.value_format, values, row.subspan(keys.size(), values.size()), false);
  if (!value) throw fail(value.error().message);
  const auto described = topics.find_topic(source.topic);
  if (!described) throw fail(fmt::format("Topic '{}' does not exist.", source.topic));
  const std::int32_t partition = *key ? partition_for(**key, described->partitions)
                                      : static_cast<std::int32_t>(keyless_++ % described->partitions);
  const std::int64_t time = bound.row_time ? *bound.row_time : ServiceImpl::now();
  auto view = [](const std::optional<std::string>& text) {
    return text ? std::optional<std::string_view>(*text) : std::nullopt;
  };
  if (auto appended = log_.append_now({source.topic, partition}, view(*key), view(*value), time); !appended)
    throw fail(appended.error().message);
}

}  // namespace millrace::inline server
