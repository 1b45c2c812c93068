#include "planner/bind/schemas.h"

#include <fmt/format.h>

#include <algorithm>

#include "parser/error/letter_case.h"
#include "planner/bind/formats.h"

namespace millrace::inline planner {
namespace {

/// Names as unquoted ones are: a schema that is not named by id is read as if its columns were declared.
Type with_capital_names(const Type& type) {
  switch (type.kind()) {
    case TypeKind::array:
      return Type::array(with_capital_names(type.element()));
    case TypeKind::map:
      return Type::map(type.key(), with_capital_names(type.value()));
    case TypeKind::structure: {
      std::vector<StructField> fields;
      for (const StructField& field : type.fields())
        fields.push_back({upper_case(field.name), with_capital_names(field.type)});
      return Type::structure(std::move(fields));
    }
    default:
      return type;
  }
}

const char* part_word(bool is_key) {
  return is_key ? "key" : "value";
}

SchemaLookup& require_registry(const BindContext& context, Span span) {
  if (context.schemas) return *context.schemas;
  throw SqlError(Code::invalid_format, span,
                 "A schema registry is needed for this format and none is configured: set ksql.schema.registry.url.");
}

[[noreturn]] void fail_missing(const std::string& topic, bool is_key, std::optional<std::int64_t> id, Span span) {
  if (id)
    throw SqlError(Code::invalid_schema, span,
                   fmt::format("Schema for message {}s on topic '{}' with id {} does not exist in the Schema Registry.",
                               part_word(is_key), topic, *id));
  throw SqlError(
      Code::invalid_schema, span,
      fmt::format("Schema for message {0}s on topic '{1}' does not exist in the Schema Registry.\nSubject: "
                  "{1}-{0}\nPossible causes include:\n- The topic itself does not exist\n\t-> Use SHOW TOPICS; to "
                  "check\n- Messages on the topic are not serialized using a format Schema Registry supports\n\t-> Use "
                  "PRINT '{1}' FROM BEGINNING; to verify\n- Messages on the topic have not been serialized using a "
                  "serializer that registers schemas\n- The schema is registered on a different instance of the Schema "
                  "Registry",
                  part_word(is_key), topic))
      .hint("list the columns in the statement, or register the schema first");
}

std::vector<ColumnDef> columns_of(const Type& type, ColumnRole role) {
  std::vector<ColumnDef> columns;
  for (const StructField& field : type.fields()) columns.push_back({field.name, field.type, role, std::nullopt});
  return columns;
}

std::vector<ColumnDef> key_columns(const FormatInfo& format, const Type& type) {
  if (!has_bare_key(format, 1) && type.kind() == TypeKind::structure) return columns_of(type, ColumnRole::key);
  return {{"ROWKEY", type, ColumnRole::key, std::nullopt}};
}

std::vector<ColumnDef> value_columns(const Type& type, bool bare, const std::string& topic, Span span) {
  if (bare) return {{"ROWVAL", type, ColumnRole::value, std::nullopt}};
  if (type.kind() == TypeKind::structure) return columns_of(type, ColumnRole::value);
  throw SqlError(
      Code::invalid_schema, span,
      fmt::format("The schema of the values of topic '{}' describes no record but {}.", topic, type.to_string()))
      .hint("WRAP_SINGLE_VALUE=false reads such values as one column");
}

/// Subjects that are named after a record need its name.
void check_naming(const FormatInfo& format, bool is_key, bool bare, Span span) {
  if (format.naming == SubjectNaming::topic || (!format.full_name.empty() && !bare)) return;
  const char* part = is_key ? "KEY" : "VALUE";
  const std::string strategy = fmt::format("ksql.schema.registry.{}.subject.name.strategy", part_word(is_key));
  if (bare)
    throw SqlError(Code::invalid_property, span,
                   fmt::format("A {} that is no record has no name that its subject could have.", part_word(is_key)))
        .hint(fmt::format("SET '{}'='TopicNameStrategy'", strategy));
  throw SqlError(Code::invalid_property, span,
                 fmt::format("{} names the subject after the record, which this statement does not name.", strategy))
      .hint(fmt::format("{}_SCHEMA_FULL_NAME names it", part));
}

/// The columns that a registered schema gives one part of a source; nothing where there is none and need not be.
std::vector<ColumnDef> infer_part(SourceDef& source, bool is_key, const WithProperties& with,
                                  const BindContext& context, bool optional) {
  FormatInfo& format = is_key ? source.key_format : source.value_format;
  const auto id = is_key ? with.key_schema_id : with.value_schema_id;
  SchemaLookup& schemas = require_registry(context, with.span);
  if (!id) check_naming(format, is_key, false, with.span);
  const auto found = schemas.find_schema({format, source.topic, is_key}, id);
  if (!found) {
    if (optional && !id) return {};
    fail_missing(source.topic, is_key, id, with.span);
  }
  format.schema = found->writer;
  const Type type = id ? found->type : with_capital_names(found->type);
  if (is_key) return key_columns(format, type);
  return value_columns(type, with.wrap_single_value == false, source.topic, with.span);
}

void set_written(SourceDef& source, bool is_key, bool only_new, const BindContext& context) {
  FormatInfo& format = is_key ? source.key_format : source.value_format;
  const FormatDef* def = find_format(format.name);
  const auto columns = is_key ? source.schema.keys() : source.schema.values();
  if (!def || !def->registry || columns.empty() || (format.schema && only_new) || is_read_only(format)) return;
  SchemaLookup& schemas = require_registry(context, {});
  check_naming(format, is_key, columns.size() == 1 && (is_key ? has_bare_key(format, 1) : !format.wrap_single), {});
  format.schema = schemas.register_schema({format, source.topic, is_key}, source.name, columns, only_new);
}

/// A sink's columns must be the first of the schema's, in its order.
void check_columns(const std::vector<ColumnDef>& columns, const std::vector<ColumnDef>& registered, bool is_key,
                   Span span) {
  std::vector<ColumnDef> changed;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const bool same_name = is_key && columns.size() == 1 && registered.size() == 1 && registered[0].name == "ROWKEY";
    if (i < registered.size() && columns[i].type == registered[i].type &&
        (same_name || columns[i].name == registered[i].name))
      continue;
    changed.push_back(columns[i]);
  }
  if (changed.empty()) return;
  throw SqlError(Code::invalid_schema, span,
                 fmt::format("The following {} columns are changed, missing or reordered: [{}]. Schema from schema "
                             "registry is [{}]",
                             part_word(is_key), Schema{changed}.to_string(), Schema{registered}.to_string()));
}

void set_by_id(SourceDef& sink, bool is_key, std::int64_t id, const WithProperties& with, const BindContext& context) {
  FormatInfo& format = is_key ? sink.key_format : sink.value_format;
  SchemaLookup& schemas = require_registry(context, with.span);
  const auto found = schemas.find_schema({format, sink.topic, is_key}, id);
  if (!found) fail_missing(sink.topic, is_key, id, with.span);
  const auto columns = is_key ? sink.schema.keys() : sink.schema.values();
  const bool bare = !is_key && columns.size() == 1 && !format.wrap_single;
  check_columns(columns,
                is_key ? key_columns(format, found->type) : value_columns(found->type, bare, sink.topic, with.span),
                is_key, with.span);
  const std::string fault = schemas.writing_fault(format, *found->writer, columns, is_key);
  if (!fault.empty())
    throw SqlError(Code::invalid_schema, with.span, fmt::format("Schema {} cannot be written: {}", id, fault));
  format.schema = found->writer;
}

}  // namespace

void infer_columns(SourceDef& source, const WithProperties& with, const BindContext& context) {
  const auto keys = source.schema.keys();
  const auto values = source.schema.values();
  std::vector<ColumnDef> headers;
  for (const ColumnDef& column : source.schema.columns)
    if (column.role == ColumnRole::header) headers.push_back(column);
  const auto registry = [&](const FormatInfo& format) { return require_format(format.name, with.span).registry; };
  Schema schema{keys};
  const auto append = [&](const std::vector<ColumnDef>& columns) {
    schema.columns.insert(schema.columns.end(), columns.begin(), columns.end());
  };
  if (keys.empty() && registry(source.key_format)) append(infer_part(source, true, with, context, true));
  auto inferred =
      values.empty() && registry(source.value_format) ? infer_part(source, false, with, context, false) : values;
  // A change tells the whole row, its key included.
  if (is_read_only(source.value_format))
    std::erase_if(inferred, [&](const ColumnDef& column) { return schema.find(column.name).has_value(); });
  append(inferred);
  append(headers);
  source.schema = std::move(schema);
}

void set_source_schemas(SourceDef& source, const BindContext& context) {
  set_written(source, true, true, context);
  set_written(source, false, true, context);
}

void set_sink_schemas(SourceDef& sink, const WithProperties& with, const BindContext& context) {
  for (const bool is_key : {true, false}) {
    if (const auto id = is_key ? with.key_schema_id : with.value_schema_id)
      set_by_id(sink, is_key, *id, with, context);
    else
      set_written(sink, is_key, false, context);
  }
}

}  // namespace millrace::inline planner
