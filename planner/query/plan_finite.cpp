#include "planner/query/plan_query.h"

namespace millrace::inline planner {
namespace {

/// Says of every leaf where its rows are, and remembers it.
class Leaves {
 public:
  explicit Leaves(const FindFinite& find) : find_(find) {}

  NodePtr place(const NodePtr& node) {
    if (const auto* scan = node->as<StoreScanNode>()) return place(*scan);
    std::vector<NodePtr> inputs;
    bool changed = false;
    for (const NodePtr& input : inputs_of(*node)) {
      inputs.push_back(place(input));
      changed = changed || inputs.back() != input;
    }
    return changed ? with_inputs(*node, std::move(inputs)) : node;
  }

  const FiniteSource& source(const std::string& name) {
    const auto known = known_.find(name);
    return known != known_.end() ? known->second : known_.emplace(name, find_(name)).first->second;
  }

 private:
  NodePtr place(const StoreScanNode& scan) {
    const FiniteSource& from = source(scan.table);
    if (from.keeper) {
      StoreScanNode kept = scan;
      kept.query = from.keeper->query_id;
      kept.rows = from.keeper->result;
      kept.window_of_rows = from.keeper->window;
      return make_node(std::move(kept));
    }
    NodePtr rows = make_node(TopicScanNode{
        .name = scan.table, .rows = from.leaf->schema, .kind = from.leaf->kind, .window_of_rows = from.leaf->window});
    return from.leaf->kind == RelationKind::table ? make_node(LatestNode{.input = std::move(rows)}) : rows;
  }

  const FindFinite& find_;
  std::map<std::string, FiniteSource> known_;
};

NodePtr output(NodePtr input, std::optional<std::int64_t> limit = {}) {
  return make_node(OutputNode{.input = std::move(input), .limit = limit});
}

void collect(const NodePtr& node, std::vector<NodePtr>& leaves) {
  const std::vector<NodePtr> inputs = inputs_of(*node);
  if (inputs.empty()) leaves.push_back(node);
  for (const NodePtr& input : inputs) collect(input, leaves);
}

}  // namespace

FinitePlan plan_finite(const BoundFinite& bound, const FindFinite& find, const PlanContext& context) {
  Leaves placed(find);
  QueryOptions options;
  options.most_memory_bytes = bound.most_memory_bytes;
  FinitePlan plan;
  plan.above = plan_query(output(placed.place(bound.root), bound.limit), options, context);
  std::vector<NodePtr> leaves;
  collect(plan.above->subtopologies.front().root, leaves);
  for (const NodePtr& leaf : leaves) {
    FinitePlan::Leaf& made = plan.leaves.emplace_back();
    if (const auto* topic = leaf->as<TopicScanNode>()) {
      QueryOptions from_start;
      from_start.from_earliest = true;
      made.topic.below = plan_query(output(placed.source(topic->name).leaf), from_start, context);
      made.topic.above = plan_query(output(leaf), {}, context);
    } else {
      made.table = plan_query(output(leaf), {}, context);
    }
  }
  return plan;
}

}  // namespace millrace::inline planner
