#include "planner/physical/stores.h"

#include <fmt/format.h>

#include <map>

namespace millrace::inline planner {
namespace {

constexpr std::int64_t kDayMs = 24LL * 60 * 60 * 1000;

struct Declared {
  std::string_view role;  // last part of the store's name
  std::string_view step;  // in the changelog's name
};

std::vector<Declared> stores_of(const PlanNode& node) {
  if (node.as<AggregateNode>()) return {{"groups", "Aggregate-Aggregate-Materialize"}};
  if (node.as<MaterializeNode>()) return {{"rows", "Materialize"}};
  if (node.as<StreamTableJoinNode>()) return {{"table", "Join-table"}};
  if (node.as<StreamStreamJoinNode>() || node.as<TableTableJoinNode>())
    return {{"left", "Join-left"}, {"right", "Join-right"}};
  if (node.as<ForeignKeyJoinNode>()) return {{"left", "ForeignKeyJoin-left"}, {"right", "ForeignKeyJoin-right"}};
  return {};
}

std::optional<std::int64_t> retention_of(const PlanNode& node) {
  if (node.as<MaterializeNode>() || node.as<FilterNode>() || node.as<ProjectNode>())
    return retention_of(*inputs_of(node).front());
  if (const auto* aggregate = node.as<AggregateNode>(); aggregate && aggregate->window)
    return aggregate->window->retention_ms;
  if (const auto* join = node.as<StreamStreamJoinNode>())
    return join->before_ms + join->after_ms + join->grace_ms.value_or(kDayMs);
  return std::nullopt;
}

class Declarer {
 public:
  Declarer(PhysicalPlan& plan, const std::string& prefix) : plan_(plan), prefix_(prefix) {}

  void declare(Subtopology& subtopology, const PlanNode& node) {
    for (const auto& input : inputs_of(node)) declare(subtopology, *input);
    const auto stores = stores_of(node);
    if (stores.empty()) return;
    const int number = ++counts_[std::string(node_name(node))];
    for (const Declared& declared : stores) add(subtopology, node, declared, number);
  }

 private:
  void add(Subtopology& subtopology, const PlanNode& node, const Declared& declared, int number) {
    StorePlan store{.name = fmt::format("{}.{}/{}", node_name(node), number, declared.role),
                    .changelog_topic = {},
                    .owner = &node,
                    .windowed = node.window.has_value() || node.as<StreamStreamJoinNode>() != nullptr,
                    .retention_ms = retention_of(node)};
    if (!prefix_.empty()) {
      const std::string suffix = number == 1 ? "" : fmt::format("-{}", number);
      store.changelog_topic = fmt::format("{}-{}{}-changelog", prefix_, declared.step, suffix);
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

void declare_stores(PhysicalPlan& plan, const std::string& topic_prefix) {
  Declarer declarer(plan, topic_prefix);
  for (auto& subtopology : plan.subtopologies) declarer.declare(subtopology, *subtopology.root);
}

}  // namespace millrace::inline planner
