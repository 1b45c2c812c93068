#include <fmt/format.h>

#include <map>

#include "server/queries/topics.h"
#include "server/statements/entities.h"
#include "server/statements/families.h"

namespace millrace::inline server {
namespace json = boost::json;
namespace {

/// How far the tasks of a query that run here have come in what they read.
json::array topic_summaries(const std::string& query_id, const ShowContext& context) {
  std::map<std::string, std::map<int, std::int64_t>> read;
  for (const TaskStatus& task : context.engine.tasks()) {
    if (task.query_id != query_id) continue;
    for (const TaskStatus::Input& input : task.inputs) read[input.topic][task.partition] = input.committed;
  }
  json::array topics;
  for (const auto& [topic, partitions] : read) {
    json::array offsets;
    for (const auto& [partition, committed] : partitions)
      if (auto bounds = context.log.bounds({topic, partition}))
        offsets.push_back(json::object{{"partition", partition},
                                       {"logStartOffset", bounds->begin},
                                       {"logEndOffset", bounds->end},
                                       {"consumerOffset", committed}});
    topics.push_back(json::object{{"kafkaTopic", topic}, {"offsets", std::move(offsets)}});
  }
  return topics;
}

json::object source_description(const SourceDef& source, bool extended, const ShowContext& context) {
  const StatePtr state = context.state;
  json::array readers, writers, summaries;
  for (const QueryPtr& query : state->readers_of(source.name)) readers.push_back(query_json(*query, context));
  for (const QueryPtr& query : state->writers_of(source.name)) writers.push_back(query_json(*query, context));
  int partitions = 0, replicas = 0;
  std::uint64_t rows = 0, errors = 0;
  if (extended) {
    LogTopics topics(context.log);
    if (auto topic = topics.find_topic(source.topic)) {
      partitions = topic->partitions;
      replicas = topic->replicas;
    }
    for (const QueryPtr& query : state->writers_of(source.name)) {
      if (auto status = context.engine.status(query->id)) {
        rows += status->rows_out;
        errors += status->bad_records;
      }
      summaries.push_back(json::object{
          {"groupId", fmt::format("_confluent-ksql-{}query_{}", context.config.text("ksql.service.id"), query->id)},
          {"topicSummaries", topic_summaries(query->id, context)}});
    }
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
          {"schemas", extended ? schemas_json(source, context.registry) : json::array{}},
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

}  // namespace

json::object source_descriptions(RelationKind kind, bool extended, const ast::Statement& statement,
                                 const ShowContext& context) {
  json::array list;
  for (const auto& [name, source] : context.state->catalog.sources)
    if (source->kind == kind) list.push_back(source_description(*source, extended, context));
  json::object object = entity("source_descriptions", statement);
  object["sourceDescriptions"] = std::move(list);
  return object;
}

Planned plan(const ast::DescribeSource& describe, const ast::Statement& statement, const StatementContext& context) {
  (void)find_source(context.state.catalog, describe.name);
  return Show{[&](const ShowContext& now) {
    json::object object = entity("sourceDescription", statement);
    object["sourceDescription"] =
        source_description(find_source(now.state->catalog, describe.name), describe.extended, now);
    return object;
  }};
}

Planned plan(const ast::DescribeStreams& describe, const ast::Statement& statement, const StatementContext&) {
  return Show{[&](const ShowContext& context) {
    return source_descriptions(RelationKind::stream, describe.extended, statement, context);
  }};
}

}  // namespace millrace::inline server
