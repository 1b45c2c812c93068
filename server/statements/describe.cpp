#include <fmt/format.h>

#include <map>

#include "planner/bind/views.h"
#include "planner/physical/guarantee.h"
#include "server/queries/topics.h"
#include "server/statements/entities.h"
#include "server/statements/families.h"
#include "server/statements/shared_queries.h"

namespace millrace::inline server {
namespace json = boost::json;
namespace {

using ReadPositions = std::map<std::string, std::map<int, std::int64_t>>;  // next offsets, by topic and partition

/// What another process says of how far it has come, from its part of /clusterStatus.
void add_positions(const json::value& report, const std::string& query_id, ReadPositions& read) {
  boost::system::error_code missing;
  const json::value* lags = report.find_pointer("/status/hostStoreLags/stateStoreLags", missing);
  if (lags == nullptr || !lags->is_object()) return;
  const std::string prefix = query_id + "#";
  for (const auto& [store, lag] : lags->get_object()) {
    const json::value* partitions =
        std::string_view(store).starts_with(prefix) ? lag.find_pointer("/lagByPartition", missing) : nullptr;
    if (partitions == nullptr || !partitions->is_object()) continue;
    for (const auto& [partition, position] : partitions->get_object())
      if (const json::value* offset = position.find_pointer("/currentOffsetPosition", missing);
          offset && offset->is_int64())
        read[std::string(store).substr(prefix.size())][std::atoi(std::string(partition).c_str())] = offset->get_int64();
  }
}

/// How far the tasks of a query have come in what they read, wherever they run.
json::array topic_summaries(const QueryInfo& query, const ShowContext& context) {
  ReadPositions read;
  for (const auto& [host, report] : context.others()) add_positions(report, query.id, read);
  for (const TaskStatus& task : context.engine.tasks()) {
    if (task.query_id != query.id && !has_part(*query.plan, task.query_id)) continue;
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
  std::int64_t rows = 0, errors = 0;
  if (extended) {
    LogTopics topics(context.log);
    if (auto topic = topics.find_topic(source.topic)) {
      partitions = topic->partitions;
      replicas = topic->replicas;
    }
    for (const QueryPtr& query : state->writers_of(source.name)) {
      for (const HostQuery& one : query_at_hosts(*query, context)) {
        rows += one.rows_out;
        errors += one.bad_records;
      }
      summaries.push_back(json::object{
          {"groupId", fmt::format("_confluent-ksql-{}query_{}", context.config.text("ksql.service.id"), query->id)},
          {"topicSummaries", topic_summaries(*query, context)}});
    }
  }
  std::string guarantee;
  for (const QueryPtr& query : state->writers_of(source.name))
    if (extended && guarantee.empty()) guarantee = guarantee_of(*query->plan);
  json::array constraints;
  for (const QueryPtr& query : state->readers_of(source.name))
    if (query->origin == QueryOrigin::create_as) constraints.emplace_back(query->sink);
  json::object description{{"name", source.name},
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
  if (!guarantee.empty()) description["guarantee"] = guarantee;
  return description;
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
  if (const ViewDef* view = find_view(context.state.catalog, describe.name)) {
    SourceDef shown;
    shown.name = view->name;
    shown.schema = view_columns(*view, context.bind());
    shown.statement = view->statement;
    return Show{[&statement, shown](const ShowContext& now) {
      json::object object = entity("sourceDescription", statement);
      object["sourceDescription"] = source_description(shown, false, now);
      object["sourceDescription"].as_object()["type"] = "VIEW";
      return object;
    }};
  }
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

void need(const ast::DescribeSource& describe, Needs& needs) {
  needs.shown.push_back(describe.name.text);
}

}  // namespace millrace::inline server
