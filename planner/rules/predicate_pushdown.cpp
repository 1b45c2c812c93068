#include <algorithm>

#include "planner/rules/expressions.h"
#include "planner/rules/rule_list.h"

namespace millrace::inline planner {
namespace {

bool is_plain(const Expr& expr) {
  return expr.as<ColumnExpr>() || expr.as<PseudoExpr>() || expr.as<LiteralExpr>() || expr.as<ParameterExpr>();
}

bool uses_pseudo_columns(const Expr& expr) {
  std::vector<PseudoColumn> used;
  collect_pseudo_columns(expr, used);
  return !used.empty();
}

// Filter(Project(x, items), p) => Project(Filter(x, p over items), items). An item that fails gives a NULL that p may
// accept, so only items that are plain may be looked through.
NodePtr below_project(const FilterNode& filter, const ProjectNode& project) {
  std::vector<bool> used(project.items.size());
  collect_columns(*filter.predicate, used);
  std::vector<ExprPtr> replacements;
  for (std::size_t i = 0; i < used.size(); ++i) {
    if (used[i] && !is_plain(*project.items[i].expr)) return nullptr;
    replacements.push_back(project.items[i].expr);
  }
  FilterNode below{.input = project.input, .predicate = substitute_columns(filter.predicate, replacements)};
  return make_node(ProjectNode{.input = make_node(std::move(below)), .items = project.items});
}

// Filter(Rekey(x, keys), p) => Rekey(Filter(x, p over keys and x), keys), streams only: on a table it would change what
// is withdrawn.
NodePtr below_rekey(const FilterNode& filter, const RekeyNode& rekey) {
  if (rekey.input->kind != RelationKind::stream) return nullptr;
  const Schema& input = rekey.input->schema;
  std::vector<bool> used(rekey.keys.size() + input.size());
  collect_columns(*filter.predicate, used);
  std::vector<ExprPtr> replacements;
  for (std::size_t i = 0; i < rekey.keys.size(); ++i) {
    if (used[i] && !is_plain(*rekey.keys[i].expr)) return nullptr;
    replacements.push_back(rekey.keys[i].expr);
  }
  for (std::size_t i = 0; i < input.size(); ++i)
    replacements.push_back(make_column(i, input.columns[i].type, input.columns[i].name));
  FilterNode below{.input = rekey.input, .predicate = substitute_columns(filter.predicate, replacements)};
  RekeyNode above = rekey;
  above.input = make_node(std::move(below));
  return make_node(std::move(above));
}

struct Parts {
  std::vector<ExprPtr> left, right;  // over the columns of that input
  std::vector<ExprPtr> kept;         // over those of the join
};

// Which conjuncts are about one input only. The join's own columns are its key, which is that of the left input.
// Without `both` nothing is about the right one. `own`: the join's own columns in front; it may have others at the end.
Parts part(const FilterNode& filter, const PlanNode& left, const PlanNode& right, bool both, std::size_t own) {
  const std::size_t size = filter.input->schema.size(), left_size = left.schema.size();
  std::vector<std::size_t> to_left(size, 0), to_right(size, 0);
  for (std::size_t i = 0; i < own; ++i) to_left[i] = i;
  for (std::size_t i = 0; i < left_size; ++i) to_left[own + i] = i;
  for (std::size_t i = 0; i < right.schema.size(); ++i) to_right[own + left_size + i] = i;

  Parts parts;
  for (const auto& conjunct : split_conjunction(filter.predicate)) {
    std::vector<bool> used(size);
    collect_columns(*conjunct, used);
    const auto middle = used.begin() + static_cast<std::ptrdiff_t>(own + left_size);
    const bool of_left = std::find(used.begin(), middle, true) != middle;
    const bool of_right = std::find(middle, used.end(), true) != used.end();
    if (uses_pseudo_columns(*conjunct) || (of_right && (of_left || !both)))
      parts.kept.push_back(conjunct);
    else if (of_right)
      parts.right.push_back(remap_columns(conjunct, to_right));
    else
      parts.left.push_back(remap_columns(conjunct, to_left));
  }
  return parts;
}

Parts part(const FilterNode& filter, const PlanNode& left, const PlanNode& right, bool both) {
  return part(filter, left, right, both, filter.input->schema.size() - left.schema.size() - right.schema.size());
}

NodePtr filtered(NodePtr input, const std::vector<ExprPtr>& conjuncts) {
  if (conjuncts.empty()) return input;
  return make_node(FilterNode{.input = std::move(input), .predicate = make_conjunction(conjuncts)});
}

// Conjuncts over the stream side go below a stream-table join. The join's key column is the stream's, which always
// exists.
template <class Join>
NodePtr below_table_join(const FilterNode& filter, const Join& join) {
  if (join.left->schema.key_count() != filter.input->schema.key_count()) return nullptr;
  if (join.type == JoinType::right || join.type == JoinType::full) return nullptr;
  const Parts parts = part(filter, *join.left, *join.right, false);
  if (parts.left.empty()) return nullptr;
  Join below = join;
  below.left = filtered(join.left, parts.left);
  return filtered(make_node(std::move(below)), parts.kept);
}

NodePtr below_join(const FilterNode& filter, const BroadcastJoinNode& join) {
  const Parts parts = part(filter, *join.left, *join.right, false);
  if (parts.left.empty()) return nullptr;
  BroadcastJoinNode below = join;
  below.left = filtered(join.left, parts.left);
  return filtered(make_node(std::move(below)), parts.kept);
}

// Where rows of two streams meet whatever their times are, a row that is left out moves no stream time that matters.
NodePtr below_join(const FilterNode& filter, const StreamStreamJoinNode& join) {
  if (join.type != JoinType::inner || join.retention_ms()) return nullptr;
  const Parts parts = part(filter, *join.left, *join.right, true);
  if (parts.left.empty() && parts.right.empty()) return nullptr;
  StreamStreamJoinNode below = join;
  below.left = filtered(join.left, parts.left);
  below.right = filtered(join.right, parts.right);
  return filtered(make_node(std::move(below)), parts.kept);
}

// Conjuncts over one side of a join of rows that are there go below it where that side's rows without a partner do not
// depend on them. Which partner is the nearest depends on all right rows.
NodePtr below_join(const FilterNode& filter, const FiniteJoinNode& join) {
  const bool left_stays = join.type == JoinType::inner || join.type == JoinType::left;
  if (!left_stays) return nullptr;
  const Parts parts = part(filter, *join.left, *join.right, join.type == JoinType::inner && join.nearest.empty(), 0);
  if (parts.left.empty() && parts.right.empty()) return nullptr;
  FiniteJoinNode below = join;
  below.left = filtered(join.left, parts.left);
  below.right = filtered(join.right, parts.right);
  return filtered(make_node(std::move(below)), parts.kept);
}

}  // namespace

NodePtr predicate_pushdown(const NodePtr& node, const RuleContext&) {
  const auto* filter = node->as<FilterNode>();
  if (!filter || can_fail(*filter->predicate)) return nullptr;
  if (const auto* project = filter->input->as<ProjectNode>()) return below_project(*filter, *project);
  if (const auto* rekey = filter->input->as<RekeyNode>()) return below_rekey(*filter, *rekey);
  if (const auto* join = filter->input->as<StreamTableJoinNode>()) return below_table_join(*filter, *join);
  // A row that is left out would move stream time, which others wait for.
  if (const auto* join = filter->input->as<AsOfJoinNode>(); join && !join->grace_ms)
    return below_table_join(*filter, *join);
  if (const auto* join = filter->input->as<StreamStreamJoinNode>()) return below_join(*filter, *join);
  if (const auto* join = filter->input->as<BroadcastJoinNode>()) return below_join(*filter, *join);
  if (const auto* join = filter->input->as<FiniteJoinNode>()) return below_join(*filter, *join);
  return nullptr;
}

}  // namespace millrace::inline planner
