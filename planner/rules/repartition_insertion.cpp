#include <fmt/format.h>

#include <algorithm>

#include "planner/catalog/formats.h"
#include "planner/rules/expressions.h"
#include "planner/rules/partitioning.h"
#include "planner/rules/rule_list.h"

namespace millrace::inline planner {
namespace {

NodePtr move_rows(NodePtr input, std::string role, FormatInfo format, int partitions) {
  return make_node(RepartitionNode{
      .input = std::move(input), .role = std::move(role), .key_format = std::move(format), .partitions = partitions});
}

void collect_lost_pseudo_columns(const AggregateNode& aggregate, std::vector<PseudoColumn>& lost) {
  const auto collect = [&](const ExprPtr& expr) { collect_pseudo_columns(*expr, lost); };
  for_each_expr(aggregate.calls, collect);
  std::erase(lost, PseudoColumn::row_time);  // travels as the record's timestamp
}

ExprPtr pseudo_to_column(const ExprPtr& expr, const std::vector<PseudoColumn>& pseudo, std::size_t first) {
  if (const auto* found = expr->as<PseudoExpr>()) {
    const auto at = std::find(pseudo.begin(), pseudo.end(), found->column);
    if (at == pseudo.end()) return expr;
    return make_column(first + static_cast<std::size_t>(at - pseudo.begin()), expr->type, expr->sql);
  }
  return map_children(expr, [&](const ExprPtr& child) { return pseudo_to_column(child, pseudo, first); });
}

// Partition, offset and window bounds are those of the source record; rows that take a new key carry them as columns.
NodePtr keep_pseudo_columns(const AggregateNode& aggregate) {
  const auto* rekey = aggregate.input->as<RekeyNode>();
  std::vector<PseudoColumn> lost;
  if (rekey) collect_lost_pseudo_columns(aggregate, lost);
  if (lost.empty()) return nullptr;

  ProjectNode project{.input = rekey->input, .items = {}};
  const Schema& input = rekey->input->schema;
  for (std::size_t i = 0; i < input.size(); ++i)
    project.items.push_back({input.columns[i], make_column(i, input.columns[i].type, input.columns[i].name)});
  for (const PseudoColumn column : lost) {
    auto expr = std::make_shared<Expr>();
    expr->type = pseudo_column_type(column);
    expr->node = PseudoExpr{column};
    ColumnDef named{std::string(pseudo_column_name(column)), expr->type, ColumnRole::value, std::nullopt};
    project.items.push_back({std::move(named), expr});
  }
  const std::size_t first = rekey->keys.size() + input.size();
  RekeyNode above = *rekey;
  above.input = make_node(std::move(project));
  AggregateNode changed = aggregate;
  changed.input = make_node(std::move(above));
  const auto change = [&](ExprPtr& expr) { expr = pseudo_to_column(expr, lost, first); };
  for_each_expr(changed.calls, change);
  return make_node(std::move(changed));
}

NodePtr for_aggregate(const AggregateNode& aggregate) {
  if (NodePtr kept = keep_pseudo_columns(aggregate)) return kept;
  const Partitioning input = partitioning_of(*aggregate.input);
  AggregateNode changed = aggregate;
  if (aggregate.global) {
    if (aggregate.input->as<RepartitionNode>() || input.partitions == 1) return nullptr;
    changed.input = move_rows(aggregate.input, "Aggregate-Global", input.key_format, 1);
    return make_node(std::move(changed));
  }
  if (!input.moved) return nullptr;
  const FormatInfo format = internal_key_format(input.key_format, aggregate.input->schema.keys());
  changed.input = move_rows(aggregate.input, "Aggregate-GroupBy", format, 0);
  return make_node(std::move(changed));
}

bool one_group(const PlanNode& input) {
  const auto* rekey = input.as<RekeyNode>();
  return rekey && rekey->keys.size() == 1 && rekey->keys[0].expr->as<LiteralExpr>();
}

/// Rows of a group come together. Where the result has the table's own key, a row that goes from one group to another
/// leaves and comes under the same key: that has an order in one partition only.
NodePtr for_top_rows(const TopRowsNode& top) {
  const Partitioning input = partitioning_of(*top.input);
  if (!input.moved) return nullptr;
  TopRowsNode changed = top;
  const FormatInfo format = internal_key_format(input.key_format, top.input->schema.keys());
  changed.input = move_rows(top.input, "TopRows-PartitionBy", format, top.by_row || one_group(*top.input) ? 1 : 0);
  return make_node(std::move(changed));
}

/// The same of functions over windows.
NodePtr for_over(const OverNode& over) {
  const Partitioning input = partitioning_of(*over.input);
  if (!input.moved) return nullptr;
  OverNode changed = over;
  const FormatInfo format = internal_key_format(input.key_format, over.input->schema.keys());
  changed.input = move_rows(over.input, "Over-PartitionBy", format,
                            over.input->kind == RelationKind::table || one_group(*over.input) ? 1 : 0);
  return make_node(std::move(changed));
}

int count_joins(const PlanNode& node) {
  int joins = node.as<StreamTableJoinNode>() || node.as<StreamStreamJoinNode>() || node.as<TableTableJoinNode>() ||
                      node.as<ForeignKeyJoinNode>() || node.as<PairJoinNode>()
                  ? 1
                  : 0;
  for (const auto& input : inputs_of(node)) joins += count_joins(*input);
  return joins;
}

// The nth join of a query, counted from its innermost: its topics are called Join-left, Join2-left, ...
template <class Join>
std::string join_role(const Join& join, std::string_view side) {
  const int below = count_joins(*join.left) + count_joins(*join.right);
  return below == 0 ? fmt::format("Join-{}", side) : fmt::format("Join{}-{}", below + 1, side);
}

// A side that stays decides format and partition count; when both move, the left one's format does.
template <class Join>
NodePtr for_join(const Join& join) {
  Partitioning left = partitioning_of(*join.left), right = partitioning_of(*join.right);
  const auto left_keys = join.left->schema.keys();
  bool move_left = left.moved, move_right = right.moved;
  if (!move_left && !move_right && !(left.key_format == right.key_format)) move_left = true;
  // The larger number of partitions stays, whichever side has it.
  if (!move_left && !move_right && left.partitions != right.partitions)
    (left.partitions < right.partitions ? move_left : move_right) = true;
  if (!move_left && !move_right) return nullptr;
  // With a registry the bytes of a key hold the id of its schema.
  if (!can_write((move_left ? right : left).key_format)) move_left = move_right = true;

  int partitions = 0;
  FormatInfo format;
  if (move_left && move_right) {
    format = internal_key_format(left.key_format, left_keys);
    partitions = std::max(left.partitions, right.partitions);
  } else {
    const Partitioning& staying = move_left ? right : left;
    format = staying.key_format;
    partitions = staying.partitions;
  }
  Join changed = join;
  if (move_left) changed.left = move_rows(join.left, join_role(join, "left"), format, partitions);
  if (move_right) changed.right = move_rows(join.right, join_role(join, "right"), format, partitions);
  return make_node(std::move(changed));
}

// Right rows are found by a value of the left row, so neither side's key brings them together: both go to one
// partition.
template <class Join>
NodePtr in_one_partition(const Join& join, const char* name) {
  const Partitioning left = partitioning_of(*join.left), right = partitioning_of(*join.right);
  if (left.partitions == 1 && right.partitions == 1) return nullptr;
  Join changed = join;
  if (left.partitions != 1 || left.moved)
    changed.left = move_rows(join.left, fmt::format("{}-left", name),
                             internal_key_format(left.key_format, join.left->schema.keys()), 1);
  if (right.partitions != 1 || right.moved)
    changed.right = move_rows(join.right, fmt::format("{}-right", name),
                              internal_key_format(right.key_format, join.right->schema.keys()), 1);
  return make_node(std::move(changed));
}

}  // namespace

NodePtr repartition_insertion(const NodePtr& node, const RuleContext&) {
  if (const auto* aggregate = node->as<AggregateNode>()) return for_aggregate(*aggregate);
  if (const auto* top = node->as<TopRowsNode>()) return for_top_rows(*top);
  if (const auto* over = node->as<OverNode>()) return for_over(*over);
  if (const auto* join = node->as<StreamTableJoinNode>()) return for_join(*join);
  if (const auto* join = node->as<StreamStreamJoinNode>()) return for_join(*join);
  if (const auto* join = node->as<TableTableJoinNode>()) return for_join(*join);
  if (const auto* join = node->as<ForeignKeyJoinNode>()) return in_one_partition(*join, "ForeignKeyJoin");
  if (const auto* join = node->as<PairJoinNode>()) return in_one_partition(*join, "PairJoin");
  return nullptr;
}

}  // namespace millrace::inline planner
