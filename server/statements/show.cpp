#include <fmt/format.h>

#include "server/queries/topics.h"
#include "server/statements/entities.h"
#include "server/statements/families.h"

namespace millrace::inline server {
namespace json = boost::json;
namespace {

json::object source_json(const SourceDef& source) {
  return {{"type", source.kind == RelationKind::stream ? "STREAM" : "TABLE"},
          {"name", source.name},
          {"topic", source.topic},
          {"keyFormat", source.key_format.name},
          {"valueFormat", source.value_format.name},
          {"isWindowed", source.window.has_value()}};
}

/// Topics that are no user's: those of a service's own, and those that the operator lists.
bool is_hidden(const std::string& topic, const Config& config) {
  return topic.starts_with("_confluent-ksql-") || topic == slots_topic(config.text("ksql.service.id")) ||
         matches_topic_list(topic, config.text("ksql.hidden.topics"));
}

json::object show_topics(const ast::ShowTopics& show, const ast::Statement& statement, const ShowContext& context) {
  auto topics = context.log.list_topics();
  if (!topics) throw SqlError(Code::external, {}, topics.error().message, ErrorClass::general);
  std::vector<std::string> subjects;  // none where the registry cannot be asked: topics are shown all the same
  if (show.extended)
    if (auto known = context.registry.subjects()) subjects = std::move(*known);
  json::array list;
  for (const TopicDescription& topic : *topics) {
    if (!show.all && is_hidden(topic.name, context.config)) continue;
    json::array replicas;
    for (int i = 0; i < topic.config.partitions; ++i) replicas.emplace_back(topic.config.replicas);
    json::object entry{{"name", topic.name}, {"replicaInfo", std::move(replicas)}};
    if (show.extended) {
      int consumers = 0;
      for (const auto& [id, query] : context.state->queries)
        for (const std::string& name : query->sources)
          if (const SourceDef* source = context.state->catalog.find(name);
              source != nullptr && source->topic == topic.name)
            ++consumers;
      entry["consumerCount"] = consumers;
      entry["consumerGroupCount"] = consumers;
      entry["schemas"] = topic_schemas_json(topic.name, subjects, context.registry);
    }
    list.push_back(std::move(entry));
  }
  json::object object = entity(show.extended ? "kafka_topics_extended" : "kafka_topics", statement);
  object["topics"] = std::move(list);
  return object;
}

RelationKind relation_kind(ast::SourceKind kind) {
  return kind == ast::SourceKind::stream ? RelationKind::stream : RelationKind::table;
}

}  // namespace

Planned plan(const ast::ShowSources& show, const ast::Statement& statement, const StatementContext&) {
  return Show{[&show, &statement](const ShowContext& context) {
    if (show.extended) return source_descriptions(relation_kind(show.kind), true, statement, context);
    const std::string_view kind = show.kind == ast::SourceKind::stream ? "streams" : "tables";
    json::array list;
    for (const auto& [name, source] : context.state->catalog.sources)
      if (source->kind == relation_kind(show.kind)) list.push_back(source_json(*source));
    json::object object = entity(kind, statement);
    object[kind] = std::move(list);
    return object;
  }};
}

Planned plan(const ast::ShowTopics& show, const ast::Statement& statement, const StatementContext&) {
  return Show{[&](const ShowContext& context) { return show_topics(show, statement, context); }};
}

}  // namespace millrace::inline server
