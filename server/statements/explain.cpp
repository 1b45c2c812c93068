#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>

#include "exec/runtime/kept_table.h"
#include "parser/ast/format.h"
#include "planner/physical/access_path.h"
#include "server/queries/plan_context.h"
#include "server/queries/pull_plan.h"
#include "server/statements/entities.h"
#include "server/statements/families.h"
#include "server/statements/shared_queries.h"

namespace millrace::inline server {
namespace json = boost::json;
namespace {

/// What EXPLAIN tells of: a query that runs, or would.
struct Explained {
  std::string_view type;
  std::string statement;
  std::shared_ptr<const PhysicalPlan> plan;
  std::vector<std::string> sources;
  std::string sink;
  std::vector<std::string> kept = {};  // tables that the process keeps for it
};

std::map<std::string, std::vector<std::string>> sharers(const PhysicalPlan& plan, const ServiceState& state) {
  std::map<std::string, std::vector<std::string>> by_part;
  for (const PlanPtr& part : plan.parts) by_part[part->query_id] = share_with(state, part->query_id, plan.query_id);
  return by_part;
}

/// `at`: the processes where it runs; none: it is a statement that does not.
json::object query_description(const std::string& id, const Explained& query, const PropertyMap& overrides,
                               const std::vector<HostQuery>& at, const ShowContext& context) {
  const PhysicalPlan& plan = *query.plan;
  json::array errors;
  json::object hosts, overridden;
  for (const HostQuery& one : at) {
    hosts[one.host] = one.state;
    if (one.error.empty()) continue;
    const std::string message = at.size() == 1 ? one.error : fmt::format("{}: {}", one.host, one.error);
    errors.push_back(json::object{{"timestamp", one.error_time}, {"errorMessage", message}, {"type", "UNKNOWN"}});
  }
  for (const auto& [name, value] : overrides) overridden[name] = value;
  return {{"id", id},
          {"statementText", query.statement},
          {"windowType", window_json(plan.window)},
          {"fields", fields_json(plan.result)},
          {"sources", json::value_from(query.sources)},
          {"sinks", query.sink.empty() ? json::array{} : json::array{json::value(query.sink)}},
          {"topology", explain(plan, sharers(plan, *context.state)) + access_paths(plan)},
          {"executionPlan", fmt::format("rules: {}", fmt::join(plan.fired_rules, ", "))},
          {"overriddenProperties", std::move(overridden)},
          {"ksqlHostQueryStatus", std::move(hosts)},
          {"queryType", query.type},
          {"queryErrors", std::move(errors)},
          {"tasksMetadata", json::array{}},
          {"consumerGroupId", context.config.text("ksql.service.id")},
          {"state", at.empty() ? json::value() : json::value(worst_state(at))}};
}

/// What the node is, as EXPLAIN shows it.
std::string node_text(const PlanNode& node) {
  const std::string tree = explain(NodePtr(NodePtr(), &node));
  return tree.substr(0, tree.find("  ["));
}

double seconds(std::chrono::nanoseconds time) {
  return std::chrono::duration<double>(time).count();
}

/// What each step has done since the query was started on this process, in the order rows take.
json::array step_reports(const PhysicalPlan& plan, const QueryStatus& status) {
  std::chrono::nanoseconds all{};
  for (const QueryStatus::Operator& step : status.operators) all += step.busy;
  json::array list;
  const auto report = [&](const Subtopology& sub, const StepName& step, const std::string& name) {
    const auto found = std::ranges::find(status.operators, name, &QueryStatus::Operator::name);
    if (found == status.operators.end()) return;
    const double share = all.count() == 0 ? 0.0 : seconds(found->busy) / seconds(all);
    list.push_back(json::object{{"operator", found->name},
                                {"subtopology", sub.id},
                                {"detail", node_text(*step.node)},
                                {"rowsIn", found->rows_in},
                                {"rowsOut", found->rows_out},
                                {"lateRows", found->late_rows},
                                {"errors", found->errors},
                                {"stateBytes", found->state_bytes},
                                {"seconds", seconds(found->busy)},
                                {"share", share}});
  };
  for (const PlanPtr& part : plan.parts)
    for (const Subtopology& sub : part->subtopologies)
      for (const StepName& step : sub.steps) report(sub, step, step_of_part(part->query_id, step.name));
  for (const Subtopology& sub : plan.subtopologies)
    for (const StepName& step : sub.steps) report(sub, step, step.name);
  return list;
}

/// EXPLAIN ANALYZE.
json::value analysis(const QueryInfo& query, const ShowContext& context) {
  const auto status = context.engine.status(query.id);
  if (!status) return nullptr;
  return json::object{{"host", context.host},
                      {"rowsIn", status->rows_in},
                      {"rowsOut", status->rows_out},
                      {"lateRows", status->late_rows},
                      {"badRecords", status->bad_records},
                      {"restarts", status->restarts},
                      {"lag", status->lag < 0 ? json::value() : json::value(status->lag)},
                      {"operators", step_reports(*query.plan, *status)}};
}

json::object describe_query(const QueryInfo& query, const ShowContext& context) {
  return query_description(query.id, {kPersistentQuery, query.statement, query.plan, query.sources, query.sink},
                           query.properties, query_at_hosts(query, context), context);
}

SqlError runs_no_query(const ast::Statement& statement) {
  return SqlError(Code::invalid_statement, statement.span, "The provided statement does not run a ksql query");
}

/// What would keep a table that no query keeps; null: nothing.
std::shared_ptr<const PhysicalPlan> explain_kept(const SourceDef& source, const StatementContext& context) {
  if (!can_be_kept(source, context.config)) return nullptr;
  return plan_kept(
      source, context.bind(),
      plan_context(std::string(kKeptTablePrefix) + source.name, true, context.session.effective, context.config));
}

json::object kept_warning(const std::string& table, const ShowContext& now) {
  const auto bytes = now.kept_bytes(table);
  const std::string size = bytes ? fmt::format(" ({:.1f} MB)", static_cast<double>(*bytes) / (1 << 20)) : std::string();
  return {{"message", fmt::format("{} is materialized for this query{}.", table, size)}};
}

Explained explain_pull(const ast::Statement& select, const ast::Query& query, const StatementContext& context) {
  const PlanContext planning = plan_context("explained", true, context.session.effective, context.config);
  if (is_finite_form(query, context.bind())) {
    const BoundFinite bound = bind_finite(query, context.bind());
    std::vector<std::string> sources;
    for (const SourceDef* read : bound.sources) sources.push_back(read->name);
    std::vector<std::string> names;
    const auto kept = [&](const SourcePtr& source) {
      auto keeper = explain_kept(*source, context);
      if (keeper) names.push_back(source->name);
      return keeper;
    };
    auto plan = plan_finite_pull(bound, context.state, context.bind(), planning, kept).above;
    return {kPullQuery, ast::format(select), std::move(plan), std::move(sources), "", std::move(names)};
  }
  const SourceDef* source = context.state.catalog.find(query.from.first.name.text);
  const bool stream = source != nullptr && source->kind == RelationKind::stream;
  const BoundPull bound = stream ? bind_stream_pull(query, context.bind()) : bind_pull(query, context.bind());
  std::shared_ptr<const PhysicalPlan> plan;
  const auto kept = source != nullptr ? explain_kept(*source, context) : nullptr;
  if (kept) {
    plan = plan_pull(bound, *kept, planning);
  } else if (reads_topic(bound, context.state)) {
    plan = plan_topic_pull(bound, context.bind(), planning).above;
  } else if (stream) {
    const BoundQuery passing = bind_passing_pull(query, context.bind());
    plan = plan_query(passing.root, passing.options, planning);
  } else {
    plan = plan_table_pull(bound, context.state, planning);
  }
  Explained explained{kPullQuery, ast::format(select), std::move(plan), {bound.source}, ""};
  if (kept) explained.kept.push_back(bound.source);
  return explained;
}

Explained explain_select(const ast::Statement& select, const ast::Query& query, const StatementContext& context) {
  if (query.emit == ast::Emit::none) return explain_pull(select, query, context);
  BoundQuery bound = bind_push(query, context.bind());
  auto plan =
      plan_query(bound.root, bound.options, plan_context("explained", true, context.session.effective, context.config));
  return {kPushQuery, ast::format(select), std::move(plan), std::move(bound.sources), ""};
}

Explained explain_statement(const ast::Statement& inner, const StatementContext& context) {
  if (const auto* select = inner.as<ast::Select>()) return explain_select(inner, *select->query, context);
  if (!inner.as<ast::CreateAs>() && !inner.as<ast::InsertSelect>()) throw runs_no_query(inner);
  const Planned planned = plan_statement(inner, context);
  for (const Change& change : std::get<Mutation>(planned).changes)
    if (change.query)
      return {kPersistentQuery, change.query->statement, change.query->plan, change.query->sources, change.query->sink};
  throw runs_no_query(inner);
}

const QueryInfo& require_query(const ast::Identifier& id, const ServiceState& state) {
  const QueryInfo* query = state.find_query(id.text);
  if (query == nullptr)
    throw SqlError(
        Code::invalid_statement, id.span,
        fmt::format("Query with id:{} does not exist, use SHOW QUERIES to view the full set of queries.", id.text));
  return *query;
}

json::object query_list(const ast::Statement& statement, const ShowContext& context) {
  json::array list;
  for (const auto& [id, query] : context.state->queries) list.push_back(query_json(*query, context));
  for (const auto& [id, text] : context.push_queries)
    list.push_back(json::object{{"queryString", text},
                                {"sinks", json::array{}},
                                {"sinkKafkaTopics", json::array{}},
                                {"id", id},
                                {"statusCount", json::object{{"RUNNING", 1}}},
                                {"queryType", kPushQuery},
                                {"state", "RUNNING"}});
  json::object object = entity("queries", statement);
  object["queries"] = std::move(list);
  return object;
}

}  // namespace

Planned plan(const ast::Explain& explain, const ast::Statement& statement, const StatementContext& context) {
  if (explain.query_id) {
    (void)require_query(*explain.query_id, context.state);
    return Show{[&](const ShowContext& now) {
      const QueryInfo& query = require_query(*explain.query_id, *now.state);
      json::object object = entity("queryDescription", statement);
      object["queryDescription"] = describe_query(query, now);
      object["warnings"] = warnings_json(*query.plan);
      if (explain.analyze) object["queryDescription"].as_object()["analysis"] = analysis(query, now);
      return object;
    }};
  }
  if (explain.analyze)
    throw SqlError(Code::invalid_statement, statement.span, "EXPLAIN ANALYZE tells of a query that runs: give its id.")
        .hint("SHOW QUERIES lists them");
  return Show{[&statement, explained = explain_statement(*explain.statement, context)](const ShowContext& now) {
    json::object object = entity("queryDescription", statement);
    object["queryDescription"] = query_description("", explained, now.session.overrides, {}, now);
    json::array warnings = warnings_json(*explained.plan);
    for (const std::string& table : explained.kept) warnings.push_back(kept_warning(table, now));
    object["warnings"] = std::move(warnings);
    return object;
  }};
}

Planned plan(const ast::ShowQueries& show, const ast::Statement& statement, const StatementContext&) {
  return Show{[&](const ShowContext& context) {
    if (!show.extended) return query_list(statement, context);
    json::array list;
    for (const auto& [id, query] : context.state->queries) list.push_back(describe_query(*query, context));
    json::object object = entity("query_descriptions", statement);
    object["queryDescriptions"] = std::move(list);
    return object;
  }};
}

void need(const ast::Explain& explain, Needs& needs) {
  if (explain.statement)
    add_needs(*explain.statement, needs);
  else
    needs.add(Privilege::terminate);
}

}  // namespace millrace::inline server
