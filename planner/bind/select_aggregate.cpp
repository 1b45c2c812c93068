#include "planner/bind/select_aggregate.h"

#include <fmt/format.h>

#include <algorithm>

#include "parser/ast/format.h"
#include "planner/bind/aggregate_call.h"
#include "planner/bind/ast_rewrite.h"
#include "planner/bind/dialect.h"
#include "planner/bind/late_into.h"
#include "planner/bind/outer_window.h"
#include "planner/bind/with_properties.h"
#include "planner/logical/window_trace.h"

namespace millrace::inline planner {

void Aggregation::check_sources(const KeyedPlan& plan) const {
  if (!input_.query.group_by) {
    if (!input_.persistent() || lifts(Lifted::loose_aggregates, input_.context.properties)) return;
    std::vector<std::string> calls;
    for (const auto& call : aggregates_) {
      const auto& node = *call->as<ast::Call>();
      const bool bare = node.star || node.arguments.empty();
      calls.push_back(bare ? node.name.text + "(ROWTIME)" : display(call, scope_));
    }
    throw SqlError(
        Code::invalid_aggregate, input_.query.span,
        fmt::format(
            "CREATE TABLE AS SELECT statement does not support aggregate function [{}] without a GROUP BY clause.",
            join_words(calls, ", ")));
  }
  check_value_formats(scope_, "GROUP BY", Code::invalid_aggregate, input_.query.group_by->span);
  const bool windows = plan.node->window && lifts(Lifted::windowed_tables, input_.context.properties);
  if (!input_.window_keys.empty() && (plan.node->kind == RelationKind::table || plan.node->window))
    throw SqlError(Code::invalid_window, input_.query.window->span, "A window function in FROM takes a stream.")
        .hint("WINDOW behind FROM takes tables with windows");
  if (input_.query.window && plan.node->kind == RelationKind::table && !windows) {
    throw SqlError(Code::invalid_window, input_.query.window->span, "Windowing not supported for table aggregations.");
  }
}

void Aggregation::check_nested(const ast::ExprPtr& expr) const {
  const auto& outer = *expr->as<ast::Call>();
  for_each_child(*expr, [&](const ast::ExprPtr& argument) {
    contains(argument, [&](const ast::Expression& e) {
      if (is_call_of(input_.context.functions, e, FunctionKind::aggregate)) {
        throw SqlError(Code::invalid_aggregate, expr->span,
                       fmt::format("Aggregate functions can not be nested: {}({}())", outer.name.text,
                                   e.as<ast::Call>()->name.text));
      }
      if (scope_.window_aggregation && is_window_bound(e)) {
        throw SqlError(
            Code::invalid_window, e.span,
            fmt::format("Window bounds column {} can only be used in the SELECT clause of windowed aggregations",
                        e.as<ast::ColumnRef>()->name.text));
      }
      return false;
    });
  });
}

void Aggregation::collect(const ast::ExprPtr& expr) {
  if (!expr) return;
  if (is_call_of(input_.context.functions, *expr, FunctionKind::aggregate)) {
    check_nested(expr);
    if (!among(aggregates_, expr)) aggregates_.push_back(expr);
    return;
  }
  for_each_child(*expr, [this](const ast::ExprPtr& child) { collect(child); });
}

AggregateCall Aggregation::bind_call(const ast::ExprPtr& call) const {
  ExprBinder binder(input_.context, scope_);
  return bind_aggregate(call, binder, scope_, input_.context, fmt::format("KSQL_AGG_VARIABLE_{}", calls_.size()));
}

/// What cannot take a row back keeps the rows of each group, as they came, and begins anew without it.
void Aggregation::check_undo(const KeyedPlan& plan) {
  if (plan.node->kind != RelationKind::table) return;
  for (AggregateCall& call : calls_) {
    const bool undo = call.function->variants[call.variant].undo || !call.order.empty() || call.distinct;
    if (!undo && lifts(Lifted::table_aggregates, input_.context.properties))
      call.order.push_back({make_literal(Value(std::int32_t{0}), Type::integer())});
  }
  std::vector<std::string> names;
  for (const auto& call : calls_) {
    const bool known = std::ranges::find(names, call.function->name) != names.end();
    const bool undo = call.function->variants[call.variant].undo || !call.order.empty();
    if (!known && !undo) names.push_back(call.function->name);
  }
  if (names.empty()) return;
  throw SqlError(
      Code::invalid_aggregate, input_.query.span,
      fmt::format("The aggregation function{} {} cannot be applied to a table source, only to a stream source.",
                  names.size() > 1 ? "s" : "", join_words(names, " and ")));
}

ExprPtr Aggregation::replace(const ast::ExprPtr& expr) const {
  for (std::size_t i = 0; i < clauses_.group.size(); ++i) {
    if (ast::equal(*expr, *clauses_.group[i])) {
      return make_expr(ColumnExpr{keys_[i].position}, keys_[i].type, expr->span);
    }
  }
  for (std::size_t i = 0; i < aggregates_.size(); ++i) {
    if (ast::equal(*expr, *aggregates_[i])) {
      return make_expr(ColumnExpr{calls_at_ + i}, calls_[i].column.type, expr->span);
    }
  }
  return nullptr;
}

ExprPtr Aggregation::replace_item(const ast::ExprPtr& expr) const {
  if (auto replaced = replace(expr)) return replaced;
  if (!scope_.window_aggregation || !is_window_bound(*expr)) return nullptr;
  const auto column = *pseudo_column_of(expr->as<ast::ColumnRef>()->name.text);
  if (input_.window_keys.empty()) return make_expr(PseudoExpr{column}, Type::bigint(), expr->span);
  if (const auto at = bounds_.find(column); at != bounds_.end())
    return make_expr(ColumnExpr{at->second}, Type::bigint(), expr->span);
  throw SqlError(Code::invalid_aggregate, expr->span,
                 fmt::format("{} is not part of GROUP BY.", pseudo_column_name(column)))
      .hint("group by WINDOWSTART, WINDOWEND");
}

bool Aggregation::structured() const {
  return std::ranges::any_of(
      calls_, [](const AggregateCall& call) { return call.function->variants[call.variant].structured; });
}

void Aggregation::check_final(bool windowed) const {
  if (!setting_flag(input_.context.properties, "ksql.suppress.enabled")) {
    throw SqlError(Code::invalid_statement, input_.query.span,
                   "Suppression is currently disabled. You can enable it by setting ksql.suppress.enabled to true");
  }
  if (!windowed) {
    throw SqlError(Code::invalid_window, input_.query.span, "EMIT FINAL is only supported for windowed aggregations.")
        .hint("the key of this result holds no window: group by WINDOWSTART or WINDOWEND too");
  }
}

/// EMIT FINAL without a WINDOW: groups of final results are final themselves when their key says which window they are
/// of. False: it does not.
bool Aggregation::close_by_key(AggregateNode& grouped) const {
  const auto closing = grouped.global ? std::nullopt : closing_key_of(*grouped.input);
  if (!closing) return false;
  grouped.closing_key = closing->key;
  grouped.closes_after = closing->after;
  grouped.closing_size = closing->size_ms;
  return true;
}

BoundPull::Groups Aggregation::group(const std::vector<ast::ExprPtr>& order) {
  check_grouping(input_, clauses_);
  for (const auto& item : clauses_.items) collect(item.expr);
  collect(clauses_.having);
  for (const auto& expr : order) collect(expr);
  check_non_aggregates(input_, scope_, clauses_);
  for (const auto& expr : order) check_ordered(input_, scope_, clauses_, expr);
  if (input_.query.group_by)
    check_value_formats(scope_, "GROUP BY", Code::invalid_aggregate, input_.query.group_by->span);
  BoundPull::Groups groups;
  ExprBinder binder(input_.context, scope_);
  for (const auto& expr : clauses_.group) {
    ExprPtr bound = bind_item(binder, expr, scope_);
    keys_.push_back({keys_.size(), bound->type, {expr}});
    calls_at_ = keys_.size();
    groups.keys.push_back({ColumnDef{.name = display(expr, scope_), .type = bound->type}, std::move(bound)});
  }
  for (const auto& call : aggregates_) calls_.push_back(bind_call(call));
  groups.calls = calls_;
  return groups;
}

ExprPtr Aggregation::bind_having(const std::function<ExprPtr(const ast::ExprPtr&)>& first) const {
  if (!clauses_.having) return nullptr;
  ExprBinder having(input_.context, scope_);
  having.intercept = [&](const ast::ExprPtr& expr) {
    ExprPtr known = first ? first(expr) : nullptr;
    return known ? known : replace(expr);
  };
  return bind_predicate(having, clauses_.having, scope_, "HAVING");
}

/// Windows that are given in FROM: the bounds are columns of the key, as GROUP BY has them.
void Aggregation::key_by_bounds(KeyedPlan& plan) {
  RekeyNode rekey{plan.node, {}, NullKey::keep};
  plan.keys.clear();
  std::size_t next = 0;
  for (const auto& expr : input_.window_keys) {
    const std::size_t at = rekey.keys.size();
    if (is_window_bound(*expr)) {
      const auto bound = *pseudo_column_of(expr->as<ast::ColumnRef>()->name.text);
      rekey.keys.push_back(bound_item(bound, ColumnRole::key, expr->span));
      bounds_.emplace(bound, at);
      plan.keys.push_back({at, Type::bigint(), {expr}});
      continue;
    }
    const ColumnDef& column = plan.node->schema.columns[next];
    rekey.keys.push_back({column, make_column(next, column.type, column.name)});
    keys_[next].position = at;
    plan.keys.push_back({at, column.type, {clauses_.group[next]}});
    ++next;
  }
  calls_at_ += rekey.keys.size();
  plan.node = make_node(std::move(rekey));
}

/// Rows that come too late for their window go to a stream, as they came.
void Aggregation::keep_late(KeyedPlan& plan, const FormatInfo& source_key, bool of_windows) const {
  const ast::Identifier& stream = *input_.query.window->late_into;
  if (of_windows || plan.node->kind == RelationKind::table)
    throw SqlError(Code::not_supported, stream.span, "Rows of windows are never late: LATE INTO has nothing to take.")
        .hint("write it where the rows come in");
  plan.node = keep_late_rows(input_, scope_, stream, plan.node,
                             {.items = source_columns(scope_, 0), .key_format = source_key, .windows = true});
}

void Aggregation::apply(KeyedPlan& plan, KeyChange& key) {
  check_grouping(input_, clauses_);
  for (const auto& item : clauses_.items) collect(item.expr);
  collect(clauses_.having);
  collect(clauses_.qualify);
  check_non_aggregates(input_, scope_, clauses_);
  check_sources(plan);
  const bool asked = input_.query.emit == ast::Emit::final;
  // What a table with windows takes has been waited for below.
  const bool over_windows = plan.node->kind == RelationKind::table && plan.node->window;
  const auto window = window_spec(input_.query, input_.final() || over_windows);
  if (asked && (window || dialect_of(input_.context.properties) == Dialect::ksql)) check_final(window.has_value());
  // The window belongs to the rows' own key.
  const bool windowed = plan.node->window && (plan.node->kind == RelationKind::table || scope_.sources[0].plan);
  auto outer = OuterWindow::of(input_, window, plan);
  const FormatInfo source_key = plan.key_format;
  const bool of_windows = plan.node->window.has_value() || outer;
  if (outer) plan.node = outer->spread(plan.node);
  plan.origin = KeyOrigin::grouping;
  if (!input_.query.group_by && input_.kept()) {
    key.give_single(plan);
    plan.origin = KeyOrigin::single;
  } else if (!input_.query.group_by) {
    key.rekey(plan, {}, NullKey::keep);
  } else if (!clauses_.sets.empty()) {
    key.rekey_sets(plan, clauses_.group, clauses_.sets);
  } else if (plan.has_key(clauses_.group) && !windowed) {
    plan.keys[0].candidates = {clauses_.group[0]};
  } else {
    key.rekey(plan, clauses_.group, NullKey::drop, outer ? std::optional(outer->start()) : std::nullopt);
  }
  keys_ = plan.keys;
  calls_at_ = keys_.size() + (outer ? 1 : 0);
  for (const auto& call : aggregates_) calls_.push_back(bind_call(call));
  check_undo(plan);
  if (window && input_.query.window->late_into) keep_late(plan, source_key, of_windows);
  AggregateNode grouped{plan.node, calls_, window, EmitPolicy::changes, !input_.query.group_by && !input_.kept()};
  const bool closes = input_.final() && (window.has_value() || close_by_key(grouped));
  if (asked && !closes) check_final(false);
  if (closes) grouped.emit = EmitPolicy::final;
  if (outer) outer->close(grouped, keys_.size());
  grouped.stream = closes && (input_.final_stream || ranked_);
  plan.node = make_node(std::move(grouped));
  if (ExprPtr having = bind_having()) plan.node = make_node(FilterNode{plan.node, std::move(having)});
  if (!input_.window_keys.empty()) key_by_bounds(plan);
  if (!outer) return;
  plan.node = outer->with_window(plan.node, keys_.size());
  calls_at_ += keys_.size();
}

}  // namespace millrace::inline planner
