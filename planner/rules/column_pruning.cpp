#include <algorithm>
#include <cassert>

#include "planner/rules/rule_list.h"

namespace millrace::inline planner {
namespace {

using Used = std::vector<bool>;
constexpr std::size_t kGone = static_cast<std::size_t>(-1);

/// A node that gives at least the columns asked for; mapping[i] is where column i went, kGone when it was left out.
struct Pruned {
  NodePtr node;
  std::vector<std::size_t> mapping;
};

// Relations keep their keys: operators, sinks and partitioning read them without saying so.
void use_keys(const Schema& schema, Used& used) {
  for (std::size_t i = 0; i < schema.size(); ++i)
    if (schema.columns[i].role == ColumnRole::key) used[i] = true;
}

Pruned prune(const NodePtr& node, Used used);

Pruned prune_source(const NodePtr& node, const SourceNode& source, const Used& used) {
  Pruned result{.node = node, .mapping = std::vector<std::size_t>(used.size(), kGone)};
  SourceNode changed = source;
  changed.read.clear();
  for (std::size_t i = 0; i < source.read.size(); ++i) {
    if (!used[i]) continue;
    result.mapping[i] = changed.read.size();
    changed.read.push_back(source.read[i]);
  }
  if (changed.read.size() != source.read.size()) result.node = make_node(std::move(changed));
  return result;
}

Pruned prune_scan(const StoreScanNode& scan, const Used& used) {
  Pruned result{.node = nullptr, .mapping = std::vector<std::size_t>(used.size(), kGone)};
  StoreScanNode changed = scan;
  changed.rows.columns.clear();
  for (std::size_t i = 0; i < used.size(); ++i) {
    if (!used[i]) continue;
    result.mapping[i] = changed.rows.size();
    changed.rows.columns.push_back(scan.rows.columns[i]);
  }
  result.node = make_node(std::move(changed));
  return result;
}

// Items that nobody reads go.
Pruned prune_project(const ProjectNode& project, const Used& used) {
  Used below(project.input->schema.size());
  for (std::size_t i = 0; i < project.items.size(); ++i)
    if (used[i]) collect_columns(*project.items[i].expr, below);
  const Pruned input = prune(project.input, std::move(below));
  ProjectNode changed{.input = input.node, .items = {}};
  Pruned result{.node = nullptr, .mapping = std::vector<std::size_t>(project.items.size(), kGone)};
  for (std::size_t i = 0; i < project.items.size(); ++i) {
    if (!used[i]) continue;
    result.mapping[i] = changed.items.size();
    changed.items.push_back({project.items[i].column, remap_columns(project.items[i].expr, input.mapping)});
  }
  result.node = make_node(std::move(changed));
  return result;
}

// Leaves out what is still there but not used: key columns below a rekey, columns that only a filter read.
void narrow(const Used& used, Pruned& pruned) {
  ProjectNode project{.input = pruned.node, .items = {}};
  std::vector<std::size_t> mapping(used.size(), kGone);
  for (std::size_t i = 0; i < used.size(); ++i) {
    if (!used[i]) continue;
    mapping[i] = project.items.size();
    const ColumnDef& column = pruned.node->schema.columns[pruned.mapping[i]];
    project.items.push_back({column, make_column(pruned.mapping[i], column.type, column.name)});
  }
  if (project.items.size() == pruned.node->schema.size()) return;
  pruned.mapping = std::move(mapping);
  pruned.node = make_node(std::move(project));
}

// Any other node, by what it says of itself: own columns stay, columns of inputs go where nobody reads them.
Pruned prune_described(const PlanNode& node, Used used) {
  const std::vector<NodePtr> inputs = inputs_of(node);
  const bool over_output = traits_of(node).over_output;
  if (over_output) for_each_expression(node, [&](const ExprPtr& expr) { collect_columns(*expr, used); });
  // What leaves the query is fixed, and Combine comes after this rule.
  const bool keeps_all = node.as<SinkNode>() || node.as<OutputNode>() || node.as<CombineNode>();
  const std::optional<std::size_t> first = own_first(node);
  std::size_t own = first.value_or(node.schema.size()), next = own;
  Pruned result{.node = nullptr, .mapping = {}};
  for (std::size_t i = 0; i < own; ++i) result.mapping.push_back(i);

  std::vector<NodePtr> pruned;
  std::vector<std::size_t> expressions_to;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const std::size_t size = inputs[i]->schema.size();
    Used below(size, keeps_all);
    if (first) {
      for (std::size_t c = 0; c < size; ++c) below[c] = below[c] || used[next + c];
    }
    if (i == 0 && !over_output) for_each_expression(node, [&](const ExprPtr& expr) { collect_columns(*expr, below); });
    const Pruned input = prune(inputs[i], std::move(below));
    if (i == 0) expressions_to = input.mapping;
    if (first) {
      for (const std::size_t at : input.mapping) result.mapping.push_back(at == kGone ? kGone : own + at);
      own += input.node->schema.size();
      next += size;
    }
    pruned.push_back(input.node);
  }
  for (std::size_t left = node.schema.size() - next; left > 0; --left) result.mapping.push_back(own++);
  if (over_output) expressions_to = result.mapping;
  result.node =
      map_node(node, std::move(pruned), [&](const ExprPtr& expr) { return remap_columns(expr, expressions_to); });
  return result;
}

Pruned prune(const NodePtr& node, Used used) {
  use_keys(node->schema, used);
  if (const auto* source = node->as<SourceNode>()) return prune_source(node, *source, used);
  if (const auto* scan = node->as<StoreScanNode>()) return prune_scan(*scan, used);
  if (const auto* project = node->as<ProjectNode>()) return prune_project(*project, used);
  if (const auto* both = node->as<UnionNode>()) {
    Pruned left = prune(both->left, used), right = prune(both->right, used);
    narrow(used, left);
    narrow(used, right);
    left.node = with_inputs(*node, {left.node, right.node});
    return left;
  }
  if (const auto* repartition = node->as<RepartitionNode>()) {
    if (is_shared(*repartition)) used.assign(used.size(), true);  // each reader wants others
    Pruned result = prune(repartition->input, used);
    narrow(used, result);
    result.node = with_inputs(*node, {result.node});
    return result;
  }
  return prune_described(*node, used);
}

}  // namespace

NodePtr column_pruning(const NodePtr& node, const RuleContext&) {
  if (!node->as<SinkNode>() && !node->as<OutputNode>()) return nullptr;
  const Pruned pruned = prune(node, Used(node->schema.size(), true));
  return equal(*pruned.node, *node) ? nullptr : pruned.node;
}

}  // namespace millrace::inline planner
