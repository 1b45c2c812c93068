#include "planner/physical/row_kinds.h"

namespace millrace::inline planner {
namespace {

NodePtr provide(const NodePtr& node, bool before, bool transient);

NodePtr materialized(NodePtr table) {
  return make_node(MaterializeNode{.input = std::move(table), .emit_before = true});
}

// Whether before rows come for nothing: an aggregate has them in its own state.
bool keeps_own_state(const PlanNode& node) {
  if (node.as<FilterNode>() || node.as<ProjectNode>()) return keeps_own_state(*inputs_of(node).front());
  return node.as<AggregateNode>() || node.as<MaterializeNode>() || node.as<TableTableJoinNode>() ||
         node.as<ForeignKeyJoinNode>();
}

struct Provide {
  const NodePtr& node;
  bool before, transient;

  NodePtr operator()(const SourceNode&) const { return before ? materialized(node) : node; }
  NodePtr operator()(const FilterNode& n) const {
    FilterNode changed = n;
    // Without state at hand every row that fails is withdrawn, whether it had passed or not: the store above, which
    // holds only what passed, lets no removal of an absent row through.
    changed.retract = node->kind == RelationKind::table && (before || transient || keeps_own_state(*n.input));
    changed.input = provide(n.input, changed.retract, transient);
    return make_node(std::move(changed));
  }
  NodePtr operator()(const RekeyNode& n) const {
    RekeyNode changed = n;
    changed.input = provide(n.input, true, transient);
    return make_node(std::move(changed));
  }
  NodePtr operator()(const AggregateNode& n) const {
    AggregateNode changed = n;
    changed.emit_before = before;
    changed.input = provide(n.input, true, transient);
    return make_node(std::move(changed));
  }
  NodePtr operator()(const MaterializeNode& n) const {
    MaterializeNode changed = n;
    changed.emit_before = n.emit_before || before;
    changed.input = provide(n.input, false, transient);
    return make_node(std::move(changed));
  }
  template <class Node>
  requires requires(const Node& n) { n.left; }
  NodePtr operator()(const Node& n) const {
    return with_inputs(*node, {provide(n.left, false, transient), provide(n.right, false, transient)});
  }
  template <class Node>
  requires requires(const Node& n) { n.input; }
  NodePtr operator()(const Node& n) const { return with_inputs(*node, {provide(n.input, before, transient)}); }
};

NodePtr provide(const NodePtr& node, bool before, bool transient) {
  return std::visit(Provide{node, before && node->kind == RelationKind::table, transient}, node->node);
}

}  // namespace

NodePtr provide_before_rows(const NodePtr& root, bool transient) {
  return provide(root, false, transient);
}

NodePtr make_pullable(const NodePtr& root) {
  const auto* sink = root->as<SinkNode>();
  if (!sink || root->kind != RelationKind::table || find_materialized(root)) return root;
  bool filtered = false;
  for (NodePtr node = sink->input; node->as<FilterNode>() || node->as<ProjectNode>(); node = inputs_of(*node).front())
    filtered = filtered || node->as<FilterNode>();
  SinkNode changed = *sink;
  changed.input = make_node(MaterializeNode{.input = sink->input, .emit_before = filtered});
  return make_node(std::move(changed));
}

NodePtr find_materialized(const NodePtr& sink) {
  NodePtr node = inputs_of(*sink).front();
  while (node->as<FilterNode>() || node->as<ProjectNode>()) node = inputs_of(*node).front();
  // What an aggregate keeps for final results is not final yet.
  if (const auto* aggregate = node->as<AggregateNode>(); aggregate && aggregate->emit == EmitPolicy::final)
    return nullptr;
  return node->as<AggregateNode>() || node->as<MaterializeNode>() ? node : nullptr;
}

}  // namespace millrace::inline planner
