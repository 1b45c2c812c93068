#include <algorithm>
#include <map>

#include "planner/logical/row_order.h"
#include "planner/query/plan_query.h"
#include "planner/rules/rules.h"

namespace millrace::inline planner {
namespace {

/// Says of every leaf where its rows are, and remembers it.
class Leaves {
 public:
  explicit Leaves(const FindFinite& find) : find_(find) {}

  NodePtr place(const NodePtr& node) {
    if (const auto* versions = node->as<VersionsNode>()) {
      const StoreScanNode& scan = *versions->input->as<StoreScanNode>();
      return with_inputs(*node, {topic_of(scan, source(scan.table, true), true)});
    }
    if (const auto* scan = node->as<StoreScanNode>()) return place(*scan);
    return map_inputs(node, [this](const NodePtr& input) { return place(input); });
  }

  const FiniteSource& source(const std::string& name, bool versions) {
    const auto known = known_.find({name, versions});
    return known != known_.end() ? known->second
                                 : known_.emplace(std::pair(name, versions), find_(name, versions)).first->second;
  }

 private:
  NodePtr place(const StoreScanNode& scan) {
    const FiniteSource& from = source(scan.table, false);
    if (from.keeper) {
      StoreScanNode kept = scan;
      kept.query = from.keeper->query_id;
      kept.rows = from.keeper->result;
      kept.window_of_rows = from.keeper->window;
      return make_node(std::move(kept));
    }
    NodePtr rows = topic_of(scan, from, false);
    return from.leaf->kind == RelationKind::table ? make_node(LatestNode{.input = std::move(rows)}) : rows;
  }

  static NodePtr topic_of(const StoreScanNode& scan, const FiniteSource& from, bool versions) {
    return make_node(TopicScanNode{.name = scan.table,
                                   .rows = from.leaf->schema,
                                   .kind = from.leaf->kind,
                                   .window_of_rows = from.leaf->window,
                                   .versions = versions});
  }

  const FindFinite& find_;
  std::map<std::pair<std::string, bool>, FiniteSource> known_;
};

/// The values that a predicate lets a column have; nothing: any.
std::vector<ExprPtr> values_of(const ExprPtr& part, std::size_t column) {
  const auto is_column = [&](const ExprPtr& expr) {
    const auto* read = expr->as<ColumnExpr>();
    return read && read->index == column;
  };
  const auto is_value = [](const ExprPtr& expr) {
    const auto* literal = expr->as<LiteralExpr>();
    return literal && !literal->value.is_null();
  };
  if (const auto* compared = part->as<CompareExpr>(); compared && compared->op == CompareOp::equal) {
    if (is_column(compared->left) && is_value(compared->right)) return {compared->right};
    if (is_column(compared->right) && is_value(compared->left)) return {compared->left};
  }
  const auto* in = part->as<InExpr>();
  if (in && !in->negated && is_column(in->value) && std::all_of(in->items.begin(), in->items.end(), is_value))
    return in->items;
  return {};
}

/// A look-up for each key that a filter right above a scan names. The filter stays: it may say more.
NodePtr look_up(const StoreScanNode& scan, const ExprPtr& predicate) {
  if (scan.query.empty() || scan.window_of_rows) return nullptr;
  const std::vector<ExprPtr> parts = split_conjunction(predicate);
  std::vector<KeyAccess> keys{{}};
  for (std::size_t c = 0; c < scan.rows.size(); ++c) {
    if (scan.rows.columns[c].role != ColumnRole::key) continue;
    std::vector<ExprPtr> values;
    for (std::size_t i = 0; i < parts.size() && values.empty(); ++i) values = values_of(parts[i], c);
    std::vector<KeyAccess> longer;
    for (const KeyAccess& key : keys)
      for (const ExprPtr& value : values) {
        longer.push_back(key);
        longer.back().key.push_back(value);
      }
    keys = std::move(longer);
  }
  constexpr std::size_t kMostKeys = 1000;
  if (keys.empty() || keys.size() > kMostKeys || keys.front().key.empty()) return nullptr;
  return make_node(
      KeyLookupNode{.table = scan.table, .query = scan.query, .rows = scan.rows, .window_of_rows = {}, .keys = keys});
}

NodePtr with_look_ups(const NodePtr& node) {
  const auto* filter = node->as<FilterNode>();
  const auto* scan = filter ? filter->input->as<StoreScanNode>() : nullptr;
  if (scan) {
    NodePtr found = look_up(*scan, filter->predicate);
    return found ? with_inputs(*node, {std::move(found)}) : node;
  }
  return map_inputs(node, with_look_ups);
}

NodePtr output(NodePtr input, std::optional<std::int64_t> limit = {}) {
  return make_node(OutputNode{.input = std::move(input), .limit = limit});
}

struct PlacedLeaf {
  NodePtr node;
  bool any_order;
};

/// `any_order`: whoever reads the node does not mind in which order its rows come.
void collect(const NodePtr& node, bool any_order, std::vector<PlacedLeaf>& leaves) {
  const std::vector<NodePtr> inputs = inputs_of(*node);
  if (inputs.empty()) leaves.push_back({node, any_order});
  if (const auto* group = node->as<GroupNode>()) {
    any_order = in_any_order(*group);
  } else if (node->as<FilterNode>() == nullptr && node->as<ProjectNode>() == nullptr &&
             node->as<FiniteJoinNode>() == nullptr && node->as<UnionNode>() == nullptr) {
    any_order = false;
  }
  for (const NodePtr& input : inputs) collect(input, any_order, leaves);
}

}  // namespace

FinitePlan plan_finite(const BoundFinite& bound, const FindFinite& find, const PlanContext& context) {
  Leaves placed(find);
  QueryOptions options;
  options.most_memory_bytes = bound.most_memory_bytes;
  FinitePlan plan;
  const Rewritten rewritten =
      rewrite(output(placed.place(bound.root), bound.limit), {context.evaluate, options}, context.rules_off);
  plan.above = plan_query(with_look_ups(rewritten.root), options, context);
  std::vector<PlacedLeaf> leaves;
  collect(plan.above->subtopologies.front().root, false, leaves);
  for (const auto& [leaf, any_order] : leaves) {
    FinitePlan::Leaf& made = plan.leaves.emplace_back();
    made.any_order = any_order;
    PlanContext own = context;  // what runs at the same time has names of its own
    own.physical.query_id += "_" + std::to_string(plan.leaves.size());
    made.one_row = leaf->as<OneRowNode>() != nullptr;
    if (made.one_row) continue;
    if (const auto* topic = leaf->as<TopicScanNode>()) {
      QueryOptions from_start;
      from_start.from_earliest = true;
      NodePtr read = placed.source(topic->name, topic->versions).leaf;
      if (topic->versions) read = inputs_of(*read).front();  // below what lets the newest through only
      made.topic.below = plan_query(output(std::move(read)), from_start, own);
      made.topic.above = plan_query(output(leaf), {}, own);
    } else {
      made.table = plan_query(output(leaf), {}, own);
    }
  }
  return plan;
}

}  // namespace millrace::inline planner
