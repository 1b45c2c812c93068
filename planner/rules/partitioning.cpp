#include "planner/rules/partitioning.h"

#include <algorithm>

namespace millrace::inline planner {
namespace {

int largest_source(const PlanNode& node) {
  if (const auto* source = node.as<SourceNode>()) return source->partitions;
  int most = 0;
  for (const auto& input : inputs_of(node)) most = std::max(most, largest_source(*input));
  return most;
}

bool is_kafka_type(const Type& type) {
  switch (type.kind()) {
    case TypeKind::integer:
    case TypeKind::bigint:
    case TypeKind::double_:
    case TypeKind::string:
    case TypeKind::bytes:
      return true;
    default:
      return false;
  }
}

}  // namespace

Partitioning partitioning_of(const PlanNode& node) {
  if (const auto* source = node.as<SourceNode>()) return {source->key_format, source->partitions, false};
  if (const auto* repartition = node.as<RepartitionNode>()) {
    const int partitions = repartition->partitions != 0 ? repartition->partitions : largest_source(*repartition->input);
    return {repartition->key_format, partitions, false};
  }
  Partitioning below = partitioning_of(*inputs_of(node).front());
  if (node.as<RekeyNode>()) below.moved = true;
  return below;
}

bool key_format_supports(const FormatInfo& format, const std::vector<ColumnDef>& keys) {
  if (format.name == "NONE") return keys.empty();
  if (format.name == "KAFKA") return keys.size() <= 1 && (keys.empty() || is_kafka_type(keys.front().type));
  if (format.name == "DELIMITED")
    return std::none_of(keys.begin(), keys.end(), [](const ColumnDef& key) { return key.type.is_nested(); });
  return true;
}

FormatInfo internal_key_format(const FormatInfo& wanted, const std::vector<ColumnDef>& keys) {
  if (wanted.name != "NONE" && key_format_supports(wanted, keys)) return wanted;
  FormatInfo kafka{.name = "KAFKA"};
  if (wanted.name == "NONE" && key_format_supports(kafka, keys)) return kafka;
  return FormatInfo{.name = "JSON"};
}

bool single_partition(const PlanNode& node) {
  if (const auto* source = node.as<SourceNode>()) return source->partitions == 1;
  const auto inputs = inputs_of(node);
  return std::all_of(inputs.begin(), inputs.end(), [](const NodePtr& input) { return single_partition(*input); });
}

}  // namespace millrace::inline planner
