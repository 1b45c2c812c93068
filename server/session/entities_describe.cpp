#include <fmt/format.h>

#include <thread>

#include "exec/expr/evaluator.h"
#include "parser/ast/format.h"
#include "server/session/service_impl.h"

namespace millrace::inline server {
namespace json = boost::json;
namespace {

constexpr std::string_view kWindows[] = {"TUMBLING", "HOPPING", "SESSION"};

json::array fields_json(const Schema& schema) {
  json::array fields;
  for (const ColumnDef& column : schema.columns) {
    json::object field{{"name", column.name}, {"schema", type_json(column.type)}};
    if (column.role == ColumnRole::key) field["type"] = "KEY";
    if (column.role == ColumnRole::header) {
      field["type"] = "HEADER";
      if (column.header_key) field["headerKey"] = *column.header_key;
    }
    fields.push_back(std::move(field));
  }
  return fields;
}

json::value window_json(const std::optional<WindowInfo>& window) {
  return window ? json::value(kWindows[static_cast<std::size_t>(window->type)]) : json::value();
}

json::array offsets_json(const SourceDef& source, int partitions, ServiceImpl& service) {
  json::array offsets;
  for (int p = 0; p < partitions; ++p) {
    auto bounds = service.log().bounds({source.topic, p});
    if (!bounds) break;
    offsets.push_back(json::object{{"partition", p},
                                   {"logStartOffset", bounds->begin},
                                   {"logEndOffset", bounds->end},
                                   {"consumerOffset", bounds->end}});
  }
  return offsets;
}

json::object source_description(const SourceDef& source, bool extended, ServiceImpl& service) {
  const StatePtr state = service.state();
  json::array readers, writers, summaries;
  for (const QueryPtr& query : state->readers_of(source.name)) readers.push_back(query_json(*query, service));
  for (const QueryPtr& query : state->writers_of(source.name)) writers.push_back(query_json(*query, service));
  int partitions = 0, replicas = 0;
  std::uint64_t rows = 0, errors = 0;
  if (extended) {
    LogTopics topics(service.log());
    if (auto topic = topics.find_topic(source.topic)) {
      partitions = topic->partitions;
      replicas = topic->replicas;
    }
    for (const QueryPtr& query : state->writers_of(source.name))
      if (auto status = service.engine().status(query->id)) {
        rows += status->rows_out;
        errors += status->bad_records;
      }
    summaries.push_back(json::object{
        {"groupId", service.config().text("ksql.service.id")},
        {"topicSummaries", json::array{json::object{{"kafkaTopic", source.topic},
                                                    {"offsets", offsets_json(source, partitions, service)}}}}});
  }
  json::array constraints;
  for (const QueryPtr& query : state->readers_of(source.name))
    if (query->origin == QueryOrigin::create_as) constraints.emplace_back(query->sink);
  return {{"name", source.name},
          {"windowType", window_json(source.window)},
          {"readQueries", std::move(readers)},
          {"writeQueries", std::move(writers)},
          {"fields", fields_json(source.schema)},
          {"type", source.kind == RelationKind::stream ? "STREAM" : "TABLE"},
          {"timestamp", source.timestamp_column.value_or("")},
          {"statistics", extended ? fmt::format("messages produced: {}", rows) : ""},
          {"errorStats", extended ? fmt::format("records skipped: {}", errors) : ""},
          {"extended", extended},
          {"keyFormat", source.key_format.name},
          {"valueFormat", source.value_format.name},
          {"topic", source.topic},
          {"partitions", partitions},
          {"replication", replicas},
          {"statement", source.statement},
          {"queryOffsetSummaries", std::move(summaries)},
          {"sourceConstraints", std::move(constraints)},
          {"clusterStatistics", json::array{}},
          {"clusterErrorStats", json::array{}}};
}

const SourceDef& find_source(const Catalog& catalog, const ast::Identifier& name) {
  const SourceDef* source = catalog.find(name.text);
  if (source == nullptr)
    throw SqlError(Code::unknown_source, name.span,
                   fmt::format("Could not find STREAM/TABLE '{}' in the Metastore", name.text))
        .hint("SHOW STREAMS and SHOW TABLES list what there is");
  return *source;
}

std::string pattern_text(const TypePattern& pattern) {
  switch (pattern.kind) {
    case TypePattern::Kind::concrete:
      return pattern.type.to_string();
    case TypePattern::Kind::any_decimal:
      return "DECIMAL";
    case TypePattern::Kind::generic:
      return pattern.variable;
    case TypePattern::Kind::array:
      return fmt::format("ARRAY<{}>", pattern_text(pattern.arguments[0]));
    case TypePattern::Kind::map:
      return fmt::format("MAP<{}, {}>", pattern_text(pattern.arguments[0]), pattern_text(pattern.arguments[1]));
    case TypePattern::Kind::any_struct:
      return "STRUCT";
    case TypePattern::Kind::lambda:
      return "LAMBDA";
    case TypePattern::Kind::interval_unit:
      return "INTERVALUNIT";
    default:
      return "ANY";
  }
}

json::object describe_function(const ast::DescribeFunction& describe, const ast::Statement& statement,
                               ServiceImpl& service) {
  constexpr std::string_view kTypes[] = {"SCALAR", "AGGREGATE", "TABLE"};
  const FunctionDef* function = service.functions().find(describe.name.text);
  if (function == nullptr)
    throw SqlError(Code::unknown_function, describe.name.span,
                   fmt::format("Can't find any functions with the name '{}'", describe.name.text))
        .hint("SHOW FUNCTIONS lists them");
  json::array variants;
  for (const FunctionVariant& variant : function->variants) {
    json::array arguments;
    for (std::size_t i = 0; i < variant.parameters.size(); ++i)
      arguments.push_back(json::object{{"name", variant.parameters[i].name},
                                       {"type", pattern_text(variant.parameters[i].type)},
                                       {"description", variant.parameters[i].doc},
                                       {"isVariadic", variant.variadic == static_cast<int>(i)}});
    variants.push_back(json::object{{"arguments", std::move(arguments)},
                                    {"returnType", pattern_text(variant.returns)},
                                    {"description", variant.doc}});
  }
  json::object object = entity("describe_function", statement);
  object["name"] = function->name;
  object["description"] = function->doc;
  object["author"] = "Millrace";
  object["version"] = "";
  object["path"] = "internal";
  object["type"] = kTypes[static_cast<std::size_t>(function->kind)];
  object["functions"] = std::move(variants);
  return object;
}

/// What a query is and does, for EXPLAIN. `id` empty: of a statement that does not run.
json::object query_description(const std::string& id, const std::string& statement, const PhysicalPlan& plan,
                               const std::vector<std::string>& sources, const std::string& sink,
                               const PropertyMap& overrides, ServiceImpl& service) {
  auto status = id.empty() ? std::nullopt : service.engine().status(id);
  json::array errors;
  if (status && !status->error.empty())
    errors.push_back(json::object{{"timestamp", 0}, {"errorMessage", status->error}, {"type", "UNKNOWN"}});
  json::object hosts, overridden;
  if (status) hosts[service.options().advertised] = std::string(state_name(status->state));
  for (const auto& [name, value] : overrides) overridden[name] = value;
  return {{"id", id},
          {"statementText", statement},
          {"windowType", window_json(plan.window)},
          {"fields", fields_json(plan.result)},
          {"sources", json::value_from(sources)},
          {"sinks", sink.empty() ? json::array{} : json::array{json::value(sink)}},
          {"topology", explain(plan)},
          {"executionPlan", fmt::format("rules: {}", fmt::join(plan.fired_rules, ", "))},
          {"overriddenProperties", std::move(overridden)},
          {"ksqlHostQueryStatus", std::move(hosts)},
          {"queryType", id.empty() ? "PUSH" : "PERSISTENT"},
          {"queryErrors", std::move(errors)},
          {"tasksMetadata", json::array{}},
          {"consumerGroupId", service.config().text("ksql.service.id")},
          {"state", status ? json::value(state_name(status->state)) : json::value()}};
}

json::object describe_query(const QueryInfo& query, ServiceImpl& service) {
  return query_description(query.id, query.statement, *query.plan, query.sources, query.sink, query.properties,
                           service);
}

json::object explain_statement(const ast::Statement& inner, ServiceImpl& service, const SessionProperties& session) {
  const StatePtr state = service.state();
  LogTopics topics(service.log());
  if (const auto* select = inner.as<ast::Select>()) {
    BoundQuery bound =
        bind_push(*select->query, {state->catalog, service.functions(), topics, session.effective, evaluate_constant});
    auto plan = make_plan(bound.root, bound.options, "explained", true, session.effective, service.config());
    return query_description("", ast::format(inner), *plan, bound.sources, "", session.overrides, service);
  }
  if (!inner.as<ast::CreateAs>() && !inner.as<ast::InsertSelect>())
    throw SqlError(Code::invalid_statement, inner.span, "The provided statement does not run a ksql query");
  Mutation mutation = plan_mutation(
      inner, {*state, service.functions(), topics, session.effective, session.overrides, service.config()});
  for (const Change& change : mutation.changes)
    if (change.query)
      return query_description("", change.query->statement, *change.query->plan, change.query->sources,
                               change.query->sink, session.overrides, service);
  throw SqlError(Code::invalid_statement, inner.span, "The provided statement does not run a ksql query");
}

}  // namespace

json::object describe_entity(const ast::Statement& statement, ServiceImpl& service, const SessionProperties&) {
  const StatePtr state = service.state();
  if (const auto* describe = statement.as<ast::DescribeFunction>())
    return describe_function(*describe, statement, service);
  if (const auto* describe = statement.as<ast::DescribeSource>()) {
    json::object object = entity("sourceDescription", statement);
    object["sourceDescription"] =
        source_description(find_source(state->catalog, describe->name), describe->extended, service);
    return object;
  }
  const auto* show = statement.as<ast::ShowSources>();
  const RelationKind kind =
      show != nullptr && show->kind == ast::SourceKind::table ? RelationKind::table : RelationKind::stream;
  const bool extended = show != nullptr ? show->extended : statement.as<ast::DescribeStreams>()->extended;
  json::array list;
  for (const auto& [name, source] : state->catalog.sources)
    if (source->kind == kind) list.push_back(source_description(*source, extended, service));
  json::object object = entity("source_descriptions", statement);
  object["sourceDescriptions"] = std::move(list);
  return object;
}

json::object explain_entity(const ast::Explain& explain, const ast::Statement& statement, ServiceImpl& service,
                            const SessionProperties& session) {
  const StatePtr state = service.state();
  if (statement.as<ast::ShowQueries>()) {
    json::array list;
    for (const auto& [id, query] : state->queries) list.push_back(describe_query(*query, service));
    json::object object = entity("query_descriptions", statement);
    object["queryDescriptions"] = std::move(list);
    return object;
  }
  json::object object = entity("queryDescription", statement);
  if (explain.query_id) {
    const QueryInfo* query = state->find_query(explain.query_id->text);
    if (query == nullptr)
      throw SqlError(Code::invalid_statement, explain.query_id->span,
                     fmt::format("Query with id:{} does not exist, use SHOW QUERIES to view the full set of queries.",
                                 explain.query_id->text));
    object["queryDescription"] = describe_query(*query, service);
  } else {
    object["queryDescription"] = explain_statement(*explain.statement, service, session);
  }
  return object;
}

namespace {

std::string literal_text(const ast::ExprPtr& value) {
  if (const auto* text = value->as<ast::StringLiteral>()) return text->value;
  return ast::format(*value);
}

/// What is wrong with a topic, one line a problem; empty when it is as asserted.
std::string topic_problems(const ast::AssertTopic& check, ServiceImpl& service) {
  auto described = service.log().describe_topic(check.topic.text);
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

}  // namespace

json::object assert_entity(const ast::Statement& statement, ServiceImpl& service, const SessionProperties&) {
  const auto* check = statement.as<ast::AssertTopic>();
  if (check == nullptr)
    throw SqlError(Code::not_supported, statement.span, "ASSERT SCHEMA is not supported yet.")
        .hint("there is no schema registry support yet");
  const auto wait = std::chrono::milliseconds(
      check->timeout ? check->timeout->millis : service.config().integer("ksql.assert.topic.default.timeout.ms"));
  const auto deadline = std::chrono::steady_clock::now() + wait;
  std::string problems = topic_problems(*check, service);
  while (!problems.empty() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    problems = topic_problems(*check, service);
  }
  if (!problems.empty()) throw SqlError(Code::assertion_failed, check->topic.span, problems);
  json::object object = entity("assert_topic", statement);
  object["topicName"] = check->topic.text;
  object["exists"] = check->exists;
  return object;
}

}  // namespace millrace::inline server
