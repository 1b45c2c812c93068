#include <algorithm>

#include "planner/rules/rule_list.h"

namespace millrace::inline planner {
namespace {

constexpr std::int64_t kMost = 16;  // rows of a key that are compared with each other

NodePtr thinned(const PlanNode& node, ThinNode thin) {
  const auto* repartition = inputs_of(node).front()->as<RepartitionNode>();
  if (repartition == nullptr || is_shared(*repartition)) return nullptr;
  const NodePtr& rows = repartition->input;
  if (rows->kind != RelationKind::stream || rows->window || rows->as<ThinNode>()) return nullptr;
  thin.input = rows;
  RepartitionNode moved = *repartition;
  moved.input = make_node(std::move(thin));
  return with_inputs(node, {make_node(std::move(moved))});
}

/// Only the last row of a group counts, if none of its arguments is NULL.
bool last_wins(const AggregateNode& aggregate) {
  return std::ranges::all_of(aggregate.calls, [](const AggregateCall& call) {
    return call.function->variants[call.variant].last_wins && !call.distinct && call.order.empty() && !call.filter;
  });
}

}  // namespace

NodePtr thinning(const NodePtr& node, const RuleContext& context) {
  if (context.options.emit_every_change) return nullptr;
  if (const auto* top = node->as<TopRowsNode>()) {
    if (top->rank != RankFunction::row_number || top->most > kMost) return nullptr;
    return thinned(*node, {.input = nullptr, .order = top->order, .most = top->most, .last = {}});
  }
  const auto* aggregate = node->as<AggregateNode>();
  if (!aggregate || aggregate->combined || aggregate->global || aggregate->window || aggregate->closing_key ||
      aggregate->calls.empty() || !last_wins(*aggregate))
    return nullptr;
  ThinNode thin{.input = nullptr, .order = {}, .most = 0, .last = {}};
  for (const AggregateCall& call : aggregate->calls) thin.last.push_back(call.arguments.front());
  return thinned(*node, std::move(thin));
}

}  // namespace millrace::inline planner
