#include "planner/bind/upgrade.h"

#include <fmt/format.h>

#include <cctype>

#include "parser/error/sql_error.h"

namespace millrace::inline planner {
namespace {

/// Projections and filters hold no state: they may come, go and change.
NodePtr skip_stateless(NodePtr node) {
  while (node->as<ProjectNode>() || node->as<FilterNode>()) node = inputs_of(*node).front();
  return node;
}

std::string step_name(const PlanNode& node) {
  std::string name;
  bool start = true;
  for (const char c : node_name(node)) {
    if (c == '_') {
      start = true;
      continue;
    }
    name += start ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
    start = false;
  }
  return name;
}

class UpgradeCheck {
 public:
  explicit UpgradeCheck(Span span) : span_(span) {}

  void compare(const NodePtr& old_node, const NodePtr& next_node) const {
    const NodePtr old = skip_stateless(old_node);
    const NodePtr next = skip_stateless(next_node);
    require_same(*old, "type", step_name(*old), step_name(*next));
    require_same(*old, "relation", old->kind == RelationKind::stream ? "STREAM" : "TABLE",
                 next->kind == RelationKind::stream ? "STREAM" : "TABLE");
    compare_step(*old, *next);
    const auto old_inputs = inputs_of(*old);
    const auto next_inputs = inputs_of(*next);
    for (std::size_t i = 0; i < old_inputs.size(); ++i) compare(old_inputs[i], next_inputs[i]);
  }

 private:
  void require_same(const PlanNode& step, const char* what, const std::string& a, const std::string& b) const {
    if (a == b) return;
    throw SqlError(
        Code::invalid_statement, span_,
        fmt::format("Query is not upgradeable. Plan step of type {} must have matching {}. Values differ: {} vs. {}",
                    step_name(step), what, a, b));
  }

  void compare_step(const PlanNode& old, const PlanNode& next) const {
    if (const auto* source = old.as<SourceNode>()) {
      require_same(old, "sourceName", source->name, next.as<SourceNode>()->name);
      require_same(old, "topicName", source->topic, next.as<SourceNode>()->topic);
    } else if (const auto* rekey = old.as<RekeyNode>()) {
      require_same(old, "keyExpression", key_text(*rekey), key_text(*next.as<RekeyNode>()));
    } else if (const auto* aggregate = old.as<AggregateNode>()) {
      require_same(old, "aggregationFunctions", call_text(*aggregate), call_text(*next.as<AggregateNode>()));
      require_same(old, "windowExpression", window_text(*aggregate), window_text(*next.as<AggregateNode>()));
    } else if (old.as<StreamStreamJoinNode>() || old.as<StreamTableJoinNode>() || old.as<TableTableJoinNode>() ||
               old.as<ForeignKeyJoinNode>()) {
      throw SqlError(Code::invalid_statement, span_, "Upgrades not yet supported for " + step_name(old));
    }
  }

  static std::string key_text(const RekeyNode& node) {
    std::string text;
    for (const auto& key : node.keys) text += (text.empty() ? "" : ", ") + to_string(*key.expr);
    return text;
  }
  static std::string constant_text(const Value& value) {
    if (const auto* number = value.get_if<std::int32_t>()) return fmt::format("{}", *number);
    if (const auto* number = value.get_if<std::int64_t>()) return fmt::format("{}", *number);
    if (const auto* flag = value.get_if<bool>()) return *flag ? "true" : "false";
    if (const auto* text = value.get_if<std::string>()) return *text;
    return fmt::format("#{}", value.data().index());
  }
  static std::string call_text(const AggregateNode& node) {
    std::string text;
    for (const auto& call : node.calls) {
      text += (text.empty() ? "" : ", ") + call.function->name + "(";
      for (const auto& argument : call.arguments) text += to_string(*argument) + ",";
      for (const auto& constant : call.constants) text += constant_text(constant) + ",";
      text += ")";
    }
    return text;
  }
  static std::string window_text(const AggregateNode& node) {
    if (!node.window) return "none";
    const auto& window = *node.window;
    return fmt::format("{}/{}/{}/{}/{}/{}", static_cast<int>(window.type), window.size_ms, window.advance_ms,
                       window.grace_ms, window.retention_ms, static_cast<int>(node.emit));
  }

  Span span_;
};

}  // namespace

void check_query_upgrade(const NodePtr& old, const NodePtr& next, Span span) {
  UpgradeCheck(span).compare(old, next);
}

}  // namespace millrace::inline planner
