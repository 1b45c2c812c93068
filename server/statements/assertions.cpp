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

json::object assert_topic(const ast::AssertTopic& check, const ast::Statement& statement, const ShowContext& context) {
  const auto wait = std::chrono::milliseconds(
      check.timeout ? check.timeout->millis
                    : setting_integer(context.session.effective, "ksql.assert.topic.default.timeout.ms"));
  const auto deadline = std::chrono::steady_clock::now() + wait;
  std::string problems = topic_problems(check, context);
  while (!problems.empty() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    problems = topic_problems(check, context);
  }
  if (!problems.empty()) throw SqlError(Code::assertion_failed, check.topic.span, problems);
  json::object object = entity("assert_topic", statement);
  object["topicName"] = check.topic.text;
  object["exists"] = check.exists;
  return object;
}

}  // namespace

Planned plan(const ast::AssertTopic& check, const ast::Statement& statement, const StatementContext&) {
  return Show{[&](const ShowContext& context) { return assert_topic(check, statement, context); }};
}

Planned plan(const ast::AssertSchema&, const ast::Statement& statement, const StatementContext&) {
  throw SqlError(Code::not_supported, statement.span, "ASSERT SCHEMA is not supported yet.")
      .hint("there is no schema registry support yet");
}

}  // namespace millrace::inline server
