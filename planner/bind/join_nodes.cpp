#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "parser/ast/format.h"
#include "planner/bind/ast_rewrite.h"
#include "planner/bind/expr_binder.h"
#include "planner/bind/formats.h"
#include "planner/bind/select_joins.h"
#include "planner/types/civil.h"

namespace millrace::inline planner {
namespace {

JoinType join_type(ast::JoinKind kind) {
  switch (kind) {
    case ast::JoinKind::left:
      return JoinType::left;
    case ast::JoinKind::right:
      return JoinType::right;
    case ast::JoinKind::full:
      return JoinType::full;
    default:
      return JoinType::inner;
  }
}

/// Builds the joins of one query from left to right.
class JoinBuilder {
 public:
  JoinBuilder(const SelectInput& input, Scope& scope, const Clauses& clauses)
      : input_(input), scope_(scope), clauses_(clauses), viable_(clauses.viable_keys) {}
  KeyedPlan build();

 private:
  JoinSide leaf(std::size_t index);
  std::set<PseudoColumn> used_pseudo_columns(const ScopeSource& source) const;
  JoinSide join(JoinSide left, JoinSide right, const JoinStep& step);
  JoinSide join_foreign_key(JoinSide left, JoinSide right, const JoinStep& step);
  NodePtr make_join(const JoinSide& left, const JoinSide& right, const JoinStep& step, const ColumnDef& key) const;
  void rekey_side(JoinSide& side, const ast::ExprPtr& expr, const std::string& name);
  void shift_sources(const std::vector<std::size_t>& sources, std::size_t by);
  std::string key_name(const JoinStep& step) const;

  const SelectInput& input_;
  Scope& scope_;
  const Clauses& clauses_;
  std::vector<ast::ExprPtr> viable_;      // columns that may name the key
  std::vector<ast::ExprPtr> equivalent_;  // expressions that equal the key of what is joined so far
  std::vector<KeySlot> keys_;
  KeyOrigin origin_ = KeyOrigin::join;
};

std::string key_column(const ast::ExprPtr& expr) {
  const auto* column = expr->as<ast::ColumnRef>();
  return column && column->qualifier ? join_column_name(column->qualifier->text, column->name.text)
                                     : std::string("ROWKEY");
}

std::set<PseudoColumn> JoinBuilder::used_pseudo_columns(const ScopeSource& source) const {
  std::set<PseudoColumn> used;
  for (const auto* root : clauses_.roots()) {
    contains(*root, [&](const ast::Expression& expr) {
      const auto* column = expr.as<ast::ColumnRef>();
      if (column && column->qualifier && column->qualifier->text == source.alias && !source.find(column->name.text)) {
        if (const auto pseudo = source.find_pseudo(column->name.text)) used.insert(*pseudo);
      }
      return false;
    });
  }
  return used;
}

JoinSide JoinBuilder::leaf(std::size_t index) {
  const auto& def = *scope_.sources[index].def;
  JoinSide side{make_leaf(scope_.sources[index]), {index}, false, def.key_format, def.partitions};
  auto& source = scope_.sources[index];
  const auto pseudo = used_pseudo_columns(source);
  if (pseudo.empty()) return side;
  std::vector<ProjectItem> items;
  for (const auto& column : source.columns) {
    ColumnDef def_column{.name = column.name, .type = column.type, .role = column.role};
    if (column.role == ColumnRole::header) def_column.role = ColumnRole::value;
    items.push_back({def_column, make_column(column.position, column.type, column.name)});
  }
  for (const auto column : pseudo) {
    source.pseudo_positions[column] = items.size();
    const std::string name(pseudo_column_name(column));
    items.push_back({ColumnDef{.name = name, .type = pseudo_column_type(column)},
                     make_expr(PseudoExpr{column}, pseudo_column_type(column), input_.query.span)});
  }
  side.node = make_node(ProjectNode{side.node, std::move(items)});
  return side;
}

void JoinBuilder::shift_sources(const std::vector<std::size_t>& sources, std::size_t by) {
  for (const auto index : sources) {
    auto& source = scope_.sources[index];
    for (auto& column : source.columns) column.position += by;
    for (auto& [pseudo, position] : source.pseudo_positions) position += by;
  }
}

void JoinBuilder::rekey_side(JoinSide& side, const ast::ExprPtr& expr, const std::string& name) {
  if (side.node->window) {
    throw SqlError(Code::invalid_join, expr->span,
                   "Implicit repartitioning of windowed sources is not supported. See "
                   "https://github.com/confluentinc/ksql/issues/4385.");
  }
  ExprBinder binder(input_.context, scope_);
  auto bound = bind_item(binder, expr, scope_);
  ColumnDef key{.name = name, .type = bound->type, .role = ColumnRole::key};
  side.node = make_node(RekeyNode{side.node, {{key, bound}}, NullKey::keep});
  side.rekeyed = true;
  shift_sources(side.sources, 1);
}

NodePtr JoinBuilder::make_join(const JoinSide& left, const JoinSide& right, const JoinStep& step,
                               const ColumnDef& key) const {
  const JoinType type = join_type(step.clause->kind);
  if (JoinChecks(scope_, left, right, step).tables())
    return make_node(TableTableJoinNode{left.node, right.node, type, key});
  if (right.node->kind == RelationKind::table) return make_node(StreamTableJoinNode{left.node, right.node, type, key});
  const auto& within = *step.clause->within;
  StreamStreamJoinNode node{left.node,
                            right.node,
                            type,
                            key,
                            within.before.millis,
                            within.after.millis,
                            within.grace ? within.grace->millis : kMillisPerDay,
                            !within.grace};
  return make_node(std::move(node));
}

JoinSide JoinBuilder::join_foreign_key(JoinSide left, JoinSide right, const JoinStep& step) {
  const JoinChecks checks(scope_, left, right, step);
  checks.check_foreign_key();
  ExprBinder binder(input_.context, scope_);
  const auto foreign_key = bind_item(binder, step.left, scope_);
  const auto& right_key = right.node->schema.columns[0].type;
  checks.check_key_types(foreign_key->type, right_key);
  const std::size_t left_size = left.node->schema.size();
  const auto& source = scope_.sources[left.sources.front()];
  const std::size_t keys = source.def->schema.key_count();
  equivalent_.clear();
  viable_.clear();
  scope_.synthetic_key.reset();
  for (std::size_t i = 0; i < keys; ++i) {
    auto column = make_ast_column(source.alias, source.columns[i].name, {});
    keys_.push_back({i, source.columns[i].type, {column}});
    if (keys == 1) equivalent_.push_back(column);
    if (keys == 1) viable_.push_back(column);
  }
  origin_ = KeyOrigin::foreign_key;
  JoinSide joined{make_node(ForeignKeyJoinNode{left.node, right.node, join_type(step.clause->kind), foreign_key}),
                  left.sources, false, left.key_format, left.partitions};
  joined.sources.push_back(step.source);
  shift_sources(left.sources, keys);
  shift_sources(right.sources, keys + left_size);
  return joined;
}

JoinSide JoinBuilder::join(JoinSide left, JoinSide right, const JoinStep& step) {
  const JoinChecks checks(scope_, left, right, step);
  checks.check_kinds();
  const bool left_is_key =
      left.sources.size() == 1 ? is_only_key(scope_, step.left, left.sources[0]) : among(equivalent_, step.left);
  const bool right_is_key = is_only_key(scope_, step.right, step.source);
  if (checks.tables()) {
    if (!right_is_key) {
      throw SqlError(
          Code::invalid_join, step.clause->span,
          fmt::format("Invalid join condition: table-table joins require to join on the primary key of the right input "
                      "table. Got {}.",
                      step.printed));
    }
    if (!left_is_key) return join_foreign_key(std::move(left), std::move(right), step);
  }
  ExprBinder binder(input_.context, scope_);
  const Type left_type = bind_item(binder, step.left, scope_)->type;
  checks.check_key_types(left_type, bind_item(binder, step.right, scope_)->type);
  checks.check_windows();
  check_no_map_key({ColumnDef{.name = key_column(step.left), .type = left_type, .role = ColumnRole::key}},
                   step.clause->span);
  if (!left_is_key) rekey_side(left, step.left, key_column(step.left));
  if (!right_is_key) rekey_side(right, step.right, key_column(step.right));
  checks.check_partitions();
  const bool full = step.clause->kind == ast::JoinKind::full;
  if (full || !left_is_key || !among(equivalent_, step.left)) equivalent_.clear();
  if (!full) equivalent_.insert(equivalent_.end(), {step.left, step.right});
  const ColumnDef key{.name = key_name(step), .type = left_type, .role = ColumnRole::key};
  const std::size_t left_size = left.node->schema.size();
  const bool take_right = left.key_format.name == "NONE";
  JoinSide joined{make_join(left, right, step, key), left.sources, false,
                  take_right ? right.key_format : left.key_format, left.rekeyed ? right.partitions : left.partitions};
  joined.sources.push_back(step.source);
  shift_sources(left.sources, 1);
  shift_sources(right.sources, 1 + left_size);
  if (origin_ == KeyOrigin::foreign_key) {
    origin_ = KeyOrigin::join;
    keys_.clear();
    viable_.push_back(step.right);
  }
  return joined;
}

std::string JoinBuilder::key_name(const JoinStep& step) const {
  if (scope_.synthetic_key) return scope_.synthetic_key->name;
  return key_column(viable_.empty() ? step.left : viable_.front());
}

KeyedPlan JoinBuilder::build() {
  JoinSide left = leaf(0);
  for (const auto& step : clauses_.joins) left = join(std::move(left), leaf(step.source), step);
  if (origin_ == KeyOrigin::join) {
    const Type type = left.node->schema.columns[0].type;
    std::vector<ast::ExprPtr> candidates = viable_;
    if (scope_.synthetic_key) {
      scope_.synthetic_key->type = type;
      candidates = {
          make_ast(ast::ColumnRef{std::nullopt, {.text = scope_.synthetic_key->name, .quoted = false, .span = {}}},
                   input_.query.span)};
    }
    keys_.push_back({0, type, std::move(candidates)});
  }
  return {left.node, keys_, origin_, left.key_format};
}

}  // namespace

KeyedPlan bind_joins(const SelectInput& input, Scope& scope, const Clauses& clauses) {
  return JoinBuilder(input, scope, clauses).build();
}

bool is_only_key(const Scope& scope, const ast::ExprPtr& expr, std::size_t source) {
  const auto* column = expr->as<ast::ColumnRef>();
  if (!column || !column->qualifier || column->qualifier->text != scope.sources[source].alias) return false;
  const auto* found = scope.sources[source].find(column->name.text);
  return found && found->role == ColumnRole::key && scope.sources[source].def->schema.key_count() == 1;
}

}  // namespace millrace::inline planner
