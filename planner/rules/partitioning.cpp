#include "planner/rules/partitioning.h"

#include <algorithm>

#include "planner/catalog/formats.h"

namespace millrace::inline planner {
namespace {

int largest_source(const PlanNode& node) {
  if (const auto* source = node.as<SourceNode>()) return source->partitions;
  int most = 0;
  for (const auto& input : inputs_of(node)) most = std::max(most, largest_source(*input));
  return most;
}

}  // namespace

Partitioning partitioning_of(const PlanNode& node) {
  if (const auto* source = node.as<SourceNode>()) return {source->key_format, source->partitions, false};
  if (const auto* repartition = node.as<RepartitionNode>()) {
    const int partitions = repartition->partitions != 0 ? repartition->partitions : largest_source(*repartition->input);
    return {repartition->key_format, partitions, false};
  }
  // What a pull query reads stands in the partitions of its store, which it need not know.
  if (inputs_of(node).empty()) return {bare_format(), 0, false};
  if (const auto* both = node.as<UnionNode>()) {
    Partitioning left = partitioning_of(*both->left);
    const Partitioning right = partitioning_of(*both->right);
    const bool alike = left.key_format == right.key_format && left.partitions == right.partitions;
    left.moved = left.moved || right.moved || !alike;
    left.partitions = std::max(left.partitions, right.partitions);
    return left;
  }
  Partitioning below = partitioning_of(*inputs_of(node).front());
  const auto* top = node.as<TopRowsNode>();
  const auto* ranks = node.as<CloseRanksNode>();
  const bool moves = (top && top->moves_rows()) || (ranks && ranks->numbered());
  const bool over_table = node.as<OverNode>() && node.kind == RelationKind::table;
  const bool elements = node.as<UnnestNode>() && node.kind == RelationKind::table;
  if (node.as<RekeyNode>() || elements || ((over_table || moves) && below.partitions != 1)) below.moved = true;
  return below;
}

bool key_format_supports(const FormatInfo& format, const std::vector<ColumnDef>& keys) {
  const FormatDef* def = find_format(format.name);
  return def && refusal(*def, keys).empty();
}

// What only we read needs no schema of a registry.
FormatInfo internal_key_format(const FormatInfo& wanted, const std::vector<ColumnDef>& keys) {
  const FormatDef* def = find_format(wanted.name);
  if (holds_nothing(wanted)) return fallback_format(keys);
  if (def && !def->registry && def->written_as.empty() && key_format_supports(wanted, keys)) return wanted;
  return object_format();
}

bool single_partition(const PlanNode& node) {
  if (const auto* source = node.as<SourceNode>()) return source->partitions == 1;
  const auto inputs = inputs_of(node);
  return std::all_of(inputs.begin(), inputs.end(), [](const NodePtr& input) { return single_partition(*input); });
}

}  // namespace millrace::inline planner
