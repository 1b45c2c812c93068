#include "planner/bind/upgrade.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "parser/error/sql_error.h"

namespace millrace::inline planner {
namespace {

/// What has no state and no place of its own may come, go and change. What an interval holds back would be lost.
NodePtr skip_free(NodePtr node) {
  while (traits_of(*node).upgrade == Upgrade::free && !node->as<EveryNode>()) node = inputs_of(*node).front();
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

/// The columns of a relation in its former self: a source may have got more of them since.
std::vector<std::size_t> former_places(const Schema& old, const Schema& next) {
  std::vector<std::size_t> places;
  for (const ColumnDef& column : next.columns) {
    const auto found = std::ranges::find(old.columns, column.name, &ColumnDef::name);
    const bool known = found != old.columns.end();
    places.push_back(known ? static_cast<std::size_t>(found - old.columns.begin()) : old.size() + places.size());
  }
  return places;
}

template <class T>
bool same_state(const T& a, const T& b) {
  return same(a, b);
}
/// How many values a call keeps is a setting, which may change: what it has kept stays.
bool same_state(std::vector<AggregateCall> a, std::vector<AggregateCall> b) {
  for (auto* calls : {&a, &b})
    for (AggregateCall& call : *calls) call.limit = -1;
  return same(a, b);
}

class UpgradeCheck {
 public:
  explicit UpgradeCheck(Span span) : span_(span) {}

  void compare(const NodePtr& old_node, const NodePtr& next_node) const {
    const NodePtr old = skip_free(old_node);
    const NodePtr next = skip_free(next_node);
    require_same(*old, "type", step_name(*old), step_name(*next));
    require_same(*old, "relation", old->kind == RelationKind::stream ? "STREAM" : "TABLE",
                 next->kind == RelationKind::stream ? "STREAM" : "TABLE");
    compare_step(*old, *next);
    if (old->as<AggregateNode>() && inputs_of(*old).front()->kind == RelationKind::table) compare_filters(old, next);
    const auto old_inputs = inputs_of(*old);
    const auto next_inputs = inputs_of(*next);
    for (std::size_t i = 0; i < old_inputs.size(); ++i) compare(old_inputs[i], next_inputs[i]);
  }

 private:
  void require_same(const PlanNode& step, std::string_view what, const std::string& a, const std::string& b) const {
    if (a != b) refuse(step, what, a, b);
  }
  [[noreturn]] void refuse(const PlanNode& step, std::string_view what, const std::string& a,
                           const std::string& b) const {
    throw SqlError(
        Code::invalid_statement, span_,
        fmt::format("Query is not upgradeable. Plan step of type {} must have matching {}. Values differ: {} vs. {}",
                    step_name(step), what, a, b));
  }

  void compare_step(const PlanNode& old, const PlanNode& next) const {
    if (traits_of(old).upgrade == Upgrade::refused)
      throw SqlError(Code::invalid_statement, span_, "Upgrades not yet supported for " + step_name(old));
    std::visit(
        [&]<class Node>(const Node& node) {
          for_each_field<Node>([&](const auto& field) { compare_field(old, node, next, field); });
        },
        old.node);
  }

  // Which rows of a table have been counted must be known when they are taken back.
  void compare_filters(const NodePtr& old, const NodePtr& next) const {
    const std::vector<const FilterNode*> before = filters_below(*old), after = filters_below(*next);
    const auto as_before = [](const FilterNode* was, const FilterNode* is) {
      const auto places = former_places(was->input->schema, is->input->schema);
      return same(was->predicate, remap_columns(is->predicate, places));
    };
    if (!std::ranges::equal(before, after, as_before))
      refuse(*old, "filterExpression", text_of(predicates(before)), text_of(predicates(after)));
  }
  static std::vector<const FilterNode*> filters_below(const PlanNode& from) {
    std::vector<const FilterNode*> filters;
    const PlanNode* node = &from;
    for (auto inputs = inputs_of(*node); inputs.size() == 1; inputs = inputs_of(*node)) {
      node = inputs.front().get();
      if (const auto* filter = node->as<FilterNode>()) filters.push_back(filter);
    }
    return filters;
  }
  static std::vector<ExprPtr> predicates(const std::vector<const FilterNode*>& filters) {
    std::vector<ExprPtr> list;
    for (const FilterNode* filter : filters) list.push_back(filter->predicate);
    return list;
  }

  template <class Node, class Field>
  void compare_field(const PlanNode& step, const Node& old, const PlanNode& next, const Field& field) const {
    if (field.fixed_as.empty()) return;
    const auto& was = old.*(field.member);
    auto is = next.as<Node>()->*(field.member);
    if constexpr (std::tuple_size_v<decltype(Node::kInputs)> != 0) {
      const auto places = former_places(inputs_of(step).front()->schema, inputs_of(next).front()->schema);
      auto to_former = [&](ExprPtr& expr) { expr = remap_columns(expr, places); };
      for_each_expr(is, to_former);
    }
    if (!same_state(was, is)) refuse(step, field.fixed_as, text_of(was), text_of(is));
  }

  Span span_;
};

}  // namespace

void check_query_upgrade(const NodePtr& old, const NodePtr& next, Span span) {
  UpgradeCheck(span).compare(old, next);
}

}  // namespace millrace::inline planner
