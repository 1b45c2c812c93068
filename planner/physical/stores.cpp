#include "planner/physical/stores.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <span>

#include "parser/error/ensure.h"
#include "planner/logical/window_trace.h"
#include "planner/physical/row_kinds.h"

namespace millrace::inline planner {
namespace {

std::span<const StoreRole> roles_of(const PlanNode& node) {
  return std::visit([]<class Node>(const Node&) { return std::span<const StoreRole>(Node::kStores); }, node.node);
}

/// Whether the node has a store of that role.
bool keeps(const PlanNode& node, const StoreRole& role) {
  return std::visit(
      [&]<class Node>(const Node& n) {
        if constexpr (requires { n.keeps(role); }) return n.keeps(role);
        return true;
      },
      node.node);
}

/// How the store of a node differs from what its role says.
StoreLayout layout_of(const PlanNode& node, const StoreRole& role) {
  const auto* aggregate = node.as<AggregateNode>();
  const bool session = role.layout == StoreLayout::groups && aggregate && aggregate->window &&
                       aggregate->window->type == WindowType::session;
  return session ? StoreLayout::timed_groups : role.layout;
}

/// A join keeps the rows of its inputs.
bool is_windowed(const PlanNode& node) {
  const auto inputs = inputs_of(node);
  return node.window || std::any_of(inputs.begin(), inputs.end(), [](const auto& input) { return input->window; });
}

std::optional<std::int64_t> retention_of(const PlanNode& node) {
  if (const auto* join = node.as<StreamStreamJoinNode>()) return join->retention_ms();
  if (const auto* dedup = node.as<DedupNode>()) return dedup->retention_ms();
  const bool keeps_rows = node.as<MaterializeNode>() || node.as<CloseWindowsNode>() || node.as<EveryNode>() ||
                          node.as<TableTableJoinNode>() || node.as<AggregateNode>();
  return keeps_rows && is_windowed(node) ? kept_for(node) : std::nullopt;
}

const StorePlan* store_of(const Subtopology& subtopology, const PlanNode* owner) {
  for (const auto& store : subtopology.stores)
    if (store.owner == owner) return &store;
  return nullptr;
}

class Namer {
 public:
  void name(Subtopology& subtopology, const PlanNode& node) {
    for (const auto& input : inputs_of(node)) name(subtopology, *input);
    const std::string kind(node_name(node));
    subtopology.steps.push_back({&node, fmt::format("{}.{}", kind, ++counts_[kind])});
  }

 private:
  std::map<std::string, int> counts_;
};

class Declarer {
 public:
  Declarer(PhysicalPlan& plan, const std::string& prefix) : plan_(plan), prefix_(prefix) {}

  void declare(Subtopology& subtopology) {
    for (const StepName& step : subtopology.steps) {
      const auto roles = roles_of(*step.node);
      if (roles.empty()) continue;
      const int number = ++counts_[std::string(node_name(*step.node))];
      for (const StoreRole& role : roles)
        if (keeps(*step.node, role)) add(subtopology, step, role, number);
    }
  }

 private:
  void add(Subtopology& subtopology, const StepName& step, const StoreRole& role, int number) {
    StorePlan store{.name = fmt::format("{}/{}", step.name, role.role),
                    .changelog_topic = {},
                    .owner = step.node,
                    .role = std::string(role.role),
                    .retention_ms = {}};
    describe_store(store);
    if (!prefix_.empty() && !role.anew) {
      const std::string suffix = number == 1 ? "" : fmt::format("-{}", number);
      store.changelog_topic = internal_topic_name(prefix_, fmt::format("{}{}", role.step, suffix), "changelog");
      plan_.topics.push_back(InternalTopic{
          .name = store.changelog_topic, .changelog = true, .partitions = 0, .subtopology = subtopology.id});
    }
    subtopology.stores.push_back(std::move(store));
  }

  PhysicalPlan& plan_;
  const std::string& prefix_;
  std::map<std::string, int> counts_;
};

}  // namespace

const std::string& Subtopology::name_of(const PlanNode& node) const {
  for (const StepName& step : steps)
    if (step.node == &node) return step.name;
  fail_internally("every node of a plan has a name", std::source_location::current());
}

void name_steps(PhysicalPlan& plan) {
  Namer namer;
  for (auto& subtopology : plan.subtopologies) {
    subtopology.steps.clear();
    namer.name(subtopology, *subtopology.root);
  }
}

void describe_store(StorePlan& store) {
  const PlanNode& node = *store.owner;
  for (const StoreRole& role : roles_of(node))
    if (role.role == store.role) store.layout = layout_of(node, role);
  store.retention_ms = retention_of(node);
  store.windowed = is_windowed(node) || store.layout == StoreLayout::timed_rows;
}

void declare_stores(PhysicalPlan& plan, const std::string& topic_prefix) {
  Declarer declarer(plan, topic_prefix);
  for (auto& subtopology : plan.subtopologies) declarer.declare(subtopology);
}

std::string topic_prefix(const PhysicalContext& context) {
  const std::string kind = context.transient ? std::string() : context.persistent_prefix;
  return fmt::format("_confluent-ksql-{}{}{}", context.service_id, kind, context.query_id);
}

std::optional<Materialization> find_materialization(const Subtopology& last) {
  const bool kept_only = last.root->as<MaterializeNode>() != nullptr;  // a source table
  if ((!last.root->as<SinkNode>() && !kept_only) || last.root->kind != RelationKind::table) return std::nullopt;
  const NodePtr kept = kept_only ? last.root : find_materialized(last.root);
  const StorePlan* store = kept ? store_of(last, kept.get()) : nullptr;
  if (!store) return std::nullopt;
  Materialization found{
      .subtopology = last.id, .store = store->name, .store_schema = kept->schema, .window = kept->window, .above = {}};
  for (NodePtr node = kept_only ? kept : inputs_of(*last.root).front(); node != kept; node = inputs_of(*node).front())
    found.above.push_back(node);
  std::reverse(found.above.begin(), found.above.end());
  return found;
}

}  // namespace millrace::inline planner
