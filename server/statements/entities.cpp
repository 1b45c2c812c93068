#include "server/statements/entities.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "planner/physical/warnings.h"

namespace millrace::inline server {
namespace json = boost::json;

json::object entity(std::string_view type, const ast::Statement& statement) {
  return {{"@type", type}, {"statementText", statement.text}, {"warnings", json::array{}}};
}

json::array warnings_json(const PhysicalPlan& plan) {
  json::array list;
  for (const std::string& message : warnings_of(plan)) list.push_back(json::object{{"message", message}});
  return list;
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

namespace {

/// Of a query that the engine does not know yet.
HostQuery host_query(const QueryInfo& query, Engine& engine) {
  const auto status = engine.status(query.id);
  if (!status) return {.host = {}, .state = query.paused ? "PAUSED" : "REBALANCING", .error = {}};
  return {.host = {},
          .state = std::string(state_name(status->state)),
          .error = status->error,
          .error_time = status->error_time,
          .rows_out = static_cast<std::int64_t>(status->rows_out),
          .bad_records = static_cast<std::int64_t>(status->bad_records)};
}

std::int64_t number_in(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_int64() ? value->get_int64() : 0;
}

std::string text_in(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->get_string()) : std::string();
}

/// What another process says of a query. One that does not answer, or has not come to know of it, says nothing.
HostQuery host_query(const std::string& host, const json::value& report, const std::string& id) {
  const json::value* queries = report.is_object() ? report.get_object().if_contains("queries") : nullptr;
  const json::value* known =
      queries != nullptr && queries->is_object() ? queries->get_object().if_contains(id) : nullptr;
  if (known == nullptr || !known->is_object())
    return {.host = host, .state = report.is_object() ? "REBALANCING" : "UNRESPONSIVE", .error = {}};
  const json::object& said = known->get_object();
  return {.host = host,
          .state = text_in(said, "state"),
          .error = text_in(said, "error"),
          .error_time = number_in(said, "errorTime"),
          .rows_out = number_in(said, "rowsOut"),
          .bad_records = number_in(said, "badRecords")};
}

}  // namespace

json::object query_report(const QueryInfo& query, Engine& engine) {
  const HostQuery here = host_query(query, engine);
  return {{"state", here.state},
          {"error", here.error},
          {"errorTime", here.error_time},
          {"rowsOut", here.rows_out},
          {"badRecords", here.bad_records}};
}

std::vector<HostQuery> query_at_hosts(const QueryInfo& query, const ShowContext& context) {
  std::vector<HostQuery> hosts{host_query(query, context.engine)};
  hosts.front().host = context.host;
  for (const auto& [host, report] : context.others()) hosts.push_back(host_query(host, report, query.id));
  return hosts;
}

std::string worst_state(const std::vector<HostQuery>& hosts) {
  for (const std::string_view state : {"ERROR", "RESTORING", "REBALANCING", "UNRESPONSIVE", "PAUSED"})
    if (std::ranges::find(hosts, state, &HostQuery::state) != hosts.end()) return std::string(state);
  return "RUNNING";
}

json::object query_json(const QueryInfo& query, const ShowContext& context) {
  const std::vector<HostQuery> hosts = query_at_hosts(query, context);
  std::map<std::string, std::int64_t> counts;
  for (const HostQuery& one : hosts) ++counts[one.state];
  json::array sinks, topics;
  if (!query.sink.empty()) sinks.emplace_back(query.sink);
  if (!query.sink_topic.empty()) topics.emplace_back(query.sink_topic);
  json::object shown{{"queryString", query.statement},
                     {"sinks", std::move(sinks)},
                     {"sinkKafkaTopics", std::move(topics)},
                     {"id", query.id},
                     {"statusCount", json::value_from(counts)},
                     {"queryType", kPersistentQuery},
                     {"state", worst_state(hosts)}};
  for (const HostQuery& one : hosts) {
    if (one.state != "ERROR" || shown.contains("error")) continue;
    shown["error"] = hosts.size() == 1 ? one.error : fmt::format("{}: {}", one.host, one.error);
  }
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
