#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <random>

#include "exec/expr/evaluator.h"
#include "parser/ast/format.h"
#include "parser/error/letter_case.h"
#include "parser/syntax/parse.h"
#include "planner/bind/canonical.h"
#include "planner/bind/insert_branches.h"
#include "planner/bind/late_into.h"
#include "planner/bind/source_checks.h"
#include "planner/bind/upgrade.h"
#include "server/queries/plan_context.h"
#include "server/queries/topics.h"
#include "server/statements/entities.h"
#include "server/statements/families.h"

namespace millrace::inline server {
namespace {

void forbid_read_only_topic(const std::string& topic, const StatementContext& context) {
  if (matches_topic_list(topic, context.config.text("ksql.readonly.topics")))
    throw general_error(Code::read_only, fmt::format("Cannot create a sink over the read-only topic: {}", topic));
}

QueryPtr make_query(const BoundQuery& bound, std::string id, QueryOrigin origin, const std::string& statement,
                    const StatementContext& context, const QueryInfo* replaced = nullptr) {
  const std::int64_t limit = context.config.integer("ksql.query.persistent.active.limit");
  const auto running = static_cast<std::int64_t>(context.state.queries.size());
  if (running >= limit && context.state.find_query(id) == nullptr)
    throw general_error(
        Code::invalid_statement,
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
  for (const BoundLate& late : bound.late) query->late_sinks.push_back(late.sink.name);
  query->sources = bound.sources;
  query->properties = context.session.overrides;
  PlanContext planning = plan_context(id, false, context.session.effective, context.config);
  if (replaced != nullptr) planning.physical.replaced = replaced->plan.get();
  auto plan = std::make_shared<PhysicalPlan>(*plan_query(bound.root, bound.options, planning));
  if (replaced != nullptr) keep_indexes(*replaced, plan->result, *plan);
  plan->incarnation = replaced != nullptr ? replaced->plan->incarnation : fmt::format("{:08x}", std::random_device{}());
  query->plan = std::move(plan);
  query->id = std::move(id);
  return query;
}

/// Makes the streams of LATE INTO that are not there.
void add_late_streams(const BoundQuery& bound, const std::string& statement, const StatementContext& context,
                      Mutation& result) {
  for (const BoundLate& late : bound.late) {
    if (!late.made) continue;
    forbid_read_only_topic(late.sink.topic, context);
    if (late.create_topic)
      result.more_topics.emplace_back(late.sink.topic,
                                      topic_config(*late.create_topic, late.sink.kind, std::nullopt, std::nullopt));
    auto source = std::make_shared<SourceDef>(late.sink);
    source->statement = statement;
    result.changes.push_back({Change::Kind::put_source, late.sink.name, {}, std::move(source), nullptr});
  }
}

/// The query that CREATE OR REPLACE takes over; none for a first creation.
const QueryInfo* replaced_query(const std::string& name, const StatementContext& context) {
  std::vector<QueryPtr> writers = context.state.writers_of(name);
  for (const QueryPtr& writer : writers)
    if (writer->sink != name)
      throw general_error(Code::invalid_statement,
                          fmt::format("REPLACE for sink {} is not supported because late rows of query {} go into it.",
                                      name, writer->id));
  if (writers.empty()) return nullptr;
  if (writers.size() > 1) {
    std::vector<std::string> ids;
    for (const QueryPtr& writer : writers) ids.push_back(writer->id);
    throw general_error(
        Code::invalid_statement,
        fmt::format("REPLACE for sink {} is not supported because there are multiple queries writing into it: [{}]",
                    name, fmt::join(ids, ", ")));
  }
  return context.state.find_query(writers.front()->id);
}

/// For binding again what was bound before: its schemas are those at hand.
class KnownSchemas final : public SchemaLookup {
 public:
  KnownSchemas(const FormatInfo& key, const FormatInfo& value) : key_(key.schema), value_(value.schema) {}
  std::optional<InferredSchema> find_schema(const SchemaSubject& subject, std::optional<std::int64_t>) override {
    return InferredSchema{subject.is_key ? key_ : value_, Type::structure({})};
  }
  std::shared_ptr<const WriterSchema> register_schema(const SchemaSubject& subject, const std::string&,
                                                      const std::vector<ColumnDef>&, bool) override {
    return subject.is_key ? key_ : value_;
  }
  std::string writing_fault(const FormatInfo&, const WriterSchema&, const std::vector<ColumnDef>&, bool) override {
    return {};
  }

 private:
  std::shared_ptr<const WriterSchema> key_, value_;
};

/// A query as it was bound. Plans of 0.1 do not say it: there its text is bound again. Null: that is not possible.
NodePtr bound_before(const QueryInfo& query, const BoundQuery& next, const StatementContext& context) {
  if (query.plan->bound) return query.plan->bound;
  const ast::StatementPtr parsed = parse_statement(query.statement);
  const auto* found = parsed->as<ast::CreateAs>();
  if (found == nullptr) return nullptr;
  ast::CreateAs old = *found;
  std::erase_if(old.properties, [](const ast::Property& property) {
    return property.name == "CLEANUP_POLICY" || property.name.ends_with("SCHEMA_ID");
  });
  Catalog catalog = context.state.catalog;
  catalog.sources.erase(old.name.text);
  KnownSchemas known(next.sink->key_format, next.sink->value_format);
  const BindContext before{catalog, context.functions, context.topics, query.properties, evaluate_constant, &known};
  return bind_create_as(old, before).root;
}

/// Whether that may be the id of a push query.
bool is_transient(const std::string& id, const StatementContext& context) {
  return upper_case(id).find(upper_case(context.config.text("ksql.transient.prefix"))) != std::string::npos &&
         !context.state.queries.contains(id);
}

/// Ids are written without quotes, so that case does not matter.
Planned end_push_query(const std::string& id, const ast::Statement& statement) {
  return Show{[&statement, id](const ShowContext& context) {
    const auto found = std::ranges::find_if(
        context.push_queries, [&](const auto& running) { return upper_case(running.first) == upper_case(id); });
    boost::json::object object = entity("terminate_query", statement);
    object["queryId"] = found == context.push_queries.end() ? id : found->first;
    object["wasTerminated"] = found != context.push_queries.end() && context.close_query(found->first);
    return object;
  }};
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

}  // namespace

Planned plan(const ast::CreateAs& create, const ast::Statement& statement, const StatementContext& context) {
  check_replace_allowed(create.or_replace, context);
  Mutation result;
  const std::string& name = create.name.text;
  result.command_id = fmt::format("{}/`{}`/create", kind_word(create.kind), name);
  result.statement = ast::format(statement);
  if (exists_already(name, create.kind, create.or_replace, create.if_not_exists, context, result)) return result;
  BoundQuery bound = bind_create_as(create, context.bind());
  forbid_read_only_topic(bound.sink->topic, context);
  result.statement = canonical_text(create, bound);
  const QueryInfo* replaced = create.or_replace ? replaced_query(name, context) : nullptr;
  if (const NodePtr old = replaced != nullptr ? bound_before(*replaced, bound, context) : nullptr)
    check_query_upgrade(old, bound.root, create.name.span);
  const bool stream = bound.sink->kind == RelationKind::stream;
  std::string id = replaced != nullptr ? replaced->id : next_query_id(stream ? "CSAS" : "CTAS", name, context);
  bound.sink->created_by = id;
  bound.sink->from_query = true;
  bound.sink->statement = result.statement;
  if (bound.create_topic)
    result.create_topic = {bound.sink->topic,
                           topic_config(*bound.create_topic, bound.sink->kind, bound.sink->window, bound.retention_ms)};
  QueryPtr query = make_query(bound, id, QueryOrigin::create_as, result.statement, context, replaced);
  result.prepare.push_back(query->plan);
  add_late_streams(bound, result.statement, context, result);
  result.changes.push_back({Change::Kind::put_source, name, {}, std::make_shared<SourceDef>(*bound.sink), nullptr});
  result.changes.push_back({Change::Kind::start_query, id, {}, nullptr, query});
  result.message = fmt::format("Created query with ID {}", id);
  result.query_id = id;
  return result;
}

Planned plan(const ast::InsertSelect& insert, const ast::Statement&, const StatementContext& context) {
  Mutation result;
  result.command_id = fmt::format("stream/`{}`/create", insert.target.text);
  result.statement = canonical_text(insert);
  BoundQuery bound = bind_insert_select(insert, context.bind());
  std::string id = bound.query_id.value_or(next_query_id("INSERTQUERY", "", context));
  if (bound.query_id && context.state.find_query(id) != nullptr)
    throw general_error(Code::already_exists, fmt::format("Query ID '{}' already exists.", id));
  QueryPtr query = make_query(bound, id, QueryOrigin::insert_into, result.statement, context);
  result.prepare.push_back(query->plan);
  add_late_streams(bound, result.statement, context, result);
  result.changes.push_back({Change::Kind::start_query, id, {}, nullptr, query});
  result.message = fmt::format("Created query with ID {}", id);
  result.query_id = id;
  return result;
}

/// All of its queries start with one command, so at one place of what they read.
Planned plan(const ast::InsertBranches& insert, const ast::Statement& statement, const StatementContext& context) {
  Mutation result;
  result.command_id = fmt::format("stream/`{}`/create", insert.branches.front().into.name.text);
  result.statement = canonical_text(statement);
  const std::string prefix = next_query_id("INSERTQUERY", "", context);
  std::vector<std::string> ids;
  for (const ast::InsertSelect& branch : split_branches(insert)) {
    const BoundQuery bound = bind_insert_select(branch, context.bind());
    ids.push_back(fmt::format("{}_{}", prefix, ids.size() + 1));
    QueryPtr query = make_query(bound, ids.back(), QueryOrigin::insert_into, canonical_text(branch), context);
    result.prepare.push_back(query->plan);
    add_late_streams(bound, result.statement, context, result);
    result.changes.push_back({Change::Kind::start_query, ids.back(), {}, nullptr, std::move(query)});
  }
  result.message = fmt::format("Created queries with IDs {}", fmt::join(ids, ", "));
  result.query_id = ids.front();
  return result;
}

Planned plan(const ast::ControlQuery& control, const ast::Statement& statement, const StatementContext& context) {
  constexpr std::string_view kVerbs[] = {"terminate", "pause", "resume"};
  constexpr std::string_view kDone[] = {"terminated", "paused", "resumed"};
  const std::size_t action = static_cast<std::size_t>(control.action);
  if (control.action == ast::QueryAction::terminate && control.query_id &&
      is_transient(control.query_id->text, context))
    return end_push_query(control.query_id->text, statement);
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
      throw general_error(
          Code::invalid_statement,
          fmt::format("Cannot {} query '{}' because it is linked to a source table.", kVerbs[action], query->id));
    result.changes.push_back(control_change(control.action, query->id));
    // Where to go on when records are lost is said by whoever resumes, never by a default.
    const auto reset = context.session.overrides.find("auto.offset.reset");
    if (control.action == ast::QueryAction::resume && reset != context.session.overrides.end())
      result.changes.back().value = reset->second;
    if (control.action == ast::QueryAction::terminate) result.forget.push_back(query->plan);
  }
  return result;
}

namespace {

/// A stream of LATE INTO is written, and made where it is not there.
void add_late(const ast::Query& query, Needs& needs) {
  for_each_late(query, [&](const ast::Identifier& stream) {
    const bool there = needs.catalog.find(stream.text) != nullptr;
    needs.add(there ? Privilege::write : Privilege::create, stream.text);
  });
}

}  // namespace

void need(const ast::CreateAs& create, Needs& needs) {
  needs.add(Privilege::create, create.name.text);
  if (auto topic = topic_property(create.properties, create.name.text)) needs.add(Privilege::write, *topic);
  add_late(*create.query, needs);
  needs.add(*create.query);
}

void need(const ast::InsertSelect& insert, Needs& needs) {
  needs.add(Privilege::write, insert.target.text);
  add_late(*insert.query, needs);
  needs.add(*insert.query);
}

void need(const ast::InsertBranches& insert, Needs& needs) {
  for (const ast::InsertSelect& branch : split_branches(insert)) need(branch, needs);
}

void need(const ast::ControlQuery&, Needs& needs) {
  needs.add(Privilege::terminate);
}

}  // namespace millrace::inline server
