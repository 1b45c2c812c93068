#include "server/statements/entities.h"

#include <fmt/format.h>

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

json::object query_json(const QueryInfo& query, const ShowContext& context) {
  auto status = context.engine.status(query.id);
  const std::string state(status         ? state_name(status->state)
                          : query.paused ? "PAUSED"
                                         : "REBALANCING");  // it is about to start
  json::array sinks, topics;
  if (!query.sink.empty()) sinks.emplace_back(query.sink);
  if (!query.sink_topic.empty()) topics.emplace_back(query.sink_topic);
  json::object shown{{"queryString", query.statement},
                     {"sinks", std::move(sinks)},
                     {"sinkKafkaTopics", std::move(topics)},
                     {"id", query.id},
                     {"statusCount", json::object{{state, 1}}},
                     {"queryType", kPersistentQuery},
                     {"state", state}};
  if (status && status->state == QueryState::error) shown["error"] = status->error;
  return shown;
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
  constexpr std::string_view kWindows[] = {"TUMBLING", "HOPPING", "SESSION"};
  return window ? json::value(kWindows[static_cast<std::size_t>(window->type)]) : json::value();
}

}  // namespace millrace::inline server
