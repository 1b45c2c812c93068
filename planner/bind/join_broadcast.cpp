#include <fmt/format.h>

#include "parser/ast/format.h"
#include "planner/bind/ast_rewrite.h"
#include "planner/bind/coercion.h"
#include "planner/bind/elements.h"
#include "planner/bind/expr_binder.h"
#include "planner/bind/join_builder.h"
#include "planner/catalog/formats.h"

namespace millrace::inline planner {
namespace {

void check_broadcast(const ScopeSource& source, const JoinStep& step) {
  const auto fail = [&](Code code, const std::string& message) {
    throw SqlError(code, step.clause->source.name.span, message);
  };
  if (source.def->kind == RelationKind::stream)
    fail(Code::invalid_join, fmt::format("BROADCAST needs a table: {} is a stream.", source.def->name));
  if (source.plan) fail(Code::not_supported, "BROADCAST of a query is not supported yet.");
  if (source.def->history_ms) fail(Code::not_supported, "BROADCAST of tables with HISTORY is not supported yet.");
  if (source.def->window) fail(Code::not_supported, "BROADCAST of windowed tables is not supported yet.");
  if (step.clause->within) fail(Code::invalid_join, "A join with BROADCAST is not windowed: leave WITHIN out.");
  if (step.clause->kind != ast::JoinKind::inner && step.clause->kind != ast::JoinKind::left)
    fail(Code::invalid_join, "A join with BROADCAST is INNER or LEFT.");
}

}  // namespace

/// Of one source, which keeps its key.
void JoinBuilder::note_own_key(const JoinSide& left) {
  if (left.sources.size() != 1) return;
  const ScopeSource& first = scope_.sources[left.sources.front()];
  for (const ScopeColumn& column : first.columns)
    if (column.role == ColumnRole::key) equivalent_.push_back({make_ast_column(first.alias, column.name, {})});
}

/// The stream stays where it lies, with its key.
JoinSide JoinBuilder::join_broadcast(JoinSide left, JoinSide right, const JoinStep& step) {
  const ScopeSource& source = scope_.sources[step.source];
  check_broadcast(source, step);
  note_own_key(left);
  const std::size_t own = left.node->schema.key_count(), left_size = left.node->schema.size();
  BroadcastJoinNode node{left.node, right.node, join_type_of(step.clause->kind)};
  node.most_bytes = setting_integer(input_.context.properties, "millrace.broadcast.max.bytes");
  left.sources.push_back(step.source);
  shift_sources(left.sources, own);
  shift_sources(right.sources, left_size);
  bind_values(step, node.left_values, node.right_values);
  ExprBinder binder(input_.context, scope_);
  if (step.rest) node.condition = bind_predicate(binder, step.rest, scope_, "JOIN ON");
  left.node = make_node(std::move(node));
  return left;
}

/// The elements of a list of each row: those of a table's rows are found by its key and their number.
JoinSide JoinBuilder::join_elements(JoinSide left, const JoinStep& step) {
  const bool table = left.node->kind == RelationKind::table;
  const Span span = step.clause->source.name.span;
  if (table && left.sources.size() > 1)
    throw SqlError(Code::not_supported, span, "UNNEST behind a join of tables is not supported.")
        .hint("put the join into a query in FROM");
  if (table && left.node->window)
    throw SqlError(Code::not_supported, span, "UNNEST over tables with windows is not supported yet.")
        .hint("PARTITION BY the key and WINDOWSTART makes a table without windows");
  note_own_key(left);
  ExprBinder binder(input_.context, scope_);
  UnnestNode node{left.node, bind_item(binder, step.list, scope_), element_columns(scope_.sources[step.source]),
                  step.clause->kind == ast::JoinKind::left, step.clause->source.ordinality};
  const std::size_t own = table ? left.node->schema.key_count() + 1 : 0, left_size = left.node->schema.size();
  shift_sources(left.sources, own);
  shift_sources({step.source}, own + left_size);
  left.node = make_node(std::move(node));
  left.sources.push_back(step.source);
  const FormatDef* def = find_format(left.key_format.name);
  if (table && (def == nullptr || !refusal(*def, left.node->schema.keys()).empty())) left.key_format = object_format();
  if (step.rest) left.node = make_node(FilterNode{left.node, bind_predicate(binder, step.rest, scope_, "JOIN ON")});
  return left;
}

/// Two tables: each pair is found by both primary keys.
JoinSide JoinBuilder::join_pairs(JoinSide left, JoinSide right, const JoinStep& step) {
  if (left.node->window || right.node->window)
    throw SqlError(Code::not_supported, step.clause->span,
                   "Joins of windowed tables by other columns than their keys "
                   "are not supported yet.");
  PairJoinNode node{left.node, right.node, join_type_of(step.clause->kind)};
  const std::size_t own = left.node->schema.key_count() + right.node->schema.key_count();
  const std::size_t left_size = left.node->schema.size();
  shift_sources(left.sources, own);
  shift_sources(right.sources, own + left_size);
  bind_values(step, node.left_values, node.right_values);
  left.node = make_node(std::move(node));
  const FormatDef* def = find_format(left.key_format.name);
  if (def == nullptr || !refusal(*def, left.node->schema.keys()).empty()) left.key_format = object_format();
  left.sources.push_back(step.source);
  left.node = with_rest(left.node, step);
  return left;
}

/// The equalities, over what the join gives.
void JoinBuilder::bind_values(const JoinStep& step, std::vector<ExprPtr>& lefts, std::vector<ExprPtr>& rights) const {
  ExprBinder binder(input_.context, scope_);
  for (const JoinEquality& equality : step.on) {
    ExprPtr left = bind_item(binder, equality.left, scope_), right = bind_item(binder, equality.right, scope_);
    if (!(left->type == right->type)) {
      if (!left->type.is_numeric() || !right->type.is_numeric()) {
        throw SqlError(
            Code::invalid_join, step.clause->on->span,
            fmt::format("Invalid join. Key types differ: {} vs {}", left->type.to_string(), right->type.to_string()));
      }
      const Type wide = wider_number(left->type, right->type);
      left = cast_to(left, wide);
      right = cast_to(right, wide);
    }
    lefts.push_back(std::move(left));
    rights.push_back(std::move(right));
  }
}

}  // namespace millrace::inline planner
