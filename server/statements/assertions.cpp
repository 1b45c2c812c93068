#include <fmt/format.h>

#include <thread>

#include "parser/ast/format.h"
#include "server/statements/entities.h"
#include "server/statements/families.h"

namespace millrace::inline server {
namespace json = boost::json;
namespace {

std::string literal_text(const ast::ExprPtr& value) {
  if (const auto* text = value->as<ast::StringLiteral>()) return text->value;
  return ast::format(*value);
}

/// What is wrong with a topic, one line a problem; empty when it is as asserted.
std::string topic_problems(const ast::AssertTopic& check, const ShowContext& context) {
  auto described = context.log.describe_topic(check.topic.text);
  if (!described) throw SqlError(Code::external, {}, described.error().message, ErrorClass::general);
  if (!check.exists) return *described ? fmt::format("Topic {} exists", check.topic.text) : "";
  if (!*described) return fmt::format("Topic {} does not exist", check.topic.text);
  std::string problems;
  for (const ast::Property& property : check.properties) {
    const bool partitions = property.name == "PARTITIONS";
    if (!partitions && property.name != "REPLICAS") {
      problems +=
          fmt::format("{}Cannot assert unknown topic property: {}", problems.empty() ? "" : "\n", property.name);
      continue;
    }
    const std::string wanted = literal_text(property.value);
    const int actual = partitions ? (*described)->config.partitions : (*described)->config.replicas;
    if (wanted != std::to_string(actual))
      problems += fmt::format("{}Mismatched configuration for topic {}: For config {}, expected {} got {}",
                              problems.empty() ? "" : "\n", check.topic.text, partitions ? "partitions" : "replicas",
                              wanted, actual);
  }
  return problems;
}

/// What is wrong with a schema; empty when it is as asserted.
std::string schema_problems(const ast::AssertSchema& check, SchemaRegistry& registry) {
  const auto checked = [](auto result) {
    if (!result) throw SqlError(Code::external, {}, result.error().message, ErrorClass::general);
    return std::move(*result);
  };
  bool exists = true;
  if (check.subject && check.id) {
    exists = false;
    for (const int version : checked(registry.versions(*check.subject))) {
      const auto found = checked(registry.find(*check.subject, version));
      exists = exists || (found && found->id == *check.id);
    }
  } else if (check.subject) {
    exists = checked(registry.find(*check.subject, 0)).has_value();
  } else if (check.id) {
    exists = checked(registry.find(static_cast<std::int32_t>(*check.id))).has_value();
  }
  if (exists == check.exists) return "";
  return fmt::format("Schema{}{} {}", check.subject ? fmt::format(" with subject name {}", *check.subject) : "",
                     check.id ? fmt::format(" id {}", *check.id) : "", exists ? "exists" : "does not exist");
}

/// Asks again until nothing is wrong; throws what is wrong when the time is over.
void wait_until_right(const std::function<std::string()>& problems_of, std::int64_t millis, Span span) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(millis);
  std::string problems = problems_of();
  while (!problems.empty() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    problems = problems_of();
  }
  if (!problems.empty()) throw SqlError(Code::assertion_failed, span, problems);
}

json::object assert_topic(const ast::AssertTopic& check, const ast::Statement& statement, const ShowContext& context) {
  const std::int64_t wait = check.timeout
                                ? check.timeout->millis
                                : setting_integer(context.session.effective, "ksql.assert.topic.default.timeout.ms");
  wait_until_right([&] { return topic_problems(check, context); }, wait, check.topic.span);
  json::object object = entity("assert_topic", statement);
  object["topicName"] = check.topic.text;
  object["exists"] = check.exists;
  return object;
}

json::object assert_schema(const ast::AssertSchema& check, const ast::Statement& statement,
                           const ShowContext& context) {
  const std::int64_t wait = check.timeout
                                ? check.timeout->millis
                                : setting_integer(context.session.effective, "ksql.assert.schema.default.timeout.ms");
  wait_until_right([&] { return schema_problems(check, context.registry); }, wait, statement.span);
  json::object object = entity("assert_schema", statement);
  object["subject"] = check.subject ? json::value(*check.subject) : json::value();
  object["id"] = check.id ? json::value(*check.id) : json::value();
  object["exists"] = check.exists;
  return object;
}

}  // namespace

Planned plan(const ast::AssertTopic& check, const ast::Statement& statement, const StatementContext&) {
  return Show{[&](const ShowContext& context) { return assert_topic(check, statement, context); }};
}

Planned plan(const ast::AssertSchema& check, const ast::Statement& statement, const StatementContext&) {
  return Show{[&](const ShowContext& context) { return assert_schema(check, statement, context); }};
}

void need(const ast::AssertTopic& check, Needs& needs) {
  needs.shown.push_back(check.topic.text);
}

}  // namespace millrace::inline server
