#include "planner/bind/select_over.h"

#include <fmt/format.h>

#include <algorithm>

#include "parser/ast/format.h"
#include "planner/bind/aggregate_call.h"
#include "planner/bind/ast_rewrite.h"
#include "planner/bind/formats.h"
#include "planner/bind/late_into.h"
#include "planner/bind/select_ranks.h"

namespace millrace::inline planner {
namespace {

bool same_order(const std::vector<ast::SortItem>& a, const std::vector<ast::SortItem>& b) {
  return std::ranges::equal(a, b, [](const ast::SortItem& x, const ast::SortItem& y) {
    return ast::equal(*x.expr, *y.expr) && x.descending == y.descending &&
           x.nulls_first.value_or(x.descending) == y.nulls_first.value_or(y.descending);
  });
}

bool same_window(const ast::Over& a, const ast::Over& b) {
  const auto same = [](const ast::ExprPtr& x, const ast::ExprPtr& y) { return ast::equal(*x, *y); };
  return std::ranges::equal(a.partition, b.partition, same) && same_order(a.order, b.order);
}

const ast::Over& over_of(const ast::ExprPtr& call) {
  return *call->as<ast::Call>()->modifiers->over;
}

}  // namespace

const FunctionDef* over_function(const ast::ExprPtr& expr, const BindContext& context) {
  const std::string& name = expr->as<ast::Call>()->name.text;
  const FunctionDef* function = context.functions.find(name);
  if (function && function->kind != FunctionKind::window && function->kind != FunctionKind::aggregate)
    throw SqlError(Code::invalid_statement, expr->span, fmt::format("{} does not take OVER.", name))
        .hint("aggregates and functions over windows do: SHOW FUNCTIONS lists them");
  return function;
}

OverCall bind_over_call(const ast::ExprPtr& expr, const std::vector<SortKey>& order, ExprBinder& binder,
                        const Scope& scope, const BindContext& context, std::string column) {
  const ast::Call& call = *expr->as<ast::Call>();
  OverCall made{.call = bind_aggregate(expr, binder, scope, context, std::move(column)),
                .frame = {},
                .ignore_nulls = call.modifiers->ignore_nulls.value_or(false)};
  const bool window_function = made.call.function->kind == FunctionKind::window;
  if (call.modifiers->ignore_nulls && !window_function)
    throw SqlError(Code::invalid_statement, expr->span,
                   fmt::format("{} has no IGNORE or RESPECT NULLS.", call.name.text));
  made.frame = bind_frame(call, order, window_function, expr->span);
  return made;
}

WindowCalls::WindowCalls(const SelectInput& input, const Scope& scope, const Clauses& clauses,
                         const ast::ExprPtr& ranked)
    : input_(input), scope_(scope), clauses_(clauses) {
  for (const auto& item : clauses.items) collect(item.expr, ranked);
  if (clauses.qualify) collect(clauses.qualify, ranked);
}

void WindowCalls::collect(const ast::ExprPtr& expr, const ast::ExprPtr& ranked) {
  if (!is_over(*expr)) {
    for_each_child(*expr, [&](const ast::ExprPtr& child) { collect(child, ranked); });
    return;
  }
  for_each_child(*expr, [](const ast::ExprPtr& child) {
    if (contains(child, is_over))
      throw SqlError(Code::invalid_statement, child->span, "Functions with OVER cannot be nested.")
          .hint("compute the inner one in a query in FROM");
  });
  if (ranked && ast::equal(*expr, *ranked)) return;
  const auto window =
      std::ranges::find_if(windows_, [&](const Window& known) { return same_window(*known.over, over_of(expr)); });
  if (window == windows_.end()) {
    windows_.push_back({&over_of(expr), {expr}});
  } else if (!among(window->calls, expr)) {
    window->calls.push_back(expr);
  }
}

void WindowCalls::check(const KeyedPlan& plan) const {
  const Span span = windows_.front().calls.front()->span;
  if (exact_ && windows_.size() > 1)
    throw SqlError(Code::not_supported, windows_[1].calls.front()->span,
                   "EMIT FINAL with OVER takes one PARTITION BY and one ORDER BY.")
        .hint("compute the others in a query of their own");
  if (!table_ && windowed_)
    throw SqlError(Code::not_supported, span, "OVER on a stream with windows is not supported yet.")
        .hint("leave EMIT FINAL out: a table of windows takes OVER");
  if (table_) return;
  for (const Window& window : windows_) check_stream_order(*window.over, scope_, window.calls.front()->span);
  (void)plan;
}

void WindowCalls::keep_pseudo_columns(KeyedPlan& plan) {
  std::vector<ast::ExprPtr> read;
  if (clauses_.qualify) read.push_back(clauses_.qualify);
  for (const auto& item : clauses_.items) read.push_back(item.expr);
  rows_->keep_pseudo_columns(plan, read);
}

/// Rows come together by partition.
void WindowCalls::bring_together(KeyedPlan& plan, const Window& window) {
  if (at_home_ && plan.has_key(window.over->partition) && plan.node->schema.key_count() == 1) return;
  at_home_ = false;
  std::vector<ProjectItem> keys;
  for (const auto& expr : window.over->partition)
    keys.push_back(key_item(display(expr, scope_), rows_->bind(expr), expr->span));
  if (keys.empty()) keys.push_back(single_key());
  rows_->rekey(plan, std::move(keys));
}

void WindowCalls::put_in_order(KeyedPlan& plan) {
  const ast::Query& query = input_.query;
  if (query.late_into)
    plan.node = keep_late_rows(input_, scope_, *query.late_into, plan.node,
                               {.items = source_columns(scope_, rows_->moved()), .key_format = plan.key_format});
  plan.node = make_node(TimeSortNode{plan.node, query.final_grace ? query.final_grace->millis : 0});
}

void WindowCalls::add_row_key(OverNode& node) const {
  for (std::size_t i = 0; i < schema_.key_count(); ++i) {
    const ColumnDef& column = schema_.columns[i];
    node.row_key.push_back({column, make_column(i + rows_->moved(), column.type, column.name)});
  }
  if (!windowed_) return;
  const std::size_t start = *rows_->place_of(PseudoColumn::window_start);
  node.row_key.push_back(
      {ColumnDef{.name = "WINDOWSTART", .type = Type::bigint()}, make_column(start, Type::bigint(), "WINDOWSTART")});
}

OverCall WindowCalls::bind(const ast::ExprPtr& written, const OverNode& node, std::size_t number) {
  const FunctionDef* function = over_function(written, input_.context);
  const bool window_function = function && function->kind == FunctionKind::window;
  const ast::ExprPtr expr = table_ ? written : fit_to_stream(written, window_function, exact_);
  if (is_rank(*expr) && node.order.empty())
    throw SqlError(Code::invalid_statement, expr->span, "A rank needs an ORDER BY in its OVER.");
  ExprBinder binder(input_.context, scope_);
  binder.intercept = [this](const ast::ExprPtr& inner) { return rows_->intercept(inner); };
  return bind_over_call(expr, node.order, binder, scope_, input_.context, fmt::format("KSQL_OVER_{}", number));
}

void WindowCalls::add_step(KeyedPlan& plan, const Window& window) {
  bring_together(plan, window);
  if (exact_) put_in_order(plan);
  OverNode node{.input = plan.node, .order = {}, .calls = {}, .row_key = {}};
  for (const auto& item : window.over->order) {
    ExprPtr bound = rows_->bind(item.expr);
    check_sortable(bound->type, item.span);
    node.order.push_back({std::move(bound), item.descending, item.nulls_first.value_or(item.descending)});
  }
  for (const auto& call : window.calls) node.calls.push_back(bind(call, node, node.calls.size()));
  node.exact = exact_;
  if (table_) add_row_key(node);
  rows_->move(node.row_key.size());
  std::size_t at = node.row_key.size() + plan.node->schema.size();
  for (std::size_t i = 0; i < window.calls.size(); ++i)
    rows_->add_computed(window.calls[i], at++, node.calls[i].call.column.type);
  plan.node = make_node(std::move(node));
}

/// Rows of a stream go back under the key that they had.
void WindowCalls::give_back_key(KeyedPlan& plan) {
  if (table_) {
    plan.keys = key_;
    for (std::size_t k = 0; k < plan.keys.size(); ++k) plan.keys[k].position = k;
    if (!windowed_) return;
    const ast::Identifier start{.text = "WINDOWSTART", .quoted = false, .span = {}};
    KeySlot slot{plan.keys.size(), Type::bigint(), {make_ast(ast::ColumnRef{std::nullopt, start}, {})}};
    for (const auto& source : scope_.sources) slot.candidates.push_back(make_ast_column(source.alias, start.text, {}));
    plan.keys.push_back(std::move(slot));
    return;
  }
  if (at_home_) return;
  RekeyNode rekey{plan.node, {}, NullKey::keep};
  for (std::size_t i = 0; i < schema_.key_count(); ++i) {
    const ColumnDef& column = schema_.columns[i];
    rekey.keys.push_back({column, make_column(i + rows_->moved(), column.type, column.name)});
  }
  rows_->move(rekey.keys.size());
  plan.keys = key_;
  for (KeySlot& key : plan.keys) {
    // A slot need not be a column of the key: where it is one, it stands in front.
    if (key.position >= rekey.keys.size()) key.position += rows_->moved();
  }
  plan.node = make_node(std::move(rekey));
}

void WindowCalls::apply(KeyedPlan& plan, ExprBinder& binder) {
  if (windows_.empty()) return;
  table_ = plan.node->kind == RelationKind::table;
  windowed_ = plan.node->window.has_value();
  exact_ = !table_ && input_.query.emit == ast::Emit::final;
  check(plan);
  key_ = plan.keys;
  schema_ = plan.node->schema;
  rows_.emplace(input_, scope_, binder);
  keep_pseudo_columns(plan);
  for (const Window& window : windows_) add_step(plan, window);
  give_back_key(plan);
  binder.intercept = [this](const ast::ExprPtr& expr) { return rows_->intercept(expr); };
}

}  // namespace millrace::inline planner
