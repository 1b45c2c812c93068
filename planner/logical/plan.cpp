#include "planner/logical/plan.h"

namespace millrace::inline planner {
namespace {

template <class Node>
Relation derive(const Node& node) {
  check_described(node);
  return std::apply([&](const auto&... input) { return node.derive(static_cast<const Relation&>(*(node.*input))...); },
                    Node::kInputs);
}

}  // namespace

NodePtr make_source(SourceNode source, RelationKind kind, std::optional<WindowInfo> window) {
  source.kind = kind;
  source.window = window;
  return make_node(std::move(source));
}

NodePtr make_node(AnyNode node) {
  auto made = std::make_shared<PlanNode>();
  static_cast<Relation&>(*made) = std::visit([](const auto& n) { return derive(n); }, node);
  made->node = std::move(node);
  return made;
}

std::vector<NodePtr> inputs_of(const PlanNode& node) {
  std::vector<NodePtr> inputs;
  std::visit([&]<class Node>(const Node& n) { for_each_input<Node>([&](auto input) { inputs.push_back(n.*input); }); },
             node.node);
  return inputs;
}

NodePtr map_inputs(const NodePtr& node, const std::function<NodePtr(const NodePtr&)>& change) {
  std::vector<NodePtr> inputs = inputs_of(*node);
  bool changed = false;
  for (auto& input : inputs) {
    NodePtr made = change(input);
    changed = changed || made != input;
    input = std::move(made);
  }
  return changed ? with_inputs(*node, std::move(inputs)) : node;
}

NodePtr with_inputs(const PlanNode& node, std::vector<NodePtr> inputs) {
  AnyNode copy = node.node;
  std::size_t next = 0;
  std::visit(
      [&]<class Node>(Node& n) { for_each_input<Node>([&](auto input) { n.*input = std::move(inputs.at(next++)); }); },
      copy);
  return make_node(std::move(copy));
}

const NodeTraits& traits_of(const PlanNode& node) {
  return std::visit([]<class Node>(const Node&) -> const NodeTraits& { return Node::kTraits; }, node.node);
}

std::string_view node_name(const PlanNode& node) {
  return traits_of(node).name;
}

bool equal(const PlanNode& a, const PlanNode& b) {
  if (&a == &b) return true;
  if (a.node.index() != b.node.index()) return false;
  const bool alike = std::visit(
      [&]<class Node>(const Node& n) {
        const Node& other = std::get<Node>(b.node);
        bool all = true;
        for_each_field<Node>([&](const auto& field) { all = all && same(n.*(field.member), other.*(field.member)); });
        return all;
      },
      a.node);
  const auto left = inputs_of(a), right = inputs_of(b);
  for (std::size_t i = 0; i < left.size(); ++i)
    if (!alike || !equal(*left[i], *right[i])) return false;
  return alike;
}

bool emits_before(const PlanNode& node) {
  return std::visit(
      [](const auto& n) {
        if constexpr (requires { n.emit_before; }) {
          return n.emit_before;
        } else {
          return false;
        }
      },
      node.node);
}

std::optional<std::size_t> own_first(const PlanNode& node) {
  return std::visit(
      []<class Node>(const Node& n) {
        return std::apply(
            [&](const auto&... input) { return n.own_first(static_cast<const Relation&>(*(n.*input))...); },
            Node::kInputs);
      },
      node.node);
}

NodePtr map_node(const PlanNode& node, std::vector<NodePtr> inputs,
                 const std::function<ExprPtr(const ExprPtr&)>& change) {
  AnyNode copy = node.node;
  std::size_t next = 0;
  auto replace = [&](ExprPtr& expr) {
    if (expr) expr = change(expr);
  };
  std::visit(
      [&]<class Node>(Node& n) {
        for_each_input<Node>([&](auto input) { n.*input = std::move(inputs.at(next++)); });
        for_each_field<Node>([&](const auto& field) { for_each_expr(n.*(field.member), replace); });
      },
      copy);
  return make_node(std::move(copy));
}

void for_each_expression(const PlanNode& node, const std::function<void(const ExprPtr&)>& visit) {
  const auto visit_present = [&](const ExprPtr& expr) {
    if (expr) visit(expr);
  };
  std::visit(
      [&]<class Node>(const Node& n) {
        for_each_field<Node>([&](const auto& field) { for_each_expr(n.*(field.member), visit_present); });
      },
      node.node);
}

}  // namespace millrace::inline planner
