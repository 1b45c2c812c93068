#include <algorithm>

#include "parser/error/ensure.h"
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

Pruned prune(const NodePtr& node, Used used);

// Relations keep their keys: operators, sinks and partitioning read them without saying so.
void use_keys(const Schema& schema, Used& used) {
  for (std::size_t i = 0; i < schema.size(); ++i)
    if (schema.columns[i].role == ColumnRole::key) used[i] = true;
}

std::vector<std::size_t> identity(std::size_t size) {
  std::vector<std::size_t> mapping(size);
  for (std::size_t i = 0; i < size; ++i) mapping[i] = i;
  return mapping;
}

Used used_by(const std::vector<ExprPtr>& expressions, std::size_t size) {
  Used used(size);
  for (const auto& expr : expressions) collect_columns(*expr, used);
  return used;
}

template <class Calls>
void use_arguments(const Calls& calls, Used& used) {
  for (const auto& call : calls)
    for (const auto& argument : call.arguments) collect_columns(*argument, used);
}

template <class Calls>
void remap_arguments(Calls& calls, const std::vector<std::size_t>& mapping) {
  for (auto& call : calls)
    for (auto& argument : call.arguments) argument = remap_columns(argument, mapping);
}

struct Pruner {
  const NodePtr& node;
  Used& used;

  Pruned operator()(const SourceNode& n) const {
    Pruned result{.node = nullptr, .mapping = std::vector<std::size_t>(used.size(), kGone)};
    SourceNode changed = n;
    changed.read.clear();
    for (std::size_t i = 0; i < n.read.size(); ++i) {
      if (!used[i]) continue;
      result.mapping[i] = changed.read.size();
      changed.read.push_back(n.read[i]);
    }
    const bool same = changed.read.size() == n.read.size();
    result.node = same ? node : make_source(std::move(changed), node->kind, node->window);
    return result;
  }
  Pruned operator()(const FilterNode& n) const {
    collect_columns(*n.predicate, used);
    Pruned input = prune(n.input, used);
    FilterNode changed = n;
    changed.input = input.node;
    changed.predicate = remap_columns(n.predicate, input.mapping);
    return {make_node(std::move(changed)), std::move(input.mapping)};
  }
  Pruned operator()(const ProjectNode& n) const {
    std::vector<ExprPtr> kept;
    for (std::size_t i = 0; i < n.items.size(); ++i)
      if (used[i]) kept.push_back(n.items[i].expr);
    const Pruned input = prune(n.input, used_by(kept, n.input->schema.size()));
    ProjectNode changed{.input = input.node, .items = {}};
    Pruned result{.node = nullptr, .mapping = std::vector<std::size_t>(n.items.size(), kGone)};
    for (std::size_t i = 0; i < n.items.size(); ++i) {
      if (!used[i]) continue;
      result.mapping[i] = changed.items.size();
      changed.items.push_back({n.items[i].column, remap_columns(n.items[i].expr, input.mapping)});
    }
    result.node = make_node(std::move(changed));
    return result;
  }
  Pruned operator()(const FlatMapNode& n) const {
    const std::size_t size = n.input->schema.size();
    Used below(used.begin(), used.begin() + static_cast<std::ptrdiff_t>(size));
    use_arguments(n.calls, below);
    Pruned result = prune(n.input, std::move(below));
    FlatMapNode changed = n;
    changed.input = result.node;
    remap_arguments(changed.calls, result.mapping);
    const std::size_t appended = result.node->schema.size();
    for (std::size_t i = 0; i < n.calls.size(); ++i) result.mapping.push_back(appended + i);
    result.node = make_node(std::move(changed));
    return result;
  }
  Pruned operator()(const RekeyNode& n) const {
    const std::size_t keys = n.keys.size();
    Used below(used.begin() + static_cast<std::ptrdiff_t>(keys), used.end());
    for (const auto& key : n.keys) collect_columns(*key.expr, below);
    const Pruned input = prune(n.input, std::move(below));
    RekeyNode changed = n;
    changed.input = input.node;
    for (auto& key : changed.keys) key.expr = remap_columns(key.expr, input.mapping);
    Pruned result{.node = make_node(std::move(changed)), .mapping = identity(keys)};
    for (const std::size_t at : input.mapping) result.mapping.push_back(at == kGone ? kGone : keys + at);
    return result;
  }
  Pruned operator()(const RepartitionNode& n) const {
    Pruned result = prune(n.input, used);
    narrow(result);
    RepartitionNode changed = n;
    changed.input = result.node;
    result.node = make_node(std::move(changed));
    return result;
  }
  // Runs before the rule that makes it, and keeps all of an input that was pruned then.
  Pruned operator()(const CombineNode& n) const {
    return {with_inputs(*node, {prune(n.input, Used(n.input->schema.size(), true)).node}), identity(used.size())};
  }
  Pruned operator()(const AggregateNode& n) const {
    Used below(n.input->schema.size());
    use_keys(n.input->schema, below);
    use_arguments(n.calls, below);
    const Pruned input = prune(n.input, std::move(below));
    AggregateNode changed = n;
    changed.input = input.node;
    remap_arguments(changed.calls, input.mapping);
    return {make_node(std::move(changed)), identity(node->schema.size())};
  }
  Pruned operator()(const StreamTableJoinNode& n) const { return join(n); }
  Pruned operator()(const StreamStreamJoinNode& n) const { return join(n); }
  Pruned operator()(const TableTableJoinNode& n) const { return join(n); }
  Pruned operator()(const ForeignKeyJoinNode& n) const {
    const std::size_t keys = n.left->schema.key_count();
    auto [left_used, right_used] = split(keys, n.left->schema.size());
    collect_columns(*n.foreign_key, left_used);
    const Pruned left = prune(n.left, std::move(left_used)), right = prune(n.right, std::move(right_used));
    ForeignKeyJoinNode changed = n;
    changed.left = left.node;
    changed.right = right.node;
    changed.foreign_key = remap_columns(n.foreign_key, left.mapping);
    return {make_node(std::move(changed)), join_mapping(keys, left, right)};
  }
  Pruned operator()(const MaterializeNode& n) const {
    Pruned result = prune(n.input, used);
    MaterializeNode changed = n;
    changed.input = result.node;
    result.node = make_node(std::move(changed));
    return result;
  }
  Pruned operator()(const SinkNode&) const { return root(); }
  Pruned operator()(const OutputNode&) const { return root(); }

 private:
  Pruned root() const {
    const NodePtr input = inputs_of(*node).front();
    Pruned below = prune(input, Used(input->schema.size(), true));
    ensure(below.mapping == identity(input->schema.size()));
    return {with_inputs(*node, {below.node}), std::move(below.mapping)};
  }
  // Leaves out what is still there but not used: key columns below a rekey, columns that only a filter read.
  void narrow(Pruned& pruned) const {
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
  std::pair<Used, Used> split(std::size_t keys, std::size_t left_size) const {
    const auto left_begin = used.begin() + static_cast<std::ptrdiff_t>(keys);
    const auto right_begin = left_begin + static_cast<std::ptrdiff_t>(left_size);
    return {Used(left_begin, right_begin), Used(right_begin, used.end())};
  }
  static std::vector<std::size_t> join_mapping(std::size_t keys, const Pruned& left, const Pruned& right) {
    std::vector<std::size_t> mapping = identity(keys);
    for (const std::size_t at : left.mapping) mapping.push_back(at == kGone ? kGone : keys + at);
    const std::size_t offset = keys + left.node->schema.size();
    for (const std::size_t at : right.mapping) mapping.push_back(at == kGone ? kGone : offset + at);
    return mapping;
  }
  template <class Join>
  Pruned join(const Join& n) const {
    auto [left_used, right_used] = split(1, n.left->schema.size());
    const Pruned left = prune(n.left, std::move(left_used)), right = prune(n.right, std::move(right_used));
    Join changed = n;
    changed.left = left.node;
    changed.right = right.node;
    return {make_node(std::move(changed)), join_mapping(1, left, right)};
  }
};

Pruned prune(const NodePtr& node, Used used) {
  use_keys(node->schema, used);
  Pruned result = std::visit(Pruner{node, used}, node->node);
  return result;
}

}  // namespace

NodePtr column_pruning(const NodePtr& node, const RuleContext&) {
  if (!node->as<SinkNode>() && !node->as<OutputNode>()) return nullptr;
  const Pruned pruned = prune(node, Used(node->schema.size(), true));
  return explain(pruned.node) == explain(node) ? nullptr : pruned.node;
}

}  // namespace millrace::inline planner
