#include "planner/bind/source_checks.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "parser/error/letter_case.h"
#include "planner/bind/ast_rewrite.h"
#include "planner/bind/dialect.h"
#include "planner/bind/expr_binder.h"
#include "planner/bind/nearest.h"
#include "planner/bind/scope.h"
#include "planner/types/topic_name.h"

namespace millrace::inline planner {
namespace {

std::string schema_names(const Schema& schema) {
  std::string text;
  for (const auto& column : schema.columns) text += (text.empty() ? "`" : ", `") + column.name + "`";
  return text;
}

template <class Value>
void check_same(const SourceDef& old, const char* what, const Value& a, const Value& b, const std::string& a_text,
                const std::string& b_text, Span span) {
  if (a == b) return;
  throw SqlError(Code::invalid_schema, span,
                 fmt::format("Cannot upgrade data source: DataSource '`{}`' has {} = {} which is not upgradeable to {}",
                             old.name, what, a_text, b_text));
}

void check_columns_kept(const SourceDef& old, const SourceDef& next, Span span) {
  std::string changed;
  const auto note = [&](const ColumnDef& column) {
    changed += fmt::format("{}`{}` {}{}", changed.empty() ? "" : ", ", column.name, column.type.to_string(),
                           column.role == ColumnRole::key ? " KEY" : "");
  };
  const auto old_values = old.schema.values();
  const auto new_values = next.schema.values();
  const auto old_keys = old.schema.keys();
  const auto new_keys = next.schema.keys();
  for (std::size_t i = 0; i < old_keys.size(); ++i) {
    if (i >= new_keys.size() || !(old_keys[i] == new_keys[i])) note(old_keys[i]);
  }
  for (std::size_t i = old_keys.size(); i < new_keys.size(); ++i) note(new_keys[i]);
  const bool keys_changed = !changed.empty();
  for (std::size_t i = 0; i < old_values.size() && !keys_changed; ++i) {
    if (i >= new_values.size() || !(old_values[i] == new_values[i])) note(old_values[i]);
  }
  if (changed.empty()) return;
  throw SqlError(
      Code::invalid_schema, span,
      fmt::format("Cannot upgrade data source: DataSource '`{}`' has schema = {} which is not upgradeable to {}. (The "
                  "following {}columns are changed, missing or reordered: [{}])",
                  old.name, old.schema.to_string(), next.schema.to_string(), keys_changed ? "key " : "", changed));
}

/// What no time can be written by is no pattern.
void check_time_pattern(const std::string& pattern, Span span, const BindContext& context) {
  const auto call = make_ast_call(
      "FORMAT_TIMESTAMP",
      {make_ast(ast::StringLiteral{"2020-01-01"}, span), make_ast(ast::StringLiteral{pattern}, span)}, span);
  const Scope empty;
  if (!context.evaluate(*ExprBinder(context, empty).bind(call)).is_null()) return;
  throw SqlError(Code::invalid_property, span,
                 fmt::format("Invalid TIMESTAMP_FORMAT in the WITH clause: '{}' is no pattern of java.time.", pattern));
}

}  // namespace

std::string kind_word(RelationKind kind) {
  return kind == RelationKind::stream ? "stream" : "table";
}

void check_reserved_names(const std::vector<ColumnDef>& columns, Span span) {
  for (const auto& column : columns) {
    if (!pseudo_column_of(column.name)) continue;
    throw SqlError(
        Code::invalid_schema, span,
        fmt::format("'{}' is a reserved column name. You cannot use it as a name for a column.", column.name));
  }
}

void check_duplicate_columns(const Schema& schema, Span span) {
  std::set<std::string> seen;
  std::string twice;
  const char* role = "value";
  for (const auto& column : schema.columns) {
    if (seen.insert(column.name).second) continue;
    if (column.role == ColumnRole::key) role = "key";
    if (column.role == ColumnRole::header) role = "header";
    twice += fmt::format("{}`{}` {}", twice.empty() ? "" : ", ", column.name, column.type.to_string());
  }
  if (twice.empty()) return;
  throw SqlError(Code::invalid_schema, span, fmt::format("Duplicate {} columns found in schema: {}", role, twice));
}

void set_timestamp(SourceDef& source, const WithProperties& with, const BindContext& context) {
  if (!with.timestamp) {
    if (with.timestamp_format) {
      throw SqlError(Code::invalid_property, with.span,
                     "'TIMESTAMP_FORMAT' can only be set together with 'TIMESTAMP' in the WITH clause.");
    }
    return;
  }
  std::string wanted = *with.timestamp;
  const bool quoted =
      wanted.size() > 1 && (wanted.front() == '`' || wanted.front() == '"') && wanted.back() == wanted.front();
  if (quoted) {
    wanted = wanted.substr(1, wanted.size() - 2);
  } else {
    wanted = upper_case(wanted);
  }
  const auto index = source.schema.find(wanted);
  if (!index) {
    std::vector<std::string> names;
    for (const auto& column : source.schema.columns) names.push_back(column.name);
    throw SqlError(
        Code::invalid_property, with.span,
        fmt::format("The TIMESTAMP column set in the WITH clause does not exist in the schema: '{}'", wanted))
        .hint(nearest_hint(wanted, names));
  }
  const auto kind = source.schema.columns[*index].type.kind();
  if (with.timestamp_format && kind != TypeKind::string) {
    throw SqlError(
        Code::invalid_property, with.span,
        "'TIMESTAMP_FORMAT' set in the WITH clause can only be used when the timestamp column is of type STRING.");
  }
  if (kind != TypeKind::bigint && kind != TypeKind::timestamp && !(kind == TypeKind::string && with.timestamp_format)) {
    throw SqlError(
        Code::invalid_property, with.span,
        fmt::format("Timestamp column, {}, should be LONG(INT64), TIMESTAMP, or a String with a TIMESTAMP_FORMAT "
                    "specified.",
                    wanted));
  }
  if (with.timestamp_format) check_time_pattern(*with.timestamp_format, with.span, context);
  source.timestamp_column = wanted;
  source.timestamp_format = with.timestamp_format;
}

void check_upgrade(const SourceDef& old, const SourceDef& next, Span span) {
  const auto or_null = [](const std::optional<std::string>& text) { return text.value_or("null"); };
  check_same(old, "DataSourceType", old.kind, next.kind, old.kind == RelationKind::stream ? "KSTREAM" : "KTABLE",
             next.kind == RelationKind::stream ? "KSTREAM" : "KTABLE", span);
  check_same(old, "topic", old.topic, next.topic, old.topic, next.topic, span);
  check_same(old, "timestamp column", old.timestamp_column, next.timestamp_column, or_null(old.timestamp_column),
             or_null(next.timestamp_column), span);
  check_same(old, "key format", old.key_format.name, next.key_format.name, old.key_format.name, next.key_format.name,
             span);
  check_same(old, "value format", old.value_format.name, next.value_format.name, old.value_format.name,
             next.value_format.name, span);
  check_columns_kept(old, next, span);
  if (!(old.window == next.window)) {
    throw SqlError(
        Code::invalid_schema, span,
        fmt::format("Cannot upgrade data source: DataSource '`{}`' has another window than its replacement ({})",
                    old.name, schema_names(next.schema)));
  }
}

std::optional<std::int64_t> idle_timeout_of(const WithProperties& with, const BindContext& context) {
  if (with.idle_timeout_ms && !lifts(Lifted::idle_timeout, context.properties))
    throw SqlError(Code::invalid_property, with.span,
                   "Failed to prepare statement: Invalid config variable(s) in the WITH clause: IDLE_TIMEOUT");
  return with.idle_timeout_ms;
}

std::string topic_of(const WithProperties& with, const std::string& name, const BindContext& context) {
  const std::string& topic = with.topic ? *with.topic : name;
  if (!with.cluster) return topic;
  if (!lifts(Lifted::other_clusters, context.properties))
    throw SqlError(Code::invalid_property, with.cluster_span,
                   "Failed to prepare statement: Invalid config variable(s) in the WITH clause: KAFKA_CLUSTER");
  if (const auto why = context.topics.missing_cluster(*with.cluster))
    throw SqlError(Code::invalid_property, with.cluster_span, *why);
  return topic_in(*with.cluster, topic);
}

void check_name_free(const Catalog& catalog, const ast::Identifier& name, RelationKind kind, bool or_replace,
                     bool if_not_exists, bool read_only) {
  const auto* existing = catalog.find(name.text);
  if (or_replace && (read_only || (existing && existing->read_only))) {
    throw SqlError(Code::read_only, name.span,
                   fmt::format("Cannot add {0} '{1}': CREATE OR REPLACE is not supported on source {0}s.",
                               kind_word(kind), name.text));
  }
  if (catalog.views.contains(name.text))
    throw SqlError(
        Code::already_exists, name.span,
        fmt::format("Cannot add {} '{}': A view with the same name already exists", kind_word(kind), name.text));
  if (!existing || or_replace || if_not_exists) return;
  throw SqlError(Code::already_exists, name.span,
                 fmt::format("Cannot add {} '{}': A {} with the same name already exists", kind_word(kind), name.text,
                             kind_word(existing->kind)));
}

void check_topic_counts(const std::string& topic, const TopicInfo& existing, const WithProperties& with) {
  const int partitions = with.partitions.value_or(existing.partitions);
  const int replicas = with.replicas.value_or(existing.replicas);
  // Either may leave it to the broker: a topic that an earlier statement of the request creates says nothing yet.
  const bool replicated = replicas == existing.replicas || replicas < 0 || existing.replicas < 0;
  if (partitions == existing.partitions && replicated) return;
  throw SqlError(
      Code::invalid_property, with.span,
      fmt::format(
          "A Kafka topic with the name '{}' already exists, with different partition/replica configuration than "
          "required. KSQL expects {} partitions (topic has {}), {} replication factor (topic has {})",
          topic, partitions, existing.partitions, replicas, existing.replicas));
}

}  // namespace millrace::inline planner
