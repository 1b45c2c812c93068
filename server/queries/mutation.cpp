#include "server/queries/mutation.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <regex>
#include <set>

#include "exec/expr/evaluator.h"
#include "parser/ast/format.h"
#include "parser/syntax/parse.h"
#include "planner/bind/canonical.h"
#include "planner/bind/upgrade.h"
#include "planner/rules/rules.h"
#include "server/queries/source_table.h"

namespace millrace::inline server {
namespace {

SqlError general(Code code, const std::string& message) {
  return SqlError(code, {}, message, ErrorClass::general);
}

std::string_view kind_name(ast::SourceKind kind) {
  return kind == ast::SourceKind::stream ? "stream" : "table";
}
std::string_view kind_name(RelationKind kind) {
  return kind == RelationKind::stream ? "stream" : "table";
}
std::string kind_title(RelationKind kind) {
  return kind == RelationKind::stream ? "Stream" : "Table";
}

BindContext bind_context(const MutationContext& context) {
  return {context.state.catalog, context.functions, context.topics, context.properties, evaluate_constant};
}

TopicConfig topic_config(const TopicInfo& info, RelationKind kind, const std::optional<WindowInfo>& window,
                         std::optional<std::int64_t> retention) {
  TopicConfig config{.partitions = info.partitions, .replicas = info.replicas, .retention_ms = retention};
  if (kind == RelationKind::table) (window ? config.compact_and_delete : config.compacted) = true;
  return config;
}

void forbid_read_only_topic(const std::string& topic, const MutationContext& context) {
  if (matches_topic_list(topic, context.config.text("ksql.readonly.topics")))
    throw general(Code::read_only, fmt::format("Cannot create a sink over the read-only topic: {}", topic));
}

/// IF NOT EXISTS and plain duplicates. True: the statement is over, `result` says so.
bool exists_already(const std::string& name, ast::SourceKind kind, bool or_replace, bool if_not_exists,
                    const MutationContext& context, Mutation& result) {
  const SourceDef* existing = context.state.catalog.find(name);
  if (existing == nullptr || or_replace) return false;
  if (!if_not_exists)
    throw general(Code::already_exists, fmt::format("Cannot add {} '{}': A {} with the same name already exists",
                                                    kind_name(kind), name, kind_name(existing->kind)))
        .hint("CREATE OR REPLACE changes it, IF NOT EXISTS leaves it as it is");
  result.warning = fmt::format("Cannot add {} `{}`: A {} with the same name already exists.", kind_name(kind), name,
                               kind_name(existing->kind));
  return true;
}

std::string next_query_id(std::string_view prefix, std::string_view sink, const MutationContext& context) {
  return sink.empty() ? fmt::format("{}_{}", prefix, context.state.next_sequence)
                      : fmt::format("{}_{}_{}", prefix, sink, context.state.next_sequence);
}

Mutation create_source(const ast::CreateSource& create, const ast::Statement& statement,
                       const MutationContext& context) {
  Mutation result;
  result.command_id = fmt::format("{}/`{}`/create", kind_name(create.kind), create.name.text);
  result.statement = ast::format(statement);
  if (exists_already(create.name.text, create.kind, create.or_replace, create.if_not_exists, context, result))
    return result;
  BoundCreate bound = bind_create(create, bind_context(context));
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

QueryPtr make_query(const BoundQuery& bound, std::string id, QueryOrigin origin, const std::string& statement,
                    const MutationContext& context) {
  const std::int64_t limit = context.config.integer("ksql.query.persistent.active.limit");
  const auto running = static_cast<std::int64_t>(context.state.queries.size());
  if (running >= limit && context.state.find_query(id) == nullptr)
    throw general(Code::invalid_statement,
                  fmt::format("Not executing statement(s) '{}' as it would cause the number of active, persistent "
                              "queries to exceed the configured limit. Use the TERMINATE command to terminate "
                              "existing queries. Current persistent query count: {}. Configured limit: {}.",
                              statement, running, limit))
        .hint("ksql.query.persistent.active.limit sets the limit");
  auto query = std::make_shared<QueryInfo>();
  query->origin = origin;
  query->statement = statement;
  query->sink = bound.sink->name;
  query->sink_topic = bound.sink->topic;
  query->sources = bound.sources;
  query->properties = context.overrides;
  query->plan = make_plan(bound.root, bound.options, id, false, context.properties, context.config);
  query->id = std::move(id);
  return query;
}

/// The query that CREATE OR REPLACE takes over; none for a first creation.
const QueryInfo* replaced_query(const std::string& name, const MutationContext& context) {
  std::vector<QueryPtr> writers = context.state.writers_of(name);
  if (writers.empty()) return nullptr;
  if (writers.size() > 1) {
    std::vector<std::string> ids;
    for (const QueryPtr& writer : writers) ids.push_back(writer->id);
    throw general(
        Code::invalid_statement,
        fmt::format("REPLACE for sink {} is not supported because there are multiple queries writing into it: [{}]",
                    name, fmt::join(ids, ", ")));
  }
  return context.state.find_query(writers.front()->id);
}

/// The state and the offsets of the old query must fit the new one. The old one is bound again from its text, because
/// its plan has been through the rules.
void check_replacement(const QueryInfo& replaced, const BoundQuery& bound, const ast::CreateAs& create,
                       const MutationContext& context) {
  const ast::StatementPtr parsed = parse_statement(replaced.statement);
  const auto* found = parsed->as<ast::CreateAs>();
  if (found == nullptr) return;
  ast::CreateAs old = *found;
  std::erase_if(old.properties, [](const ast::Property& property) { return property.name == "CLEANUP_POLICY"; });
  Catalog catalog = context.state.catalog;
  catalog.sources.erase(old.name.text);
  const BindContext before{catalog, context.functions, context.topics, replaced.properties, evaluate_constant};
  check_query_upgrade(bind_create_as(old, before).root, bound.root, create.name.span);
}

Mutation create_as(const ast::CreateAs& create, const ast::Statement& statement, const MutationContext& context) {
  Mutation result;
  const std::string& name = create.name.text;
  result.command_id = fmt::format("{}/`{}`/create", kind_name(create.kind), name);
  result.statement = ast::format(statement);
  if (exists_already(name, create.kind, create.or_replace, create.if_not_exists, context, result)) return result;
  BoundQuery bound = bind_create_as(create, bind_context(context));
  forbid_read_only_topic(bound.sink->topic, context);
  result.statement = canonical_text(create, bound);
  const QueryInfo* replaced = create.or_replace ? replaced_query(name, context) : nullptr;
  if (replaced != nullptr) check_replacement(*replaced, bound, create, context);
  const bool stream = bound.sink->kind == RelationKind::stream;
  std::string id = replaced != nullptr ? replaced->id : next_query_id(stream ? "CSAS" : "CTAS", name, context);
  bound.sink->created_by = id;
  bound.sink->from_query = true;
  bound.sink->statement = result.statement;
  if (bound.create_topic)
    result.create_topic = {bound.sink->topic,
                           topic_config(*bound.create_topic, bound.sink->kind, bound.sink->window, bound.retention_ms)};
  QueryPtr query = make_query(bound, id, QueryOrigin::create_as, result.statement, context);
  result.prepare.push_back(query->plan);
  result.changes.push_back({Change::Kind::put_source, name, {}, std::make_shared<SourceDef>(*bound.sink), nullptr});
  result.changes.push_back({Change::Kind::start_query, id, {}, nullptr, query});
  result.message = fmt::format("Created query with ID {}", id);
  result.query_id = id;
  return result;
}

Mutation insert_select(const ast::InsertSelect& insert, const ast::Statement&, const MutationContext& context) {
  Mutation result;
  result.command_id = fmt::format("stream/`{}`/create", insert.target.text);
  result.statement = canonical_text(insert);
  BoundQuery bound = bind_insert_select(insert, bind_context(context));
  std::string id = bound.query_id.value_or(next_query_id("INSERTQUERY", "", context));
  if (bound.query_id && context.state.find_query(id) != nullptr)
    throw general(Code::already_exists, fmt::format("Query ID '{}' already exists.", id));
  QueryPtr query = make_query(bound, id, QueryOrigin::insert_into, result.statement, context);
  result.prepare.push_back(query->plan);
  result.changes.push_back({Change::Kind::start_query, id, {}, nullptr, query});
  result.message = fmt::format("Created query with ID {}", id);
  result.query_id = id;
  return result;
}

Mutation alter_source(const ast::AlterSource& alter, const ast::Statement& statement, const MutationContext& context) {
  Mutation result;
  const std::string& name = alter.name.text;
  result.command_id = fmt::format("{}/{}/alter", kind_name(alter.kind), name);
  result.statement = ast::format(statement);
  auto source = std::make_shared<SourceDef>(bind_alter(alter, bind_context(context)));
  result.message = fmt::format("{} {} altered.", kind_title(source->kind), name);
  result.changes.push_back({Change::Kind::put_source, name, {}, std::move(source), nullptr});
  return result;
}

/// Refuses to drop what others still use. The query that created the source does not count; it goes too.
void check_unused(const SourceDef& source, const MutationContext& context) {
  std::set<std::string> readers, writers, dependants;
  for (const QueryPtr& query : context.state.readers_of(source.name)) {
    if (query->id == source.created_by) continue;
    readers.insert(query->id);
    if (query->origin == QueryOrigin::create_as) dependants.insert(query->sink);
  }
  for (const QueryPtr& query : context.state.writers_of(source.name))
    if (query->id != source.created_by) writers.insert(query->id);
  if (!dependants.empty())
    throw general(Code::invalid_statement, fmt::format("Cannot drop {}.\nThe following streams and/or tables read from "
                                                       "this source: [{}].\nYou need to drop them before dropping {}.",
                                                       source.name, fmt::join(dependants, ", "), source.name));
  if (!readers.empty() || !writers.empty())
    throw general(Code::invalid_statement,
                  fmt::format("Cannot drop {}.\nThe following queries read from this source: [{}].\nThe following "
                              "queries write into this source: [{}].\nYou "
                              "need to terminate them before dropping {}.",
                              source.name, fmt::join(readers, ", "), fmt::join(writers, ", "), source.name));
}

Mutation drop_source(const ast::DropSource& drop, const ast::Statement& statement, const MutationContext& context) {
  Mutation result;
  const std::string& name = drop.name.text;
  result.command_id = fmt::format("{}/{}/drop", kind_name(drop.kind), name);
  result.statement = ast::format(statement);
  const SourceDef* source = context.state.catalog.find(name);
  if (source == nullptr) {
    if (!drop.if_exists)
      throw SqlError(
          Code::unknown_source, drop.name.span,
          fmt::format("{} {} does not exist.", drop.kind == ast::SourceKind::stream ? "Stream" : "Table", name));
    result.warning = fmt::format("Source `{}` does not exist.", name);
    return result;
  }
  if ((source->kind == RelationKind::stream) != (drop.kind == ast::SourceKind::stream))
    throw general(Code::invalid_statement, fmt::format("Incompatible data source type is {}, but statement was DROP {}",
                                                       kind_name(source->kind), kind_name(drop.kind)));
  if (drop.delete_topic && source->read_only)
    throw general(Code::read_only, fmt::format("Cannot delete topic for read-only source: {}", name));
  check_unused(*source, context);
  if (const QueryInfo* query = context.state.find_query(source->created_by)) {
    result.changes.push_back({Change::Kind::stop_query, query->id, {}, nullptr, nullptr});
    result.forget.push_back(query->plan);
  }
  result.changes.push_back({Change::Kind::drop_source, name, {}, nullptr, nullptr});
  if (drop.delete_topic) result.delete_topic = source->topic;
  result.message = fmt::format("Source `{}` (topic: {}) was dropped.", name, source->topic);
  return result;
}

Mutation create_type(const ast::CreateType& create, const ast::Statement& statement, const MutationContext& context) {
  Mutation result;
  const std::string& name = create.name.text;
  result.command_id = fmt::format("type/{}/create", name);
  result.statement = ast::format(statement);
  const Type type = resolve_type(create.type, context.state.catalog);
  if (auto it = context.state.catalog.types.find(name); it != context.state.catalog.types.end()) {
    std::string message = fmt::format("{} is already registered with type {}", name, it->second.to_string());
    if (!create.if_not_exists) throw general(Code::already_exists, message);
    result.warning = std::move(message);
    return result;
  }
  result.changes.push_back({Change::Kind::put_type, name, type.to_string(), nullptr, nullptr});
  result.message = fmt::format("Registered custom type with name '{}' and SQL type {}", name, type.to_string());
  return result;
}

Mutation drop_type(const ast::DropType& drop, const ast::Statement& statement, const MutationContext& context) {
  Mutation result;
  const std::string& name = drop.name.text;
  result.command_id = fmt::format("type/{}/drop", name);
  result.statement = ast::format(statement);
  if (!context.state.catalog.types.contains(name)) {
    std::string message = fmt::format("Type '{}' does not exist", name);
    if (!drop.if_exists) throw SqlError(Code::unknown_type, drop.name.span, message);
    result.warning = std::move(message);
    return result;
  }
  result.changes.push_back({Change::Kind::drop_type, name, {}, nullptr, nullptr});
  result.message = fmt::format("Dropped type '{}'", name);
  return result;
}

Change control_change(ast::QueryAction action, const std::string& id) {
  switch (action) {
    case ast::QueryAction::terminate:
      return {Change::Kind::stop_query, id, {}, nullptr, nullptr};
    case ast::QueryAction::pause:
      return {Change::Kind::pause_query, id, {}, nullptr, nullptr};
    default:
      return {Change::Kind::resume_query, id, {}, nullptr, nullptr};
  }
}

Mutation control_query(const ast::ControlQuery& control, const ast::Statement& statement,
                       const MutationContext& context) {
  constexpr std::string_view kVerbs[] = {"terminate", "pause", "resume"};
  constexpr std::string_view kDone[] = {"terminated", "paused", "resumed"};
  const std::size_t action = static_cast<std::size_t>(control.action);
  Mutation result;
  result.statement = ast::format(statement);
  result.command_id = fmt::format("{}/{}/execute", kVerbs[action], control.query_id ? control.query_id->text : "ALL");
  result.message = fmt::format("{} {}.", control.query_id ? "Query" : "All queries", kDone[action]);
  std::vector<QueryPtr> chosen;
  if (!control.query_id) {
    for (const auto& [id, query] : context.state.queries)
      if (query->origin != QueryOrigin::source_table) chosen.push_back(query);
  } else if (auto it = context.state.queries.find(control.query_id->text); it != context.state.queries.end()) {
    chosen.push_back(it->second);
  } else {
    throw SqlError(Code::invalid_statement, control.query_id->span,
                   fmt::format("Unknown queryId: {}", control.query_id->text))
        .hint("SHOW QUERIES lists them");
  }
  for (const QueryPtr& query : chosen) {
    if (query->origin == QueryOrigin::source_table)
      throw general(Code::invalid_statement, fmt::format("Cannot {} query '{}' because it is linked to a source table.",
                                                         kVerbs[action], query->id));
    result.changes.push_back(control_change(control.action, query->id));
    if (control.action == ast::QueryAction::terminate) result.forget.push_back(query->plan);
  }
  return result;
}

Mutation alter_system(const ast::AlterSystem& alter, const ast::Statement& statement, const MutationContext&) {
  check_session_property(alter.name, alter.value);
  Mutation result;
  result.statement = ast::format(statement);
  result.command_id = fmt::format("property/{}/alter", alter.name);
  result.changes.push_back(
      {Change::Kind::set_property, std::string(plain_property_name(alter.name)), alter.value, nullptr, nullptr});
  result.message = fmt::format("System property {} was set to {}.", alter.name, alter.value);
  return result;
}

}  // namespace

bool matches_topic_list(const std::string& topic, const std::string& patterns) {
  std::size_t at = 0;
  while (at < patterns.size()) {
    std::size_t comma = std::min(patterns.find(',', at), patterns.size());
    const std::string pattern = patterns.substr(at, comma - at);
    at = comma + 1;
    try {
      if (std::regex_match(topic, std::regex(pattern))) return true;
    } catch (const std::regex_error&) {
      if (topic == pattern) return true;
    }
  }
  return false;
}

std::shared_ptr<const PhysicalPlan> make_plan(const NodePtr& root, const QueryOptions& options,
                                              const std::string& query_id, bool transient,
                                              const PropertyMap& properties, const Config& config,
                                              std::vector<std::string>* fired) {
  std::set<std::string> off;
  if (auto it = properties.find("millrace.rules.off"); it != properties.end()) {
    std::size_t at = 0;
    while (at < it->second.size()) {
      std::size_t comma = std::min(it->second.find(',', at), it->second.size());
      off.insert(it->second.substr(at, comma - at));
      at = comma + 1;
    }
  }
  Rewritten rewritten = rewrite(root, {evaluate_constant, options}, off);
  if (fired != nullptr) *fired = rewritten.fired;
  auto plan =
      std::make_shared<PhysicalPlan>(make_physical(rewritten.root, options,
                                                   {.service_id = config.text("ksql.service.id"),
                                                    .query_id = query_id,
                                                    .transient = transient,
                                                    .persistent_prefix = config.text("ksql.persistent.prefix")}));
  plan->fired_rules = std::move(rewritten.fired);
  return plan;
}

bool is_mutation(const ast::Statement& statement) {
  return statement.as<ast::CreateSource>() || statement.as<ast::CreateAs>() || statement.as<ast::InsertSelect>() ||
         statement.as<ast::AlterSource>() || statement.as<ast::DropSource>() || statement.as<ast::CreateType>() ||
         statement.as<ast::DropType>() || statement.as<ast::ControlQuery>() || statement.as<ast::AlterSystem>();
}

Mutation plan_mutation(const ast::Statement& statement, const MutationContext& context) {
  if (const auto* node = statement.as<ast::CreateSource>()) return create_source(*node, statement, context);
  if (const auto* node = statement.as<ast::CreateAs>()) return create_as(*node, statement, context);
  if (const auto* node = statement.as<ast::InsertSelect>()) return insert_select(*node, statement, context);
  if (const auto* node = statement.as<ast::AlterSource>()) return alter_source(*node, statement, context);
  if (const auto* node = statement.as<ast::DropSource>()) return drop_source(*node, statement, context);
  if (const auto* node = statement.as<ast::CreateType>()) return create_type(*node, statement, context);
  if (const auto* node = statement.as<ast::DropType>()) return drop_type(*node, statement, context);
  if (const auto* node = statement.as<ast::ControlQuery>()) return control_query(*node, statement, context);
  return alter_system(*statement.as<ast::AlterSystem>(), statement, context);
}

}  // namespace millrace::inline server
