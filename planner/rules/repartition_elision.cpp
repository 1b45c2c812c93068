#include "planner/rules/partitioning.h"
#include "planner/rules/rule_list.h"

namespace millrace::inline planner {
namespace {

NodePtr strip(const NodePtr& node) {
  if (const auto* repartition = node->as<RepartitionNode>(); repartition && !is_shared(*repartition))
    return strip(repartition->input);
  return map_inputs(node, strip);
}

// The keys are the input's own key columns, all of them, in order.
bool keeps_key(const RekeyNode& rekey) {
  const auto keys = rekey.input->schema.keys();
  if (keys.empty() || keys.size() != rekey.keys.size() || rekey.input->window) return false;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const auto* column = rekey.keys[i].expr->as<ColumnExpr>();
    if (!column || column->index != i) return false;
    // The bytes of a key of several columns may hold their names.
    if (keys.size() > 1 && rekey.keys[i].column.name != keys[i].name) return false;
  }
  return true;
}

bool lies_right(const RepartitionNode& repartition) {
  const auto* rekey = repartition.input->as<RekeyNode>();
  if (!rekey || !keeps_key(*rekey)) return false;
  const Partitioning below = partitioning_of(*rekey->input);
  return !below.moved && below.key_format == repartition.key_format &&
         (repartition.partitions == 0 || repartition.partitions == below.partitions);
}

}  // namespace

NodePtr repartition_elision(const NodePtr& node, const RuleContext&) {
  if (const auto* repartition = node->as<RepartitionNode>())
    return is_shared(*repartition) || !lies_right(*repartition) ? nullptr : repartition->input;
  const bool root = node->as<SinkNode>() || node->as<OutputNode>();
  if (!root || !single_partition(*node)) return nullptr;
  NodePtr stripped = strip(node);
  return stripped == node ? nullptr : stripped;
}

}  // namespace millrace::inline planner
