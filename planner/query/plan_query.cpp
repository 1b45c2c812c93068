#include "planner/query/plan_query.h"

#include <fmt/format.h>

#include <algorithm>

#include "parser/error/sql_error.h"
#include "parser/error/trim.h"
#include "planner/rules/rules.h"

namespace millrace::inline planner {

std::set<std::string> read_rule_names(const std::string& list) {
  std::set<std::string> names;
  for (std::size_t at = 0; at < list.size();) {
    const std::size_t comma = std::min(list.find(',', at), list.size());
    const std::string name(trim(std::string_view(list).substr(at, comma - at)));
    at = comma + 1;
    if (name.empty()) continue;
    const auto rule = std::ranges::find(rules(), name, &Rule::name);
    const auto refuse = [&](const char* why) {
      return SqlError(Code::invalid_property, {}, fmt::format("millrace.rules.off: {} '{}'", why, name),
                      ErrorClass::general)
          .hint("EXPLAIN tells which rules acted");
    };
    if (name != "all" && rule == rules().end()) throw refuse("no rule is called");
    if (name != "all" && !rule->optional) throw refuse("no plan runs without the rule");
    names.insert(name);
  }
  return names;
}

BoundQuery bind_source_rows(const std::string& source, const BindContext& context) {
  ast::Query all;
  all.items.emplace_back(ast::SelectStar{});
  all.from.first.name.text = source;
  all.emit = ast::Emit::changes;
  BoundQuery bound = bind_push(all, context);
  while (!bound.root->as<SourceNode>() && !bound.root->as<NewestNode>()) bound.root = inputs_of(*bound.root).front();
  return bound;
}

std::shared_ptr<const PhysicalPlan> plan_query(const NodePtr& root, const QueryOptions& options,
                                               const PlanContext& context) {
  std::set<std::string> rules_off = context.rules_off;
  // One that takes another's place goes on reading its topics.
  const PhysicalPlan* replaced = context.physical.replaced;
  if (replaced != nullptr && std::ranges::find(replaced->fired_rules, "sharing") == replaced->fired_rules.end())
    rules_off.insert("sharing");
  Rewritten rewritten = rewrite(root, {context.evaluate, options}, rules_off);
  auto plan = std::make_shared<PhysicalPlan>(make_physical(rewritten.root, options, context.physical));
  plan->fired_rules = std::move(rewritten.fired);
  if (!context.physical.transient) plan->bound = root;
  return plan;
}

std::shared_ptr<const PhysicalPlan> plan_kept_table(NodePtr leaf, const QueryOptions& options,
                                                    const PlanContext& context) {
  return plan_query(make_node(MaterializeNode{.input = std::move(leaf), .emit_before = false}), options, context);
}

namespace {

NodePtr each_once(NodePtr input) {
  GroupNode once{.input = nullptr, .keys = column_items(input->schema), .calls = {}, .keep_null = true};
  once.input = std::move(input);
  return make_node(std::move(once));
}

/// What a pull query does with the rows of its leaf. `filtered`: the leaf may give rows that the predicate does not
/// accept.
std::shared_ptr<const PhysicalPlan> plan_above(NodePtr node, const BoundPull& bound, bool filtered,
                                               const PlanContext& context) {
  if (filtered && bound.predicate) node = make_node(FilterNode{.input = std::move(node), .predicate = bound.predicate});
  if (bound.groups) {
    node = make_node(GroupNode{.input = std::move(node), .keys = bound.groups->keys, .calls = bound.groups->calls});
    if (bound.groups->having) node = make_node(FilterNode{.input = std::move(node), .predicate = bound.groups->having});
  }
  const auto ordered = [&](NodePtr input) {
    if (bound.order.empty() && !bound.offset) return input;
    return make_node(
        SortNode{.input = std::move(input), .order = bound.order, .limit = bound.limit, .offset = bound.offset});
  };
  if (!bound.distinct) node = ordered(std::move(node));
  node = make_node(ProjectNode{.input = std::move(node), .items = bound.items});
  if (bound.distinct) node = ordered(each_once(std::move(node)));
  QueryOptions options;
  options.most_memory_bytes = bound.most_memory_bytes;
  return plan_query(make_node(OutputNode{.input = std::move(node), .limit = bound.limit}), options, context);
}

}  // namespace

std::shared_ptr<const PhysicalPlan> plan_pull(const BoundPull& bound, const PhysicalPlan& keeper,
                                              const PlanContext& context) {
  NodePtr node;
  if (!bound.access.keys.empty()) {
    node = make_node(KeyLookupNode{.table = bound.source,
                                   .query = keeper.query_id,
                                   .rows = keeper.result,
                                   .window_of_rows = keeper.window,
                                   .keys = bound.access.keys});
  } else {
    node = make_node(StoreScanNode{.table = bound.source,
                                   .query = keeper.query_id,
                                   .rows = keeper.result,
                                   .window_of_rows = keeper.window,
                                   .limits = bound.access.limits,
                                   .from = bound.access.from,
                                   .to = bound.access.to,
                                   .index = bound.access.index,
                                   .index_columns = bound.access.index_columns,
                                   .prefixes = bound.access.prefixes});
  }
  const bool exact = bound.access.says_all && !bound.access.keys.empty();
  return plan_above(std::move(node), bound, !exact, context);
}

TopicPullPlan plan_topic_pull(const BoundPull& bound, const NodePtr& leaf, const PlanContext& context) {
  QueryOptions options;
  options.from_earliest = true;
  TopicPullPlan plan;
  plan.below = plan_query(make_node(OutputNode{.input = leaf, .limit = {}}), options, context);
  NodePtr rows = make_node(
      TopicScanNode{.name = bound.source, .rows = leaf->schema, .kind = leaf->kind, .window_of_rows = leaf->window});
  if (leaf->kind == RelationKind::table) rows = make_node(LatestNode{.input = std::move(rows)});
  plan.above = plan_above(std::move(rows), bound, true, context);
  return plan;
}

}  // namespace millrace::inline planner
