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

// Conjuncts over the stream side go below a stream-table join. The join's key column is the stream's, which always
// exists.
NodePtr below_join(const FilterNode& filter, const StreamTableJoinNode& join) {
  if (join.left->schema.key_count() != 1 || join.type == JoinType::right || join.type == JoinType::full) return nullptr;
  const std::size_t left_size = join.left->schema.size();
  const std::size_t size = 1 + left_size + join.right->schema.size();
  std::vector<std::size_t> to_left(size, 0);
  for (std::size_t i = 0; i < left_size; ++i) to_left[1 + i] = i;

  std::vector<ExprPtr> pushed, kept;
  for (const auto& part : split_conjunction(filter.predicate)) {
    std::vector<bool> used(size);
    collect_columns(*part, used);
    const bool right =
        std::find(used.begin() + 1 + static_cast<std::ptrdiff_t>(left_size), used.end(), true) != used.end();
    if (right || uses_pseudo_columns(*part))
      kept.push_back(part);
    else
      pushed.push_back(remap_columns(part, to_left));
  }
  if (pushed.empty()) return nullptr;
  StreamTableJoinNode below = join;
  below.left = make_node(FilterNode{.input = join.left, .predicate = make_conjunction(pushed)});
  NodePtr joined = make_node(std::move(below));
  if (kept.empty()) return joined;
  return make_node(FilterNode{.input = std::move(joined), .predicate = make_conjunction(kept)});
}

}  // namespace

NodePtr predicate_pushdown(const NodePtr& node, const RuleContext&) {
  const auto* filter = node->as<FilterNode>();
  if (!filter || can_fail(*filter->predicate)) return nullptr;
  if (const auto* project = filter->input->as<ProjectNode>()) return below_project(*filter, *project);
  if (const auto* rekey = filter->input->as<RekeyNode>()) return below_rekey(*filter, *rekey);
  if (const auto* join = filter->input->as<StreamTableJoinNode>()) return below_join(*filter, *join);
  return nullptr;
}

}  // namespace millrace::inline planner
