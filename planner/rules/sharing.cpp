#include <fmt/format.h>

#include <algorithm>

#include "planner/rules/rule_list.h"

namespace millrace::inline planner {
namespace {

using Visit = std::function<void(const NodePtr&)>;

void for_each_node(const NodePtr& node, const Visit& visit) {
  visit(node);
  for (const NodePtr& input : inputs_of(*node)) for_each_node(input, visit);
}

template <class Predicate>
bool any_node(const NodePtr& root, const Predicate& predicate) {
  bool any = false;
  for_each_node(root, [&](const NodePtr& node) { any = any || predicate(*node); });
  return any;
}

/// Its operator keeps what computing it again would cost.
bool keeps_much(const PlanNode& node) {
  return node.as<AggregateNode>() || node.as<StreamStreamJoinNode>() || node.as<TableTableJoinNode>() ||
         node.as<ForeignKeyJoinNode>() || node.as<PairJoinNode>() || node.as<TopRowsNode>() || node.as<OverNode>() ||
         node.as<DedupNode>() || node.as<TimeSortNode>();
}

/// Rows that go through a topic keep their key, and nothing else says where they are to lie.
bool can_be_shared(const NodePtr& node) {
  if (node->schema.key_count() == 0 || node->as<RepartitionNode>() || !any_node(node, keeps_much)) return false;
  return !any_node(node, [](const PlanNode& below) {
    const auto* source = below.as<SourceNode>();
    const auto* aggregate = below.as<AggregateNode>();
    return below.as<LateNode>() || (source != nullptr && (source->ready || source->broadcast)) ||
           (aggregate != nullptr && aggregate->global);
  });
}

/// What a row that has gone through a topic does not have any more.
bool reads_place(const NodePtr& root) {
  return any_node(root, [](const PlanNode& node) {
    std::vector<PseudoColumn> used;
    for_each_expression(node, [&](const ExprPtr& expr) { collect_pseudo_columns(*expr, used); });
    return std::ranges::any_of(used, [](PseudoColumn column) {
      return column == PseudoColumn::row_partition || column == PseudoColumn::row_offset;
    });
  });
}

class Sharer {
 public:
  explicit Sharer(const NodePtr& root) : root_(root) {
    for_each_node(root, [&](const NodePtr& node) {
      const auto* repartition = node->as<RepartitionNode>();
      if (repartition != nullptr && is_shared(*repartition)) roles_.push_back(repartition->role);
    });
  }

  /// The tree with the largest part that it has several times put behind a topic; null: there is none.
  NodePtr run() {
    find(root_);
    if (!part_) return nullptr;
    std::string role(kShared);
    for (int number = 2; std::ranges::find(roles_, role) != roles_.end(); ++number)
      role = fmt::format("{}{}", kShared, number);
    return put(root_, make_node(RepartitionNode{.input = part_, .role = role, .key_format = {}, .partitions = 0}));
  }

 private:
  /// Larger ones come before what they are made of. Parts of what is shared already are in it once.
  void find(const NodePtr& node) {
    if (part_) return;
    const auto* repartition = node->as<RepartitionNode>();
    if (repartition != nullptr && is_shared(*repartition)) return;
    if (can_be_shared(node) && count(root_, *node) > 1) {
      part_ = node;
      return;
    }
    for (const NodePtr& input : inputs_of(*node)) find(input);
  }

  static int count(const NodePtr& node, const PlanNode& part) {
    if (equal(*node, part)) return 1;
    const auto* repartition = node->as<RepartitionNode>();
    if (repartition != nullptr && is_shared(*repartition)) return 0;
    int sum = 0;
    for (const NodePtr& input : inputs_of(*node)) sum += count(input, part);
    return sum;
  }

  NodePtr put(const NodePtr& node, const NodePtr& shared) const {
    if (equal(*node, *part_)) return shared;
    return map_inputs(node, [&](const NodePtr& input) { return put(input, shared); });
  }

  const NodePtr root_;
  std::vector<std::string> roles_;
  NodePtr part_;
};

}  // namespace

NodePtr sharing(const NodePtr& node, const RuleContext& context) {
  // What is said of stream time is said to one reader.
  if ((!node->as<SinkNode>() && !node->as<OutputNode>()) || context.options.align_times) return nullptr;
  // What reads rows that are there has no topics.
  const bool goes_on = !any_node(
      node, [](const PlanNode& below) { return inputs_of(below).empty() && below.as<SourceNode>() == nullptr; });
  if (!goes_on || reads_place(node)) return nullptr;
  return Sharer(node).run();
}

}  // namespace millrace::inline planner
