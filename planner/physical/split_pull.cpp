#include "planner/physical/split_pull.h"

#include <algorithm>

#include "planner/logical/row_order.h"

namespace millrace::inline planner {
namespace {

/// The scan whose rows this gives, one by one; null: it does more.
const StoreScanNode* scan_below(const NodePtr& node) {
  if (const auto* scan = node->as<StoreScanNode>()) return scan;
  if (node->as<FilterNode>() == nullptr && node->as<ProjectNode>() == nullptr) return nullptr;
  return scan_below(inputs_of(*node).front());
}

bool has_filter(const NodePtr& node) {
  if (node->as<FilterNode>() != nullptr) return true;
  const std::vector<NodePtr> inputs = inputs_of(*node);
  return !inputs.empty() && has_filter(inputs.front());
}

/// Takes the place of what runs elsewhere.
NodePtr given_by(const NodePtr& below, const StoreScanNode& scan) {
  StoreScanNode given{.table = scan.table, .query = scan.query, .rows = below->schema, .window_of_rows = below->window};
  return make_node(std::move(given));
}

class Splitter {
 public:
  /// The tree above, once `below` is known.
  NodePtr split(const NodePtr& node) {
    const std::vector<NodePtr> inputs = inputs_of(*node);
    if (inputs.size() != 1) return nullptr;
    if (const StoreScanNode* scan = scan_below(inputs.front())) {
      if (NodePtr cut = cut_at(*node, inputs.front(), *scan)) return cut;
      if (node->as<FilterNode>() == nullptr && node->as<ProjectNode>() == nullptr) return nullptr;
    }
    NodePtr input = split(inputs.front());
    return input ? with_inputs(*node, {std::move(input)}) : nullptr;
  }

  NodePtr below;

 private:
  /// `input`: rows of the scan, one by one.
  NodePtr cut_at(const PlanNode& node, const NodePtr& input, const StoreScanNode& scan) {
    if (const auto* group = node.as<GroupNode>()) {
      if (group->partial || group->merges || !in_any_order(*group)) return filtered(node, input, scan);
      GroupNode part = *group;
      part.partial = true;
      below = make_node(std::move(part));
      GroupNode whole = *group;
      whole.merges = true;
      whole.input = given_by(below, scan);
      return make_node(std::move(whole));
    }
    if (const auto* sort = node.as<SortNode>()) {
      if (sort->order.empty() || !sort->limit) return filtered(node, input, scan);
      SortNode first = *sort;
      first.limit = *sort->limit + sort->offset.value_or(0);
      first.offset.reset();
      below = make_node(std::move(first));
      return with_inputs(node, {given_by(below, scan)});
    }
    if (node.as<OutputNode>() != nullptr) return filtered(node, input, scan);
    return nullptr;
  }
  NodePtr filtered(const PlanNode& node, const NodePtr& input, const StoreScanNode& scan) {
    if (!has_filter(input)) return nullptr;
    below = input;
    return with_inputs(node, {given_by(below, scan)});
  }
};

NodePtr fill_in(const NodePtr& node, const std::vector<Value>& values) {
  std::vector<NodePtr> inputs;
  for (const NodePtr& input : inputs_of(*node)) inputs.push_back(fill_in(input, values));
  const std::function<ExprPtr(const ExprPtr&)> change = [&](const ExprPtr& expr) -> ExprPtr {
    const auto* parameter = expr->as<ParameterExpr>();
    return parameter != nullptr ? make_literal(values.at(parameter->index), expr->type) : map_children(expr, change);
  };
  return map_node(*node, std::move(inputs), change);
}

}  // namespace

std::optional<SplitPull> split_pull(const PhysicalPlan& plan) {
  if (plan.subtopologies.size() != 1) return std::nullopt;
  Splitter splitter;
  const NodePtr above = splitter.split(plan.subtopologies.front().root);
  if (!above) return std::nullopt;
  const PhysicalContext context{.service_id = {}, .query_id = plan.query_id, .transient = true};
  std::optional<std::int64_t> limit;
  if (const auto* output = plan.subtopologies.front().root->as<OutputNode>())
    if (inputs_of(*plan.subtopologies.front().root).front() == splitter.below) limit = output->limit;
  const NodePtr root = make_node(OutputNode{.input = splitter.below, .limit = limit});
  return SplitPull{std::make_shared<const PhysicalPlan>(make_physical(root, plan.options, context)),
                   std::make_shared<const PhysicalPlan>(make_physical(above, plan.options, context))};
}

PhysicalPlan with_parameters(const PhysicalPlan& plan, const std::vector<Value>& values) {
  return make_physical(fill_in(plan.subtopologies.front().root, values), plan.options,
                       {.service_id = {}, .query_id = plan.query_id, .transient = true});
}

}  // namespace millrace::inline planner
