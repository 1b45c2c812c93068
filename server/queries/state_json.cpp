#include <fmt/format.h>

#include <array>

#include "exec/runtime/layout.h"
#include "parser/syntax/parse.h"
#include "server/queries/state.h"

namespace millrace::inline server {
namespace json = boost::json;
namespace {

constexpr std::int64_t kCommandFormat = 1;
constexpr std::array<std::string_view, 15> kKinds = {"put_source",   "drop_source",  "put_type",      "drop_type",
                                                     "start_query",  "stop_query",   "pause_query",   "resume_query",
                                                     "set_property", "put_function", "drop_function", "put_view",
                                                     "drop_view",    "put_index",    "drop_index"};
constexpr std::array<std::string_view, 3> kWindows = {"TUMBLING", "HOPPING", "SESSION"};
constexpr std::array<std::string_view, 3> kOrigins = {"create_as", "insert_into", "source_table"};
constexpr std::array<std::string_view, 3> kRoles = {"key", "value", "header"};

template <std::size_t N>
std::size_t index_of(const std::array<std::string_view, N>& names, std::string_view name) {
  for (std::size_t i = 0; i < N; ++i)
    if (names[i] == name) return i;
  throw std::runtime_error(fmt::format("unknown word '{}' in the command log", name));
}

/// Plans nest as deep as the expressions of a statement, which the parser of SQL bounds.
json::value parse_deep(std::string_view text) {
  json::parse_options options;
  options.max_depth = 16'384;
  return json::parse(text, {}, options);
}

std::string text(const json::object& object, std::string_view name) {
  return std::string(object.at(name).as_string());
}
std::optional<std::string> optional_text(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr || value->is_null()) return std::nullopt;
  return std::string(value->as_string());
}
void put(json::object& object, std::string_view name, const std::optional<std::string>& value) {
  if (value) object[name] = *value;
}

json::array to_json(const Schema& schema) {
  json::array columns;
  for (const ColumnDef& column : schema.columns) {
    json::object entry{{"name", column.name},
                       {"type", column.type.to_string()},
                       {"role", std::string(kRoles[static_cast<std::size_t>(column.role)])}};
    put(entry, "headerKey", column.header_key);
    columns.push_back(std::move(entry));
  }
  return columns;
}

Schema schema_from(const json::array& columns) {
  Schema schema;
  const Catalog no_aliases;
  for (const json::value& value : columns) {
    const json::object& entry = value.as_object();
    schema.columns.push_back({text(entry, "name"), resolve_type(parse_type(text(entry, "type")), no_aliases),
                              static_cast<ColumnRole>(index_of(kRoles, text(entry, "role"))),
                              optional_text(entry, "headerKey")});
  }
  return schema;
}

json::object to_json(const WriterSchema& schema) {
  json::array imports;
  for (const auto& [name, content] : schema.schema.imports)
    imports.push_back(json::object{{"name", name}, {"text", content}});
  return {{"id", schema.id}, {"text", schema.schema.text}, {"imports", std::move(imports)}};
}
std::shared_ptr<const WriterSchema> writer_schema_from(const json::object& object) {
  auto schema = std::make_shared<WriterSchema>();
  schema->id = object.at("id").to_number<std::int32_t>();
  schema->schema.text = text(object, "text");
  for (const json::value& import : object.at("imports").as_array())
    schema->schema.imports.emplace_back(text(import.as_object(), "name"), text(import.as_object(), "text"));
  return schema;
}

json::object to_json(const FormatInfo& format) {
  json::object object{
      {"name", format.name}, {"delimiter", std::string(1, format.delimiter)}, {"wrapSingle", format.wrap_single}};
  if (format.nullable != NullableRepresentation::none) object["nullable"] = static_cast<int>(format.nullable);
  if (!format.full_name.empty()) object["fullName"] = format.full_name;
  if (format.naming != SubjectNaming::topic) object["naming"] = static_cast<int>(format.naming);
  if (format.schema) object["schema"] = to_json(*format.schema);
  return object;
}
FormatInfo format_from(const json::object& object) {
  FormatInfo format{text(object, "name"), text(object, "delimiter").at(0), object.at("wrapSingle").as_bool()};
  if (const auto* nullable = object.if_contains("nullable"))
    format.nullable = static_cast<NullableRepresentation>(nullable->to_number<int>());
  format.full_name = optional_text(object, "fullName").value_or("");
  if (const auto* naming = object.if_contains("naming"))
    format.naming = static_cast<SubjectNaming>(naming->to_number<int>());
  if (const auto* schema = object.if_contains("schema")) format.schema = writer_schema_from(schema->as_object());
  return format;
}

json::object to_json(const SourceDef& source) {
  json::object object{{"name", source.name},
                      {"kind", source.kind == RelationKind::stream ? "stream" : "table"},
                      {"topic", source.topic},
                      {"schema", to_json(source.schema)},
                      {"keyFormat", to_json(source.key_format)},
                      {"valueFormat", to_json(source.value_format)},
                      {"partitions", source.partitions},
                      {"replicas", source.replicas},
                      {"readOnly", source.read_only},
                      {"fromQuery", source.from_query},
                      {"createdBy", source.created_by},
                      {"statement", source.statement}};
  put(object, "timestampColumn", source.timestamp_column);
  put(object, "timestampFormat", source.timestamp_format);
  if (source.broadcast) object["broadcast"] = true;
  if (source.wrap_single_value) object["wrapSingleValue"] = *source.wrap_single_value;
  if (source.window_retention_ms) object["windowRetention"] = *source.window_retention_ms;
  if (source.idle_timeout_ms) object["idleTimeout"] = *source.idle_timeout_ms;
  if (source.history_ms) object["history"] = *source.history_ms;
  if (source.window) {
    json::object window{{"type", std::string(kWindows[static_cast<std::size_t>(source.window->type)])}};
    if (source.window->size_ms) window["size"] = *source.window->size_ms;
    object["window"] = std::move(window);
  }
  return object;
}

SourcePtr source_from(const json::object& object) {
  auto source = std::make_shared<SourceDef>();
  source->name = text(object, "name");
  source->kind = text(object, "kind") == "stream" ? RelationKind::stream : RelationKind::table;
  source->topic = text(object, "topic");
  source->schema = schema_from(object.at("schema").as_array());
  source->key_format = format_from(object.at("keyFormat").as_object());
  source->value_format = format_from(object.at("valueFormat").as_object());
  source->partitions = static_cast<int>(object.at("partitions").as_int64());
  source->replicas = static_cast<int>(object.at("replicas").as_int64());
  source->read_only = object.at("readOnly").as_bool();
  source->from_query = object.at("fromQuery").as_bool();
  source->created_by = text(object, "createdBy");
  source->statement = text(object, "statement");
  source->timestamp_column = optional_text(object, "timestampColumn");
  source->timestamp_format = optional_text(object, "timestampFormat");
  if (const auto* broadcast = object.if_contains("broadcast")) source->broadcast = broadcast->as_bool();
  if (const auto* wrap = object.if_contains("wrapSingleValue")) source->wrap_single_value = wrap->as_bool();
  if (const auto* kept = object.if_contains("windowRetention")) source->window_retention_ms = kept->as_int64();
  if (const auto* idle = object.if_contains("idleTimeout")) source->idle_timeout_ms = idle->as_int64();
  if (const auto* history = object.if_contains("history")) source->history_ms = history->as_int64();
  if (const auto* window = object.if_contains("window")) {
    const json::object& entry = window->as_object();
    WindowInfo info{static_cast<WindowType>(index_of(kWindows, text(entry, "type"))), std::nullopt};
    if (const auto* size = entry.if_contains("size")) info.size_ms = size->as_int64();
    source->window = info;
  }
  return source;
}

json::object to_json(const QueryInfo& query) {
  json::object properties;
  for (const auto& [name, value] : query.properties) properties[name] = value;
  json::object object{{"id", query.id},
                      {"origin", std::string(kOrigins[static_cast<std::size_t>(query.origin)])},
                      {"statement", query.statement},
                      {"sink", query.sink},
                      {"sinkTopic", query.sink_topic},
                      {"sources", json::value_from(query.sources)},
                      {"properties", std::move(properties)},
                      {"plan", parse_deep(to_json(*query.plan))}};
  if (!query.late_sinks.empty()) object["lateSinks"] = json::value_from(query.late_sinks);
  return object;
}

QueryPtr query_from(const json::object& object, const FunctionCatalog& functions) {
  auto query = std::make_shared<QueryInfo>();
  query->id = text(object, "id");
  query->origin = static_cast<QueryOrigin>(index_of(kOrigins, text(object, "origin")));
  query->statement = text(object, "statement");
  query->sink = text(object, "sink");
  query->sink_topic = text(object, "sinkTopic");
  query->sources = json::value_to<std::vector<std::string>>(object.at("sources"));
  if (const auto* late = object.if_contains("lateSinks"))
    query->late_sinks = json::value_to<std::vector<std::string>>(*late);
  for (const auto& entry : object.at("properties").as_object())
    query->properties[entry.key()] = std::string(entry.value().as_string());
  query->identity = stable_hash(json::serialize(object));
  query->plan = std::make_shared<const PhysicalPlan>(physical_from_json(json::serialize(object.at("plan")), functions));
  return query;
}

json::object to_json(const Change& change) {
  json::object object{{"op", std::string(kKinds[static_cast<std::size_t>(change.kind)])}};
  if (!change.name.empty()) object["name"] = change.name;
  if (!change.value.empty()) object["value"] = change.value;
  if (change.source) object["source"] = to_json(*change.source);
  if (change.query) object["query"] = to_json(*change.query);
  return object;
}

Change change_from(const json::object& object, const FunctionCatalog& functions) {
  Change change{static_cast<Change::Kind>(index_of(kKinds, text(object, "op"))), {}, {}, nullptr, nullptr};
  change.name = optional_text(object, "name").value_or("");
  change.value = optional_text(object, "value").value_or("");
  if (const auto* source = object.if_contains("source")) change.source = source_from(source->as_object());
  if (const auto* query = object.if_contains("query")) change.query = query_from(query->as_object(), functions);
  return change;
}

/// The name of what a change is about, whatever it says about it.
std::string object_of(const json::value& change, const std::string& command_id) {
  const json::object* object = change.if_object();
  if (object == nullptr) return command_id;
  for (const auto& [inner, field] : {std::pair{"source", "name"}, std::pair{"query", "id"}}) {
    const json::value* part = object->if_contains(inner);
    const json::value* name = part != nullptr && part->is_object() ? part->as_object().if_contains(field) : nullptr;
    if (name != nullptr && name->is_string()) return std::string(name->as_string());
  }
  const json::value* name = object->if_contains("name");
  return name != nullptr && name->is_string() ? std::string(name->as_string()) : command_id;
}

}  // namespace

std::string command_to_json(const Command& command) {
  json::array changes;
  for (const Change& change : command.changes) changes.push_back(to_json(change));
  json::object object{{"format", kCommandFormat},
                      {"id", command.id},
                      {"version", command.version},
                      {"statement", command.statement},
                      {"changes", std::move(changes)}};
  if (command.followers > 0) object["followers"] = command.followers;
  return json::serialize(object);
}

Command command_from_json(std::string_view text_form, const FunctionCatalog& functions) {
  const json::value parsed = parse_deep(text_form);
  const json::object& object = parsed.as_object();
  Command command;
  command.id = text(object, "id");
  command.version = object.at("version").to_number<std::uint64_t>();
  command.statement = text(object, "statement");
  if (const auto* followers = object.if_contains("followers"))
    command.followers = followers->to_number<std::uint32_t>();
  const std::int64_t format = object.at("format").as_int64();
  for (const json::value& change : object.at("changes").as_array()) {
    try {
      if (format != kCommandFormat)
        throw std::runtime_error(fmt::format("it has format {}, this program reads {}", format, kCommandFormat));
      command.changes.push_back(change_from(change.as_object(), functions));
    } catch (const std::exception& error) {
      command.unreadable.emplace_back(object_of(change, command.id), error.what());
    }
  }
  return command;
}

}  // namespace millrace::inline server
