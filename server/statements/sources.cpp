#include <fmt/format.h>
#include <fmt/ranges.h>

#include <set>

#include "parser/ast/format.h"
#include "parser/error/letter_case.h"
#include "planner/bind/canonical.h"
#include "planner/bind/scope.h"
#include "planner/bind/source_checks.h"
#include "planner/catalog/formats.h"
#include "planner/types/topic_name.h"
#include "server/statements/families.h"
#include "server/statements/source_table.h"

namespace millrace::inline server {

std::string_view kind_word(ast::SourceKind kind) {
  return kind == ast::SourceKind::stream ? "stream" : "table";
}

std::string kind_title(RelationKind kind) {
  return kind == RelationKind::stream ? "Stream" : "Table";
}

void check_replace_allowed(bool or_replace, const StatementContext& context) {
  if (or_replace && !setting_flag(context.session.effective, "ksql.create.or.replace.enabled"))
    throw general_error(Code::not_supported, "CREATE OR REPLACE is disabled.")
        .hint("ksql.create.or.replace.enabled=true allows it");
}

TopicConfig topic_config(const TopicInfo& info, RelationKind kind, const std::optional<WindowInfo>& window,
                         std::optional<std::int64_t> retention) {
  TopicConfig config{.partitions = info.partitions, .replicas = info.replicas, .retention_ms = retention};
  if (kind == RelationKind::table) (window ? config.compact_and_delete : config.compacted) = true;
  return config;
}

bool exists_already(const std::string& name, ast::SourceKind kind, bool or_replace, bool if_not_exists,
                    const StatementContext& context, Mutation& result) {
  const SourceDef* existing = context.state.catalog.find(name);
  if (existing == nullptr || or_replace) return false;
  if (!if_not_exists)
    throw general_error(Code::already_exists, fmt::format("Cannot add {} '{}': A {} with the same name already exists",
                                                          kind_word(kind), name, kind_word(existing->kind)))
        .hint("CREATE OR REPLACE changes it, IF NOT EXISTS leaves it as it is");
  result.warning = fmt::format("Cannot add {} `{}`: A {} with the same name already exists.", kind_word(kind), name,
                               kind_word(existing->kind));
  return true;
}

std::string next_query_id(std::string_view prefix, std::string_view sink, const StatementContext& context) {
  return sink.empty() ? fmt::format("{}_{}", prefix, context.state.next_sequence)
                      : fmt::format("{}_{}_{}", prefix, sink, context.state.next_sequence);
}

namespace {

void check_headers_allowed(const ast::CreateSource& create, const StatementContext& context) {
  if (setting_flag(context.session.effective, "ksql.headers.columns.enabled")) return;
  for (const ast::ColumnDefinition& column : create.columns)
    if (column.role == ast::ColumnRole::headers || column.role == ast::ColumnRole::header)
      throw SqlError(Code::not_supported, column.span, "HEADERS columns are disabled.")
          .hint("ksql.headers.columns.enabled=true allows them");
}

}  // namespace

Planned plan(const ast::CreateSource& create, const ast::Statement& statement, const StatementContext& context) {
  check_replace_allowed(create.or_replace, context);
  check_headers_allowed(create, context);
  Mutation result;
  result.command_id = fmt::format("{}/`{}`/create", kind_word(create.kind), create.name.text);
  result.statement = ast::format(statement);
  if (exists_already(create.name.text, create.kind, create.or_replace, create.if_not_exists, context, result))
    return result;
  BoundCreate bound = bind_create(create, context.bind());
  result.statement = canonical_text(create, bound);
  bound.source.statement = result.statement;
  const RelationKind kind = bound.source.kind;
  if (bound.create_topic)
    result.create_topic = {bound.source.topic,
                           topic_config(*bound.create_topic, kind, bound.source.window, bound.retention_ms)};
  result.message = fmt::format("{} created", kind_title(kind));
  QueryPtr keeper;
  if (kind == RelationKind::table && bound.source.read_only &&
      context.config.boolean("ksql.source.table.materialization.enabled")) {
    bound.source.created_by = next_query_id("CST", bound.source.name, context);
    keeper = make_source_table_query(bound.source, bound.source.created_by, context);
  }
  result.changes.push_back(
      {Change::Kind::put_source, bound.source.name, {}, std::make_shared<SourceDef>(std::move(bound.source)), nullptr});
  if (keeper) {
    result.prepare.push_back(keeper->plan);
    result.query_id = keeper->id;
    result.message = fmt::format("Created query with ID {}", keeper->id);
    result.changes.push_back({Change::Kind::start_query, keeper->id, {}, nullptr, keeper});
  }
  return result;
}

Planned plan(const ast::AlterSource& alter, const ast::Statement& statement, const StatementContext& context) {
  Mutation result;
  const std::string& name = alter.name.text;
  result.command_id = fmt::format("{}/{}/alter", kind_word(alter.kind), name);
  result.statement = ast::format(statement);
  auto source = std::make_shared<SourceDef>(bind_alter(alter, context.bind()));
  result.message = fmt::format("{} {} altered.", kind_title(source->kind), name);
  result.changes.push_back({Change::Kind::put_source, name, {}, std::move(source), nullptr});
  return result;
}

namespace {

/// Refuses to drop what others still use. The query that created the source does not count; it goes too.
void check_unused(const SourceDef& source, const StatementContext& context) {
  std::set<std::string> readers, writers, dependants;
  for (const QueryPtr& query : context.state.readers_of(source.name)) {
    if (query->id == source.created_by) continue;
    readers.insert(query->id);
    if (query->origin == QueryOrigin::create_as) dependants.insert(query->sink);
  }
  for (const QueryPtr& query : context.state.writers_of(source.name))
    if (query->id != source.created_by) writers.insert(query->id);
  if (!dependants.empty())
    throw general_error(Code::invalid_statement,
                        fmt::format("Cannot drop {}.\nThe following streams and/or tables read from "
                                    "this source: [{}].\nYou need to drop them before dropping {}.",
                                    source.name, fmt::join(dependants, ", "), source.name));
  if (!readers.empty() || !writers.empty())
    throw general_error(
        Code::invalid_statement,
        fmt::format("Cannot drop {}.\nThe following queries read from this source: [{}].\nThe following "
                    "queries write into this source: [{}].\nYou "
                    "need to terminate them before dropping {}.",
                    source.name, fmt::join(readers, ", "), fmt::join(writers, ", "), source.name));
}

}  // namespace

Planned plan(const ast::DropSource& drop, const ast::Statement& statement, const StatementContext& context) {
  Mutation result;
  const std::string& name = drop.name.text;
  result.command_id = fmt::format("{}/{}/drop", kind_word(drop.kind), name);
  result.statement = ast::format(statement);
  const SourceDef* source = context.state.catalog.find(name);
  if (source == nullptr) {
    if (!drop.if_exists)
      (void)require_source(context.state.catalog, drop.name,
                           drop.kind == ast::SourceKind::stream ? "Stream " : "Table ");
    result.warning = fmt::format("Source `{}` does not exist.", name);
    return result;
  }
  if ((source->kind == RelationKind::stream) != (drop.kind == ast::SourceKind::stream))
    throw general_error(Code::invalid_statement,
                        fmt::format("Incompatible data source type is {}, but statement was DROP {}",
                                    kind_word(source->kind), kind_word(drop.kind)));
  if (drop.delete_topic && source->read_only)
    throw general_error(Code::read_only, fmt::format("Cannot delete topic for read-only source: {}", name));
  check_unused(*source, context);
  check_no_views(name, context);
  if (const QueryInfo* query = context.state.find_query(source->created_by)) {
    result.changes.push_back({Change::Kind::stop_query, query->id, {}, nullptr, nullptr});
    result.forget.push_back(query->plan);
  }
  result.changes.push_back({Change::Kind::drop_source, name, {}, nullptr, nullptr});
  if (drop.delete_topic) {
    result.delete_topic = source->topic;
    for (const bool is_key : {true, false}) {
      const FormatInfo& format = is_key ? source->key_format : source->value_format;
      const FormatDef* def = find_format(format.name);
      // A subject that is named after the record alone is that of other topics too.
      if (def != nullptr && def->registry && format.naming != SubjectNaming::record)
        result.delete_subjects.push_back(subject_of(format, source->topic, is_key));
    }
  }
  result.message = fmt::format("Source `{}` (topic: {}) was dropped.", name, source->topic);
  return result;
}

std::optional<std::string> topic_property(const ast::Properties& properties, const std::string& name) {
  std::optional<std::string> topic, cluster;
  for (const auto& property : properties) {
    const auto* text = property.value->as<ast::StringLiteral>();
    const std::string word = upper_case(property.name);
    if (text != nullptr && word == "KAFKA_TOPIC") topic = text->value;
    if (text != nullptr && word == "KAFKA_CLUSTER") cluster = text->value;
  }
  return cluster ? topic_in(*cluster, topic.value_or(name)) : topic;
}

void need(const ast::CreateSource& create, Needs& needs) {
  needs.add(Privilege::create, create.name.text);
  // Who may declare a source over a topic may read and fill it.
  const std::string topic = topic_property(create.properties, create.name.text).value_or(create.name.text);
  needs.add(Privilege::read, topic);
  if (!create.read_only) needs.add(Privilege::write, topic);
}

void need(const ast::AlterSource& alter, Needs& needs) {
  needs.add(Privilege::create, alter.name.text);
}

void need(const ast::DropSource& drop, Needs& needs) {
  needs.add(Privilege::drop, drop.name.text);
  const SourceDef* source = needs.catalog.find(drop.name.text);
  if (drop.delete_topic && source != nullptr) needs.add(Privilege::drop, source->topic);
}

}  // namespace millrace::inline server
