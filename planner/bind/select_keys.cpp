#include "planner/bind/select_keys.h"

#include <fmt/format.h>

#include <algorithm>

#include "parser/ast/format.h"
#include "planner/bind/ast_rewrite.h"
#include "planner/bind/coercion.h"
#include "planner/bind/dialect.h"
#include "planner/bind/expr_binder.h"
#include "planner/bind/formats.h"
#include "planner/bind/select_grouping_sets.h"

namespace millrace::inline planner {

void KeyChange::check_partition() const {
  const Span span = input_.query.partition_by->span;
  if (clauses_.partition.empty())
    throw SqlError(Code::invalid_statement, span, "PARTITION BY requires at least one expression");
  const bool null = std::ranges::any_of(clauses_.partition,
                                        [](const ast::ExprPtr& e) { return e->as<ast::NullLiteral>() != nullptr; });
  if (null && clauses_.partition.size() > 1) {
    throw SqlError(Code::invalid_statement, span, "Cannot PARTITION BY multiple columns including NULL");
  }
  for (const auto& expr : clauses_.partition) {
    if (has_call_of(input_.context.functions, expr, FunctionKind::table)) {
      throw SqlError(Code::invalid_aggregate, expr->span, "Table functions cannot be used in PARTITION BY clauses.");
    }
    if (has_call_of(input_.context.functions, expr, FunctionKind::aggregate)) {
      throw SqlError(Code::invalid_aggregate, expr->span, "PARTITION BY does not support aggregate functions.");
    }
  }
}

std::string KeyChange::key_name(const ast::ExprPtr& expr) {
  const auto item =
      std::ranges::find_if(clauses_.items, [&](const OutputItem& i) { return ast::equal(*i.expr, *expr); });
  return item == clauses_.items.end() ? names_.name(expr) : item->name;
}

void KeyChange::rekey(KeyedPlan& plan, const std::vector<ast::ExprPtr>& exprs, NullKey null_key,
                      std::optional<ProjectItem> more) {
  const bool lifted = scope_.sources[0].plan != nullptr ||
                      ((input_.query.group_by || input_.query.partition_by) && plan.node->kind == RelationKind::table &&
                       lifts(Lifted::windowed_tables, input_.context.properties));
  if (plan.node->window && !lifted && (input_.persistent() || input_.query.partition_by)) {
    throw SqlError(Code::invalid_key, input_.query.span,
                   "Implicit repartitioning of windowed sources is not supported. See "
                   "https://github.com/confluentinc/ksql/issues/4385.");
  }
  ExprBinder binder(input_.context, scope_);
  RekeyNode node{plan.node, {}, null_key};
  plan.keys.clear();
  for (const auto& expr : exprs) {
    node.keys.push_back(key_item(key_name(expr), bind_item(binder, expr, scope_), expr->span));
    plan.keys.push_back({plan.keys.size(), node.keys.back().column.type, {expr}});
  }
  if (more) node.keys.push_back(std::move(*more));
  const std::size_t keys = node.keys.size();
  plan.node = make_node(std::move(node));
  scope_.shift(keys);
}

void KeyChange::rekey_sets(KeyedPlan& plan, const std::vector<ast::ExprPtr>& exprs,
                           const std::vector<std::size_t>& sets) {
  ExprBinder binder(input_.context, scope_);
  ExpandNode expand{.input = plan.node, .keys = {}, .sets = sets};
  RekeyNode node{nullptr, {}, NullKey::keep};
  plan.keys.clear();
  for (const auto& expr : exprs) {
    ProjectItem key = key_item(key_name(expr), bind_item(binder, expr, scope_), expr->span);
    const ColumnDef& column = key.column;
    plan.keys.push_back({plan.keys.size(), column.type, {expr}});
    node.keys.push_back({column, make_column(node.keys.size(), column.type, column.name)});
    key.column.role = ColumnRole::value;
    expand.keys.push_back(std::move(key));
  }
  // The group of all rows has no value in its only column: that it lacks it is the rest of its key.
  if (exprs.size() == 1 && std::ranges::find(sets, std::size_t{0}) != sets.end()) {
    const ast::Identifier grouping{.text = "GROUPING", .quoted = false, .span = exprs[0]->span};
    const auto call = make_ast(ast::Call{.name = grouping, .arguments = {exprs[0]}}, exprs[0]->span);
    const std::string name(ExpandNode::kLacks);
    node.keys.push_back({ColumnDef{.name = name, .type = Type::integer(), .role = ColumnRole::key},
                         cast_to(make_column(1, Type::bigint(), name), Type::integer())});
    plan.keys.push_back({plan.keys.size(), Type::integer(), {grouping_call(*call, clauses_)}});
  }
  scope_.shift(expand.keys.size() + 1 + node.keys.size());
  node.input = make_node(std::move(expand));
  plan.node = make_node(std::move(node));
}

void KeyChange::give_single(KeyedPlan& plan) {
  const ProjectItem key = single_key();
  plan.keys = {{0, key.column.type, {}}};
  plan.node = make_node(RekeyNode{plan.node, {key}, NullKey::drop});
  scope_.shift(1);
}

/// Rows of a table may get more key columns: with all that they have, each is still told from the others.
std::size_t KeyChange::partition_table(KeyedPlan& plan) {
  std::vector<std::string> primary;
  bool whole = !plan.keys.empty();
  for (const KeySlot& key : plan.keys) {
    if (!key.candidates.empty()) primary.push_back(display(key.candidates.front(), scope_));
    whole = whole && std::ranges::any_of(clauses_.partition,
                                         [&](const ast::ExprPtr& expr) { return among(key.candidates, expr); });
  }
  if (plan.node->window) {
    primary.emplace_back("WINDOWSTART");
    whole = whole && std::ranges::any_of(clauses_.partition, [](const ast::ExprPtr& expr) {
              const auto* column = expr->as<ast::ColumnRef>();
              return column && column->name.text == "WINDOWSTART";
            });
  }
  if (!whole)
    throw SqlError(Code::invalid_key, input_.query.partition_by->span,
                   fmt::format("PARTITION BY on table {} must keep its primary key {}.", scope_.sources.front().alias,
                               join_words(primary, ", ")))
        .hint("to choose one row for each new key write QUALIFY ROW_NUMBER() OVER (PARTITION BY ...) = 1");
  rekey(plan, clauses_.partition, NullKey::keep);
  plan.origin = KeyOrigin::partitioning;
  return clauses_.partition.size();
}

std::size_t KeyChange::partition(KeyedPlan& plan) {
  if (!input_.query.partition_by) return 0;
  if (input_.query.window)
    throw SqlError(Code::invalid_window, input_.query.window->span, "WINDOW clause requires a GROUP BY clause.");
  check_partition();
  if (plan.node->kind == RelationKind::table) {
    if (plan.has_key(clauses_.partition)) return 0;
    if (lifts(Lifted::windowed_tables, input_.context.properties)) return partition_table(plan);
    std::vector<std::string> wanted;
    for (const auto& expr : clauses_.partition) wanted.push_back(ast::format(*expr));
    throw SqlError(
        Code::invalid_key, input_.query.partition_by->span,
        fmt::format(
            "Cannot repartition a TABLE source. If this is a join, make sure that the criteria uses the TABLE's "
            "key column {} instead of [{}]",
            plan.keys.empty() ? "" : ast::format(*plan.keys[0].candidates.front()), join_words(wanted, ", ")));
  }
  if (plan.has_key(clauses_.partition)) {
    plan.origin = KeyOrigin::partitioning;
    plan.keys[0].candidates = {clauses_.partition[0]};
    return 0;
  }
  const bool null = clauses_.partition.front()->as<ast::NullLiteral>() != nullptr;
  const std::vector<ast::ExprPtr> key = null ? std::vector<ast::ExprPtr>{} : clauses_.partition;
  rekey(plan, key, NullKey::keep);
  plan.origin = KeyOrigin::partitioning;
  return key.size();
}

}  // namespace millrace::inline planner
