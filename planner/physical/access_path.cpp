#include "planner/physical/access_path.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "planner/physical/split_pull.h"

namespace millrace::inline planner {
namespace {

/// Columns of a scan that a filter right above it wants to have certain values.
std::vector<std::string> equal_columns(const PlanNode& filter, const StoreScanNode& scan) {
  std::vector<std::string> columns;
  const auto add = [&](const ExprPtr& expr, const ExprPtr& other) {
    const auto* column = expr->as<ColumnExpr>();
    if (column && (other->as<LiteralExpr>() || other->as<ParameterExpr>()))
      columns.push_back(scan.rows.columns[column->index].name);
  };
  for (const ExprPtr& part : split_conjunction(filter.as<FilterNode>()->predicate)) {
    const auto* compared = part->as<CompareExpr>();
    if (compared == nullptr || compared->op != CompareOp::equal) continue;
    add(compared->left, compared->right);
    add(compared->right, compared->left);
  }
  return columns;
}

std::string scan_text(const StoreScanNode& scan, const PlanNode* above) {
  if (!scan.index.empty()) return fmt::format("{}: rows found by index {}\n", scan.table, scan.index);
  const bool range = !scan.from.empty() || !scan.to.empty();
  std::string text = fmt::format("{}: {}\n", scan.table, range ? "a range of keys is read" : "all rows are read");
  if (above == nullptr || range) return text;
  for (const std::string& column : equal_columns(*above, scan)) {
    const auto found = scan.rows.find(column);
    if (found && scan.rows.columns[*found].role == ColumnRole::value && !scan.window_of_rows)
      text += fmt::format("  an index of {} on {} would find them\n", scan.table, column);
  }
  return text;
}

void write(const NodePtr& node, const PlanNode* above, std::string& out) {
  if (const auto* keys = node->as<KeyLookupNode>())
    out += fmt::format("{}: {} found by key\n", keys->table,
                       keys->keys.size() == 1 ? "a row" : fmt::format("rows of {} keys", keys->keys.size()));
  if (const auto* scan = node->as<StoreScanNode>()) out += scan_text(*scan, above);
  if (const auto* topic = node->as<TopicScanNode>())
    out += fmt::format("{}: its topic is read from the beginning\n", topic->name);
  const PlanNode* filter = node->as<FilterNode>() != nullptr ? node.get() : nullptr;
  for (const NodePtr& input : inputs_of(*node)) write(input, filter, out);
}

}  // namespace

std::string access_paths(const PhysicalPlan& plan) {
  std::string out;
  for (const Subtopology& part : plan.subtopologies) write(part.root, nullptr, out);
  const auto split = split_pull(plan);
  if (!split) return out;
  out += "processes that keep a part of it run\n";
  const std::string tree = explain(inputs_of(*split->below->subtopologies.front().root).front());
  for (std::size_t begin = 0; begin < tree.size();) {
    const std::size_t end = tree.find('\n', begin) + 1;
    out += "  " + tree.substr(begin, end - begin);
    begin = end;
  }
  return out;
}

}  // namespace millrace::inline planner
