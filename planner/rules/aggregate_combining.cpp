#include <algorithm>

#include "planner/logical/combines.h"
#include "planner/rules/rule_list.h"

namespace millrace::inline planner {
namespace {

// A map is written in the order it came in: keys that are equal may lie in different partitions, and a sum of both
// would go to one of them.
bool plain(const ColumnDef& key) {
  return !key.type.is_nested();
}

}  // namespace

NodePtr aggregate_combining(const NodePtr& node, const RuleContext& context) {
  if (context.options.emit_every_change) return nullptr;
  const auto* aggregate = node->as<AggregateNode>();
  if (!aggregate || aggregate->combined || aggregate->global || aggregate->window || aggregate->closing_key)
    return nullptr;
  const auto* repartition = aggregate->input->as<RepartitionNode>();
  if (!repartition || aggregate->input->kind != RelationKind::stream || aggregate->input->window) return nullptr;
  const auto keys = aggregate->input->schema.keys();
  if (!std::all_of(keys.begin(), keys.end(), plain)) return nullptr;
  if (!combines(aggregate->calls)) return nullptr;

  RepartitionNode moved = *repartition;
  moved.input = make_node(CombineNode{.input = repartition->input, .calls = aggregate->calls});
  AggregateNode changed = *aggregate;
  changed.input = make_node(std::move(moved));
  changed.combined = true;
  return make_node(std::move(changed));
}

}  // namespace millrace::inline planner
