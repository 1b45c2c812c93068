#include <fmt/format.h>

#include <algorithm>

#include "parser/ast/format.h"
#include "planner/bind/binder.h"
#include "planner/bind/dialect.h"
#include "planner/bind/formats.h"
#include "planner/bind/schemas.h"
#include "planner/bind/scope.h"
#include "planner/bind/source_checks.h"

namespace millrace::inline planner {
namespace {

RelationKind kind_of(ast::SourceKind kind) {
  return kind == ast::SourceKind::stream ? RelationKind::stream : RelationKind::table;
}

Type headers_type() {
  return Type::array(Type::structure({{"KEY", Type::string()}, {"VALUE", Type::bytes()}}));
}

/// A header column must have the one type its form has.
void check_header(const ast::ColumnDefinition& column, const Type& type) {
  const bool all = column.role == ast::ColumnRole::headers;
  const Type wanted = all ? headers_type() : Type::bytes();
  if (type == wanted) return;
  throw SqlError(Code::invalid_schema, column.span,
                 fmt::format("Invalid type for {} column: expected {}, got {}",
                             all ? "HEADERS" : fmt::format("HEADER('{}')", column.header_key), wanted.to_string(),
                             type.to_string()));
}

void check_header_set(const std::vector<ast::ColumnDefinition>& columns) {
  const ast::ColumnDefinition* all = nullptr;
  std::vector<std::string> keys;
  for (const auto& column : columns) {
    if (column.role == ast::ColumnRole::headers) {
      if (all) throw SqlError(Code::invalid_schema, column.span, "Schema already contains a HEADERS column.");
      all = &column;
    } else if (column.role == ast::ColumnRole::header) {
      if (std::ranges::find(keys, column.header_key) != keys.end()) {
        throw SqlError(Code::invalid_schema, column.span,
                       fmt::format("Schema already contains a HEADER('{}') column.", column.header_key));
      }
      keys.push_back(column.header_key);
    }
  }
  if (all && !keys.empty()) {
    throw SqlError(Code::invalid_schema, all->span, "Schema cannot contain both HEADERS and HEADER('key') columns.");
  }
}

void check_key_word(const ast::ColumnDefinition& column, RelationKind kind) {
  const bool stream = kind == RelationKind::stream;
  if (column.role != (stream ? ast::ColumnRole::primary_key : ast::ColumnRole::key)) return;
  const char* used = stream ? "PRIMARY KEY" : "KEY";
  const char* wanted = stream ? "KEY" : "PRIMARY KEY";
  throw SqlError(
      Code::invalid_schema, column.span,
      fmt::format(
          "Line: {}, Col: {}: Column `{}` is a '{}' column: please use '{}' for {}s.\nTables have PRIMARY KEYs, "
          "which are unique and NON NULL.\nStreams have KEYs, which have no uniqueness or NON NULL "
          "constraints.",
          column.span.line, column.span.column, column.name.text, used, wanted, kind_word(kind)),
      ErrorClass::parse);
}

Schema resolve_columns(const ast::CreateSource& statement, const Catalog& catalog) {
  std::vector<ColumnDef> keys;
  std::vector<ColumnDef> values;
  std::vector<ColumnDef> headers;
  for (const auto& column : statement.columns) {
    check_key_word(column, kind_of(statement.kind));
    ColumnDef def{.name = column.name.text, .type = resolve_type(column.type, catalog)};
    switch (column.role) {
      case ast::ColumnRole::value:
        values.push_back(def);
        break;
      case ast::ColumnRole::key:
      case ast::ColumnRole::primary_key:
        def.role = ColumnRole::key;
        keys.push_back(def);
        break;
      case ast::ColumnRole::headers:
      case ast::ColumnRole::header:
        check_header(column, def.type);
        def.role = ColumnRole::header;
        if (column.role == ast::ColumnRole::header) def.header_key = column.header_key;
        headers.push_back(def);
        break;
    }
    check_reserved_names({def}, column.name.span);
  }
  check_header_set(statement.columns);
  Schema schema{std::move(keys)};
  schema.columns.insert(schema.columns.end(), values.begin(), values.end());
  schema.columns.insert(schema.columns.end(), headers.begin(), headers.end());
  return schema;
}

void check_has_columns(const ast::CreateSource& statement, const SourceDef& source) {
  if (source.kind == RelationKind::table && source.schema.key_count() == 0) {
    throw SqlError(Code::invalid_schema, statement.name.span,
                   "Tables require a PRIMARY KEY. Please define the PRIMARY KEY.");
  }
  if (source.schema.columns.empty()) {
    throw SqlError(Code::invalid_schema, statement.name.span, "No columns supplied.");
  }
}

void set_formats(const ast::CreateSource& statement, const BindContext& context, const WithProperties& with,
                 SourceDef& source) {
  const auto key = with.wanted_key_format();
  const auto value = with.wanted_value_format();
  const auto value_default = find_property(context.properties, "ksql.persistence.default.format.value");
  if (!value && (!value_default || value_default->empty())) {
    throw SqlError(
        Code::invalid_property, statement.name.span,
        "Statement is missing the 'VALUE_FORMAT' property from the WITH clause. Either provide one or set a default "
        "via the 'ksql.persistence.default.format.value' config.");
  }
  const std::string key_name = key.value_or(default_key_format(context.properties));
  if ((with.key_schema_id && source.schema.key_count() > 0) ||
      (with.value_schema_id && !source.schema.values().empty())) {
    throw SqlError(Code::invalid_schema, with.span,
                   fmt::format("Table elements and {}_SCHEMA_ID cannot both exist for create statement.",
                               with.key_schema_id && source.schema.key_count() > 0 ? "KEY" : "VALUE"));
  }
  source.key_format = make_format(key_name, with.key_delimiter, true, with, context.properties);
  source.value_format =
      make_format(value ? *value : *value_default, with.value_delimiter, false, with, context.properties);
  if (source.kind == RelationKind::stream && is_read_only(source.value_format))
    throw SqlError(Code::invalid_format, with.span,
                   fmt::format("Format '{}' tells the changes of a table: it makes a TABLE, not a STREAM.",
                               source.value_format.name));
}

void check_formats(const ast::CreateSource& statement, const BindContext& context, const WithProperties& with,
                   SourceDef& source) {
  const auto keys = source.schema.keys();
  const auto values = source.schema.values();
  check_no_map_key(keys, statement.name.span);
  source.wrap_single_value =
      resolve_wrap(require_format(source.value_format.name, with.span), values.size(), with.wrap_single_value,
                   find_flag(context.properties, "ksql.persistence.wrap.single.values"), with.span);
  if (source.wrap_single_value) source.value_format.wrap_single = *source.wrap_single_value;
  check_key_format(source.key_format, keys, with.span);
  check_value_format(source.value_format, values, source.wrap_single_value, with.span);
}

void bind_topic(const ast::CreateSource& statement, const BindContext& context, const WithProperties& with,
                BoundCreate& bound) {
  SourceDef& source = bound.source;
  if (const auto topic = context.topics.find_topic(source.topic)) {
    check_topic_counts(source.topic, *topic, with);
    source.partitions = topic->partitions;
    source.replicas = topic->replicas;
    return;
  }
  if (!with.partitions) {
    throw SqlError(
        Code::invalid_property, with.span,
        fmt::format(
            "Topic '{}' does not exist. If you want to create a new topic for the stream/table please re-run the "
            "statement providing the required 'PARTITIONS' configuration in the WITH clause (and optionally "
            "'REPLICAS'). For example: CREATE {} {} ... WITH (KAFKA_TOPIC='{}', PARTITIONS=1, ...);",
            source.topic, statement.kind == ast::SourceKind::stream ? "STREAM" : "TABLE", ast::format_name(source.name),
            source.topic));
  }
  source.partitions = *with.partitions;
  source.replicas = with.replicas.value_or(1);
  bound.create_topic = TopicInfo{source.partitions, with.replicas.value_or(-1)};
  bound.retention_ms = with.retention_ms;
  const bool compacted = source.kind == RelationKind::table && !source.window;
  if (compacted && with.retention_ms) {
    throw SqlError(
        Code::invalid_property, with.span,
        "Invalid config variable in the WITH clause: RETENTION_MS. Non-windowed tables do not support retention.");
  }
}

/// What WITH says of a table that joins read in a way of their own; words of this dialect only.
void check_table_property(const ast::CreateSource& statement, const BindContext& context, const SourceDef& source,
                          const char* name) {
  const auto given = std::ranges::find(statement.properties, name, &ast::Property::name);
  if (given == statement.properties.end()) return;
  const auto fail = [&](Code code, const std::string& message) { throw SqlError(code, given->span, message); };
  if (dialect_of(context.properties) == Dialect::ksql)
    fail(Code::invalid_property, fmt::format("Invalid config variable(s) in the WITH clause: {}", name));
  if (source.kind == RelationKind::stream)
    fail(Code::invalid_property, fmt::format("{} needs a table: {} is a stream.", name, source.name));
  if (source.window) fail(Code::not_supported, fmt::format("{} of windowed tables is not supported yet.", name));
}

void bind_table_properties(const ast::CreateSource& statement, const BindContext& context, const WithProperties& with,
                           SourceDef& source) {
  for (const char* name : {"BROADCAST", "HISTORY"}) check_table_property(statement, context, source, name);
  source.broadcast = with.broadcast.value_or(false);
  source.history_ms = with.history_ms;
  if (!source.broadcast || !source.history_ms) return;
  throw SqlError(Code::not_supported, with.span, "BROADCAST of tables with HISTORY is not supported yet.")
      .hint("declare two tables over the topic");
}

}  // namespace

BoundCreate bind_create(const ast::CreateSource& statement, const BindContext& context) {
  BoundCreate bound;
  SourceDef& source = bound.source;
  source.name = statement.name.text;
  source.kind = kind_of(statement.kind);
  source.read_only = statement.read_only;
  const WithProperties with = read_with(statement.properties, WithKind::create);
  source.schema = resolve_columns(statement, context.catalog);
  check_name_free(context.catalog, statement.name, source.kind, statement.or_replace, statement.if_not_exists,
                  statement.read_only);
  if (!with.topic) {
    throw SqlError(
        Code::invalid_property, statement.name.span,
        "Failed to prepare statement: Missing required property \"KAFKA_TOPIC\" which has no default value.");
  }
  source.topic = topic_of(with, source.name, context);
  source.window = with.window;
  source.idle_timeout_ms = idle_timeout_of(with, context);
  set_formats(statement, context, with, source);
  infer_columns(source, with, context);
  check_has_columns(statement, source);
  bind_table_properties(statement, context, with, source);
  if (source.window && source.schema.key_count() == 0) {
    throw SqlError(Code::invalid_property, with.span, "Windowed sources require a key column.");
  }
  check_duplicate_columns(source.schema, statement.name.span);
  set_timestamp(source, with, context);
  check_formats(statement, context, with, source);
  bind_topic(statement, context, with, bound);
  if (const auto* old = context.catalog.find(source.name); old && statement.or_replace) {
    check_upgrade(*old, source, statement.name.span);
  }
  set_source_schemas(source, context);
  return bound;
}

SourceDef bind_alter(const ast::AlterSource& statement, const BindContext& context) {
  const SourceDef& old =
      require_source(context.catalog, statement.name, statement.kind == ast::SourceKind::stream ? "Stream " : "Table ");
  const std::string word = kind_word(old.kind);
  if (old.kind != kind_of(statement.kind)) {
    throw SqlError(Code::invalid_statement, statement.name.span,
                   fmt::format("Incompatible data source type is {}, but statement was ALTER {}", word,
                               kind_word(kind_of(statement.kind))));
  }
  if (old.read_only) {
    throw SqlError(
        Code::read_only, statement.name.span,
        fmt::format("Cannot alter {0} '{1}': ALTER operations are not supported on source {0}s.", word, old.name));
  }
  if (old.from_query) {
    throw SqlError(Code::invalid_statement, statement.name.span,
                   "ALTER command is not supported for CREATE ... AS statements.");
  }
  SourceDef next = old;
  for (const auto& added : statement.added) {
    ColumnDef column{.name = added.name.text, .type = resolve_type(added.type, context.catalog)};
    check_reserved_names({column}, added.span);
    if (next.schema.find(column.name)) {
      throw SqlError(
          Code::invalid_schema, added.span,
          fmt::format("Cannot add column `{}` to schema. A column with the same name already exists.", column.name));
    }
    const auto headers = std::ranges::find(next.schema.columns, ColumnRole::header, &ColumnDef::role);
    next.schema.columns.insert(headers, std::move(column));
  }
  check_value_format(next.value_format, next.schema.values(), next.wrap_single_value, statement.name.span);
  next.value_format.schema = nullptr;
  set_sink_schemas(next, {}, context);
  return next;
}

}  // namespace millrace::inline planner
