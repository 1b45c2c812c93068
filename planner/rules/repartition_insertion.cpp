#include <fmt/format.h>

#include <algorithm>

#include "parser/error/ensure.h"
#include "parser/error/sql_error.h"
#include "planner/catalog/formats.h"
#include "planner/logical/one_group.h"
#include "planner/rules/expressions.h"
#include "planner/rules/partitioning.h"
#include "planner/rules/rule_list.h"

namespace millrace::inline planner {
namespace {

NodePtr move_rows(NodePtr input, std::string role, FormatInfo format, int partitions) {
  // Who says that rows are late stands right above.
  if (const auto* late = input->as<LateNode>())
    return with_inputs(*input, {move_rows(late->input, std::move(role), std::move(format), partitions)});
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
  const auto* late = aggregate.input->as<LateNode>();
  const auto* rekey = (late != nullptr ? late->input : aggregate.input)->as<RekeyNode>();
  std::vector<PseudoColumn> lost;
  if (rekey) collect_lost_pseudo_columns(aggregate, lost);
  if (lost.empty()) return nullptr;

  const Schema& input = rekey->input->schema;
  ProjectNode project{.input = rekey->input, .items = column_items(input)};
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
  const NodePtr moved = make_node(std::move(above));
  changed.input = late != nullptr ? with_inputs(*aggregate.input, {moved}) : moved;
  const auto change = [&](ExprPtr& expr) { expr = pseudo_to_column(expr, lost, first); };
  for_each_expr(changed.calls, change);
  return make_node(std::move(changed));
}

/// Rows with one key come together: in a topic of that many partitions, 0: as many as the input has.
template <class Node>
NodePtr together(const Node& node, const char* role, int partitions) {
  const Partitioning input = partitioning_of(*node.input);
  if (!input.moved) return nullptr;
  Node changed = node;
  const FormatInfo format = internal_key_format(input.key_format, node.input->schema.keys());
  changed.input = move_rows(node.input, role, format, partitions);
  return make_node(std::move(changed));
}

NodePtr for_aggregate(const AggregateNode& aggregate) {
  if (NodePtr kept = keep_pseudo_columns(aggregate)) return kept;
  if (!aggregate.global) return together(aggregate, "Aggregate-GroupBy", 0);
  const Partitioning input = partitioning_of(*aggregate.input);
  if (aggregate.input->as<RepartitionNode>() || input.partitions == 1) return nullptr;
  AggregateNode changed = aggregate;
  changed.input = move_rows(aggregate.input, "Aggregate-Global", input.key_format, 1);
  return make_node(std::move(changed));
}

/// Rows of a group come together. Where the result has the table's own key, a row that goes from one group to another
/// leaves and comes under the same key: that has an order in one partition only.
NodePtr for_top_rows(const TopRowsNode& top) {
  return together(top, "TopRows-PartitionBy", top.by_row || one_group(*top.input) ? 1 : 0);
}

NodePtr for_closed_ranks(const CloseRanksNode& ranks) {
  return together(ranks, "CloseRanks-PartitionBy", 0);
}

/// Rows are put in order where they come together.
NodePtr before_order(const OverNode& over) {
  const Partitioning input = partitioning_of(*over.input);
  if (!input.moved) return nullptr;
  const NodePtr rows = inputs_of(*over.input).front();
  const auto* late = rows->as<LateNode>();
  const bool one = one_group(late != nullptr ? *late->input : *rows);
  const FormatInfo format = internal_key_format(input.key_format, rows->schema.keys());
  OverNode changed = over;
  changed.input = with_inputs(*over.input, {move_rows(rows, "Over-PartitionBy", format, one ? 1 : 0)});
  return make_node(std::move(changed));
}

/// The same of functions over windows.
NodePtr for_over(const OverNode& over) {
  if (over.exact) return before_order(over);
  return together(over, "Over-PartitionBy", over.input->kind == RelationKind::table || one_group(*over.input) ? 1 : 0);
}

/// The rows of a table that got another key are kept where that key has them.
NodePtr for_rekeyed(const PlanNode& node) {
  const NodePtr input = inputs_of(node).front();
  if (!(input->as<RekeyNode>() || input->as<UnnestNode>()) || input->kind != RelationKind::table) return nullptr;
  const Partitioning below = partitioning_of(*input);
  return with_inputs(
      node, {move_rows(input, "Table-PartitionBy", internal_key_format(below.key_format, input->schema.keys()), 0)});
}

/// Rows that may be equal come together.
NodePtr for_dedup(const DedupNode& dedup) {
  return together(dedup, "Dedup-PartitionBy", 0);
}

int count_joins(const PlanNode& node) {
  int joins = node.as<StreamTableJoinNode>() || node.as<AsOfJoinNode>() || node.as<StreamStreamJoinNode>() ||
                      node.as<TableTableJoinNode>() || node.as<ForeignKeyJoinNode>() ||
                      node.as<ForeignKeySettleNode>() || node.as<PairJoinNode>()
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

/// READY: a table that tasks read before anything else.
bool is_awaited(const PlanNode& node) {
  const auto* source = node.as<SourceNode>();
  if (source != nullptr) return source->ready;
  const auto inputs = inputs_of(node);
  return !inputs.empty() && !node.as<RepartitionNode>() && is_awaited(*inputs.front());
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
    (left.partitions < right.partitions || is_awaited(*join.right) ? move_left : move_right) = true;
  if (!move_left && !move_right) return nullptr;
  // With a registry the bytes of a key hold the id of its schema.
  if (!can_write((move_left ? right : left).key_format)) move_left = move_right = true;
  if (move_right && is_awaited(*join.right))
    throw SqlError(Code::not_supported, {}, "READY needs rows of the table where they lie, but they have to move.")
        .hint("create a table with PARTITION BY or a key in JSON from it, and read that with READY");

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

ExprPtr column_of(const PlanNode& node, std::size_t index) {
  const ColumnDef& column = node.schema.columns[index];
  return make_column(index, column.type, column.name);
}

/// What stands for NULL in the key of a row that refers to nothing is a zero.
bool has_zero(const Type& type) {
  return type.kind() != TypeKind::array && type.kind() != TypeKind::map && type.kind() != TypeKind::structure;
}

std::vector<ProjectItem> route_keys(const ForeignKeyJoinNode& join) {
  std::vector<ExprPtr> exprs{join.foreign_key};
  exprs.insert(exprs.end(), join.more_keys.begin(), join.more_keys.end());
  std::vector<ProjectItem> keys;
  for (std::size_t i = 0; i < exprs.size(); ++i) {
    ColumnDef column = join.right->schema.columns[i];
    column.type = exprs[i]->type;
    keys.push_back({std::move(column), exprs[i]});
  }
  return keys;
}

/// The right table as it lies by the bytes of its key: it stays where it can, else it is moved.
NodePtr lying_right(const ForeignKeyJoinNode& join, int left_partitions) {
  const Partitioning right = partitioning_of(*join.right);
  const bool alone = right.partitions == 1 && left_partitions > 1;
  if (!right.moved && !alone && can_write(right.key_format)) return join.right;
  return move_rows(join.right, "ForeignKeyJoin-right", internal_key_format(right.key_format, join.right->schema.keys()),
                   std::max(right.partitions, left_partitions));
}

/// The columns of the join out of those of the settled rows, whose left columns begin at `left`.
NodePtr as_joined(const ForeignKeyJoinNode& join, NodePtr settled, std::size_t left) {
  const Schema joined = make_node(join)->schema;
  const std::size_t keys = joined.key_count(), left_size = join.left->schema.size();
  ProjectNode project{.input = std::move(settled), .items = {}};
  for (std::size_t i = 0; i < joined.size(); ++i) {
    const bool own = i < keys + keys;  // the key, and the left row's key again
    const std::size_t from = own ? i % keys : left + i - keys;
    project.items.push_back({joined.columns[i], column_of(*project.input, from)});
  }
  ensure(joined.size() == keys + left_size + join.right->schema.size());
  return make_node(std::move(project));
}

// Left rows go to where the right row that they refer to lies, and what comes of them back to their own key.
NodePtr for_foreign_key(const ForeignKeyJoinNode& join) {
  const Partitioning left = partitioning_of(*join.left), right = partitioning_of(*join.right);
  if (left.partitions == 1 && right.partitions == 1) return nullptr;
  std::vector<ProjectItem> keys = route_keys(join);
  const bool outer = join.type == JoinType::left;
  const bool fits = std::ranges::all_of(keys, [&](const ProjectItem& key) { return has_zero(key.column.type); });
  if (join.left->window || join.right->window || !fits) return in_one_partition(join, "ForeignKeyJoin");

  const auto left_keys = join.left->schema.keys();
  const FormatInfo left_format = internal_key_format(left.key_format, left_keys);
  const NodePtr from = left.moved ? move_rows(join.left, "ForeignKeyJoin-left", left_format, 0) : join.left;
  const NodePtr meeting = lying_right(join, left.partitions);
  const Partitioning place = partitioning_of(*meeting);
  const std::size_t version = keys.size(), mark = version + 1, row = mark + 1, count = left_keys.size();
  const NodePtr routed = move_rows(make_node(ForeignKeyRouteNode{from, std::move(keys), outer}),
                                   "ForeignKeyJoin-subscription", place.key_format, place.partitions);
  ForeignKeyMeetNode meet{routed, meeting, {}, column_of(*routed, mark)};
  for (std::size_t i = 0; i < count; ++i) meet.keys.push_back({left_keys[i], column_of(*routed, row + i)});
  const NodePtr answers =
      move_rows(make_node(std::move(meet)), "ForeignKeyJoin-response", left_format, left.partitions);
  const std::size_t sent = 2 * count;  // where the columns of `routed` begin
  const std::size_t right_key = sent + routed->schema.size();
  const NodePtr settled =
      make_node(ForeignKeySettleNode{answers, column_of(*answers, sent + version), column_of(*answers, sent + mark),
                                     column_of(*answers, right_key), outer, join.emit_before});
  return as_joined(join, settled, sent + row);
}

/// A topic that the rule `sharing` put there: rows lie in it as they lay before.
NodePtr for_shared(const RepartitionNode& shared) {
  if (!shared.key_format.name.empty()) return nullptr;
  const Partitioning input = partitioning_of(*shared.input);
  RepartitionNode changed = shared;
  const bool stays = !input.moved && can_write(input.key_format);
  changed.key_format = stays ? input.key_format : internal_key_format(input.key_format, shared.input->schema.keys());
  changed.partitions = input.moved ? 0 : input.partitions;
  return make_node(std::move(changed));
}

}  // namespace

NodePtr repartition_insertion(const NodePtr& node, const RuleContext&) {
  if (const auto* aggregate = node->as<AggregateNode>()) return for_aggregate(*aggregate);
  if (const auto* top = node->as<TopRowsNode>()) return for_top_rows(*top);
  if (const auto* ranks = node->as<CloseRanksNode>()) return for_closed_ranks(*ranks);
  if (const auto* over = node->as<OverNode>()) return for_over(*over);
  if (const auto* dedup = node->as<DedupNode>()) return for_dedup(*dedup);
  if (node->as<SinkNode>() || node->as<ProjectNode>() || node->as<FilterNode>() || node->as<EveryNode>())
    return for_rekeyed(*node);
  if (const auto* join = node->as<StreamTableJoinNode>()) return for_join(*join);
  if (const auto* join = node->as<AsOfJoinNode>()) return for_join(*join);
  if (const auto* join = node->as<StreamStreamJoinNode>()) return for_join(*join);
  if (const auto* join = node->as<TableTableJoinNode>()) return for_join(*join);
  if (const auto* join = node->as<ForeignKeyJoinNode>()) return for_foreign_key(*join);
  if (const auto* moved = node->as<RepartitionNode>(); moved && is_shared(*moved)) return for_shared(*moved);
  if (const auto* join = node->as<PairJoinNode>()) return in_one_partition(*join, "PairJoin");
  return nullptr;
}

}  // namespace millrace::inline planner
