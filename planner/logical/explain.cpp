#include <fmt/format.h>

#include "planner/logical/plan.h"

namespace millrace::inline planner {
namespace {

std::string_view join_word(JoinType type) {
  static constexpr std::string_view kWords[] = {"inner", "left", "right", "full"};
  return kWords[static_cast<std::size_t>(type)];
}

std::string items_text(const std::vector<ProjectItem>& items) {
  std::string text;
  for (const auto& item : items) {
    const std::string expr = to_string(*item.expr);
    text += text.empty() ? "" : ", ";
    text += expr == item.column.name ? expr : fmt::format("{} := {}", item.column.name, expr);
  }
  return text;
}

std::string window_text(const WindowSpec& window) {
  switch (window.type) {
    case WindowType::tumbling:
      return fmt::format("tumbling {} ms, grace {} ms", window.size_ms, window.grace_ms);
    case WindowType::hopping:
      return fmt::format("hopping {} ms by {} ms, grace {} ms", window.size_ms, window.advance_ms, window.grace_ms);
    case WindowType::session:
      return fmt::format("session {} ms, grace {} ms", window.size_ms, window.grace_ms);
  }
  return {};
}

struct Detail {
  const PlanNode& node;

  std::string operator()(const SourceNode& n) const {
    const bool all = n.read.size() == n.declared.size();
    return fmt::format("{} topic={} {}/{}{}", n.internal ? "(internal)" : n.name, n.topic, n.key_format.name,
                       n.value_format.name,
                       all ? "" : fmt::format(" reads {} of {}", n.read.size(), n.declared.size()));
  }
  std::string operator()(const FilterNode& n) const { return to_string(*n.predicate) + (n.retract ? " retract" : ""); }
  std::string operator()(const ProjectNode& n) const { return items_text(n.items); }
  std::string operator()(const FlatMapNode& n) const {
    std::string text;
    for (const auto& call : n.calls)
      text += fmt::format("{}{} := {}", text.empty() ? "" : ", ", call.column.name, name(call));
    return text;
  }
  std::string operator()(const RekeyNode& n) const { return n.keys.empty() ? "no key" : items_text(n.keys); }
  std::string operator()(const RepartitionNode& n) const {
    return fmt::format("{} key={}{}", n.role, n.key_format.name,
                       n.partitions == 0 ? "" : fmt::format(" partitions={}", n.partitions));
  }
  std::string operator()(const CombineNode& n) const { return names(n.calls); }
  std::string operator()(const AggregateNode& n) const {
    std::string text = names(n.calls);
    if (n.combined) text += " combined";
    if (n.global) text += " global";
    if (n.window) text += " " + window_text(*n.window);
    if (n.emit == EmitPolicy::final) text += " final";
    return text + (n.emit_before ? " before" : "");
  }
  std::string operator()(const StreamTableJoinNode& n) const {
    return fmt::format("{} on {}", join_word(n.type), n.key.name);
  }
  std::string operator()(const StreamStreamJoinNode& n) const {
    return fmt::format("{} on {} within {}/{} ms{}", join_word(n.type), n.key.name, n.before_ms, n.after_ms,
                       n.grace_ms ? fmt::format(", grace {} ms", *n.grace_ms) : "");
  }
  std::string operator()(const TableTableJoinNode& n) const {
    return fmt::format("{} on {}", join_word(n.type), n.key.name);
  }
  std::string operator()(const ForeignKeyJoinNode& n) const {
    return fmt::format("{} by {}", join_word(n.type), to_string(*n.foreign_key));
  }
  std::string operator()(const MaterializeNode& n) const { return n.emit_before ? "before" : ""; }
  std::string operator()(const SinkNode& n) const {
    return fmt::format("{} topic={} {}/{}", n.internal ? "(internal)" : n.name, n.topic, n.key_format.name,
                       n.value_format.name);
  }
  std::string operator()(const OutputNode& n) const { return n.limit ? fmt::format("limit {}", *n.limit) : ""; }

  static std::string names(const std::vector<AggregateCall>& calls) {
    std::string text;
    for (const auto& call : calls) text += (text.empty() ? "" : ", ") + name(call);
    return text;
  }
  template <class Call>
  static std::string name(const Call& call) {
    std::string arguments;
    for (const auto& argument : call.arguments) arguments += (arguments.empty() ? "" : ", ") + to_string(*argument);
    return fmt::format("{}({})", call.function->name, arguments);
  }
};

void write(const NodePtr& node, int depth, std::string& out) {
  const std::string detail = std::visit(Detail{*node}, node->node);
  out += fmt::format("{}{}{}{}", std::string(static_cast<std::size_t>(depth) * 2, ' '), node_name(*node),
                     detail.empty() ? "" : " ", detail);
  out += fmt::format("  [{}{}]\n", node->kind == RelationKind::table ? "table" : "stream",
                     node->window ? " windowed" : "");
  for (const auto& input : inputs_of(*node)) write(input, depth + 1, out);
}

}  // namespace

std::string explain(const NodePtr& root) {
  std::string out;
  write(root, 0, out);
  return out;
}

}  // namespace millrace::inline planner
