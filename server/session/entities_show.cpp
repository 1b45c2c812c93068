#include <fmt/format.h>

#include <set>

#include "parser/ast/format.h"
#include "server/session/service_impl.h"

namespace millrace::inline server {
namespace json = boost::json;

json::object entity(std::string_view type, const ast::Statement& statement) {
  return {{"@type", type}, {"statementText", statement.text}, {"warnings", json::array{}}};
}

std::string_view state_name(QueryState state) {
  switch (state) {
    case QueryState::paused:
      return "PAUSED";
    case QueryState::error:
      return "ERROR";
    case QueryState::rebalancing:
      return "REBALANCING";
    case QueryState::restoring:
      return "RESTORING";
    default:
      return "RUNNING";
  }
}

json::object query_json(const QueryInfo& query, ServiceImpl& service) {
  auto status = service.engine().status(query.id);
  const std::string state(status ? state_name(status->state) : query.paused ? "PAUSED" : "RUNNING");
  json::array sinks, topics;
  if (!query.sink.empty()) sinks.emplace_back(query.sink);
  if (!query.sink_topic.empty()) topics.emplace_back(query.sink_topic);
  return {{"queryString", query.statement},
          {"sinks", std::move(sinks)},
          {"sinkKafkaTopics", std::move(topics)},
          {"id", query.id},
          {"statusCount", json::object{{state, 1}}},
          {"queryType", "PERSISTENT"},
          {"state", state}};
}

json::object type_json(const Type& type) {
  json::object object{{"type", type.base_name()}, {"fields", nullptr}, {"memberSchema", nullptr}};
  switch (type.kind()) {
    case TypeKind::decimal:
      object["parameters"] = json::object{{"precision", type.precision()}, {"scale", type.scale()}};
      break;
    case TypeKind::array:
      object["memberSchema"] = type_json(type.element());
      break;
    case TypeKind::map:
      object["memberSchema"] = type_json(type.value());
      break;
    case TypeKind::structure: {
      json::array fields;
      for (const StructField& field : type.fields())
        fields.push_back(json::object{{"name", field.name}, {"schema", type_json(field.type)}});
      object["fields"] = std::move(fields);
      break;
    }
    default:
      break;
  }
  return object;
}

namespace {

json::object source_json(const SourceDef& source) {
  return {{"type", source.kind == RelationKind::stream ? "STREAM" : "TABLE"},
          {"name", source.name},
          {"topic", source.topic},
          {"keyFormat", source.key_format.name},
          {"valueFormat", source.value_format.name},
          {"isWindowed", source.window.has_value()}};
}

json::object show_sources(const ast::ShowSources& show, const ast::Statement& statement, ServiceImpl& service) {
  const StatePtr state = service.state();
  const bool streams = show.kind == ast::SourceKind::stream;
  json::array list;
  for (const auto& [name, source] : state->catalog.sources)
    if ((source->kind == RelationKind::stream) == streams) list.push_back(source_json(*source));
  json::object object = entity(streams ? "streams" : "tables", statement);
  object[streams ? "streams" : "tables"] = std::move(list);
  return object;
}

json::object show_topics(const ast::ShowTopics& show, const ast::Statement& statement, ServiceImpl& service) {
  auto topics = service.log().list_topics();
  if (!topics) throw SqlError(Code::external, {}, topics.error().message, ErrorClass::general);
  const std::string hidden = service.config().text("ksql.hidden.topics");
  json::array list;
  for (const TopicDescription& topic : *topics) {
    if (!show.all && (matches_topic_list(topic.name, hidden) || topic.name.starts_with("_confluent-ksql-"))) continue;
    json::array replicas;
    for (int i = 0; i < topic.config.partitions; ++i) replicas.emplace_back(topic.config.replicas);
    json::object entry{{"name", topic.name}, {"replicaInfo", std::move(replicas)}};
    if (show.extended) {
      int consumers = 0;
      for (const auto& [id, query] : service.state()->queries)
        for (const std::string& name : query->sources)
          if (const SourceDef* source = service.state()->catalog.find(name);
              source != nullptr && source->topic == topic.name)
            ++consumers;
      entry["consumerCount"] = consumers;
      entry["consumerGroupCount"] = consumers;
    }
    list.push_back(std::move(entry));
  }
  json::object object = entity(show.extended ? "kafka_topics_extended" : "kafka_topics", statement);
  object["topics"] = std::move(list);
  return object;
}

json::object show_queries(const ast::Statement& statement, ServiceImpl& service) {
  json::array list;
  for (const auto& [id, query] : service.state()->queries) list.push_back(query_json(*query, service));
  {
    std::lock_guard lock(service.push_queries()->mutex);
    for (const auto& [id, cancel] : service.push_queries()->cancel)
      list.push_back(json::object{{"queryString", ""},
                                  {"sinks", json::array{}},
                                  {"sinkKafkaTopics", json::array{}},
                                  {"id", id},
                                  {"statusCount", json::object{{"RUNNING", 1}}},
                                  {"queryType", "PUSH"},
                                  {"state", "RUNNING"}});
  }
  json::object object = entity("queries", statement);
  object["queries"] = std::move(list);
  return object;
}

json::object show_functions(const ast::Statement& statement, ServiceImpl& service) {
  constexpr std::string_view kTypes[] = {"SCALAR", "AGGREGATE", "TABLE"};
  json::array list;
  for (const FunctionDef& function : service.functions().all())
    list.push_back(json::object{{"name", function.name},
                                {"type", kTypes[static_cast<std::size_t>(function.kind)]},
                                {"category", function.category}});
  json::object object = entity("function_names", statement);
  object["functions"] = std::move(list);
  return object;
}

json::object show_properties(const ast::Statement& statement, const SessionProperties& session) {
  json::array list, overwritten, defaults;
  for (const Setting& setting : settings()) {
    auto it = session.effective.find(std::string(setting.name));
    const bool set = it != session.effective.end();
    list.push_back(json::object{{"name", setting.name},
                                {"scope", "KSQL"},
                                {"value", set ? json::value(it->second) : json::value(setting.fallback)},
                                {"editable", setting.scope == SettingScope::query},
                                {"level", setting.scope == SettingScope::query ? "QUERY" : "SERVER"}});
    if (!set) defaults.emplace_back(setting.name);
  }
  for (const auto& [name, value] : session.overrides) overwritten.emplace_back(name);
  json::object object = entity("properties", statement);
  object["properties"] = std::move(list);
  object["overwrittenProperties"] = std::move(overwritten);
  object["defaultProperties"] = std::move(defaults);
  return object;
}

}  // namespace

json::object show_entity(const ast::Statement& statement, ServiceImpl& service, const SessionProperties& session,
                         const Variables& variables) {
  if (const auto* show = statement.as<ast::ShowSources>()) {
    if (show->extended) return describe_entity(statement, service, session);
    return show_sources(*show, statement, service);
  }
  if (const auto* show = statement.as<ast::ShowTopics>()) return show_topics(*show, statement, service);
  if (const auto* show = statement.as<ast::ShowQueries>()) {
    if (show->extended) return explain_entity(ast::Explain{}, statement, service, session);
    return show_queries(statement, service);
  }
  if (statement.as<ast::ShowFunctions>()) return show_functions(statement, service);
  if (statement.as<ast::ShowProperties>()) return show_properties(statement, session);
  if (statement.as<ast::ShowTypes>()) {
    json::object types, object = entity("type_list", statement);
    for (const auto& [name, type] : service.state()->catalog.types) types[name] = type_json(type);
    object["types"] = std::move(types);
    return object;
  }
  if (statement.as<ast::ShowVariables>()) {
    json::array list;
    for (const auto& [name, value] : variables) list.push_back(json::object{{"name", name}, {"value", value}});
    json::object object = entity("variables", statement);
    object["variables"] = std::move(list);
    return object;
  }
  throw SqlError(Code::not_supported, statement.span, "This statement is not supported yet.");
}

}  // namespace millrace::inline server
