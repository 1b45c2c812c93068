#include "planner/physical/row_kinds.h"

#include <algorithm>
#include <map>
#include <string>

namespace millrace::inline planner {
namespace {

// Row by row, and a pull query can do the same to what it reads.
bool is_row_wise(const PlanNode& node) {
  return node.as<FilterNode>() || node.as<ProjectNode>();
}

// Whether before rows come for nothing: an aggregate has them in its own state.
bool keeps_own_state(const PlanNode& node) {
  return is_row_wise(node) ? keeps_own_state(*inputs_of(node).front()) : traits_of(node).knows_old_rows;
}

class Provider {
 public:
  Provider(bool transient, BeforeByTopic* topics) : transient_(transient), topics_(topics) {}

  /// What several read has rows before for all of them as soon as one wants them, which may be the last.
  NodePtr provide_all(const NodePtr& root) {
    while (true) {
      const std::map<std::string, bool> known = shared_;
      NodePtr made = provide(root, false);
      if (known == shared_) return made;
    }
  }

 private:
  NodePtr provide(const NodePtr& node, bool wanted) {
    bool before = wanted && node->kind == RelationKind::table;
    if (const auto* moved = node->as<RepartitionNode>(); moved && is_shared(*moved))
      before = shared_[moved->role] = shared_[moved->role] || before;
    if (const auto* source = node->as<SourceNode>()) return provide_source(node, *source, before);
    if (before && node->as<NewestNode>())
      return make_node(MaterializeNode{.input = provide(node, false), .emit_before = true});
    AnyNode copy = node->node;
    bool below = std::visit([&](auto& n) { return decide(*node, n, before); }, copy);
    std::visit(
        [&]<class Node>(Node& n) { for_each_input<Node>([&](auto input) { n.*input = provide(n.*input, below); }); },
        copy);
    return make_node(std::move(copy));
  }

  // An internal topic carries rows before, if those who write it give them.
  NodePtr provide_source(const NodePtr& node, const SourceNode& source, bool before) const {
    if (source.internal && topics_ != nullptr) {
      bool& wanted = (*topics_)[source.topic];
      wanted = wanted || before;
      return node;
    }
    return before ? make_node(MaterializeNode{.input = node, .emit_before = true}) : node;
  }

  /// Whether the inputs must give before rows. The node's own flags are set.
  template <class Node>
  bool decide(const PlanNode& node, Node& changed, bool before) const {
    if constexpr (requires { changed.emit_before; }) changed.emit_before = changed.emit_before || before;
    if constexpr (requires { changed.retract; }) {
      // Without state at hand every row that fails is withdrawn, whether it had passed or not: the store above, which
      // holds only what passed, lets no removal of an absent row through.
      changed.retract = node.kind == RelationKind::table && (before || transient_ || keeps_own_state(*changed.input));
      return changed.retract;
    }
    if constexpr (std::same_as<Node, SinkNode>) {
      if (changed.internal && topics_ != nullptr) return (*topics_)[changed.topic];
    }
    return Node::kTraits.before == Before::always || (Node::kTraits.before == Before::as_wanted && before);
  }

  const bool transient_;
  BeforeByTopic* topics_;
  std::map<std::string, bool> shared_;  // by role
};

}  // namespace

NodePtr provide_before_rows(const NodePtr& root, bool transient, BeforeByTopic* topics) {
  return Provider(transient, topics).provide_all(root);
}

NodePtr make_pullable(const NodePtr& root) {
  const auto* sink = root->as<SinkNode>();
  if (!sink || root->kind != RelationKind::table || find_materialized(root)) return root;
  bool filtered = false;
  for (NodePtr node = sink->input; is_row_wise(*node); node = inputs_of(*node).front())
    filtered = filtered || node->as<FilterNode>();
  return with_inputs(*root, {make_node(MaterializeNode{.input = sink->input, .emit_before = filtered})});
}

NodePtr find_materialized(const NodePtr& sink) {
  NodePtr node = inputs_of(*sink).front();
  while (is_row_wise(*node)) node = inputs_of(*node).front();
  const bool holds = std::visit(
      []<class Node>(const Node& n) {
        if constexpr (requires { n.holds_result(); })
          if (!n.holds_result()) return false;
        return std::any_of(Node::kStores.begin(), Node::kStores.end(), [](const auto& s) { return s.holds_result; });
      },
      node->node);
  return holds ? node : nullptr;
}

}  // namespace millrace::inline planner
