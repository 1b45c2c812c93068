#include "planner/bind/select_distinct.h"

#include <numeric>

#include "planner/bind/formats.h"
#include "planner/bind/late_into.h"

namespace millrace::inline planner {

void FirstWithin::apply(KeyedPlan& plan, ExprBinder& binder) {
  const auto& on = input_.query.distinct_on;
  if (!on) return;
  if (!on->within)
    throw SqlError(Code::not_supported, on->span, "DISTINCT ON needs WITHIN here: rows come for ever.")
        .hint("QUALIFY ROW_NUMBER() OVER (PARTITION BY ... ORDER BY ...) = 1 keeps one row for each key");
  if (plan.node->kind == RelationKind::table || plan.node->window)
    throw SqlError(Code::not_supported, on->span, "DISTINCT WITHIN takes a stream without windows.")
        .hint("SELECT DISTINCT takes tables");
  rows_.emplace(input_, scope_, binder);
  std::vector<ast::ExprPtr> read, equal_in;
  for (const auto& item : clauses_.items) read.push_back(item.expr);
  if (on->exprs.empty()) equal_in = read;
  for (const auto& expr : on->exprs) {
    equal_in.push_back(qualify(expr, scope_));
    check_resolved(equal_in.back(), scope_, "DISTINCT ON");
    read.push_back(equal_in.back());
  }
  const Schema before = plan.node->schema;
  rows_->keep_pseudo_columns(plan, read);
  std::vector<ProjectItem> together;
  for (const auto& expr : equal_in) together.push_back(key_item(display(expr, scope_), rows_->bind(expr), expr->span));
  rows_->rekey(plan, std::move(together));
  if (on->late_into)
    plan.node = keep_late_rows(input_, scope_, *on->late_into, plan.node,
                               {.items = source_columns(scope_, rows_->moved()), .key_format = plan.key_format});
  plan.node = make_node(DedupNode{
      .input = plan.node, .within_ms = on->within->millis, .grace_ms = on->grace.value_or(*on->within).millis});
  // Back under the key that the rows had.
  std::vector<ProjectItem> back;
  for (std::size_t i = 0; i < before.key_count(); ++i) {
    const ColumnDef& column = before.columns[i];
    back.push_back({column, make_column(i + rows_->moved(), column.type, column.name)});
  }
  rows_->rekey(plan, std::move(back));
  for (KeySlot& key : plan.keys)
    if (key.position >= before.key_count()) key.position += rows_->moved();
  binder.intercept = [this](const ast::ExprPtr& expr) { return rows_->intercept(expr); };
}

namespace {

/// Rows with the bounds of their windows behind them, which tell those of one key apart.
NodePtr with_bound_columns(const NodePtr& rows) {
  ProjectNode project{.input = rows, .items = column_items(rows->schema)};
  for (const PseudoColumn bound : {PseudoColumn::window_start, PseudoColumn::window_end})
    project.items.push_back(bound_item(bound, ColumnRole::value));
  return make_node(std::move(project));
}

}  // namespace

BoundSelect distinct_rows(BoundSelect rows) {
  const bool table = rows.root->kind == RelationKind::table;
  const std::size_t key_count = rows.root->schema.key_count(), own = rows.root->schema.size();
  if (table && rows.root->window) rows.root = with_bound_columns(rows.root);
  const Schema& from = rows.root->schema;
  RekeyNode rekey{rows.root, {}, NullKey::keep};
  for (const std::size_t at : rows.order) {
    const ColumnDef& column = from.columns[at];
    rekey.keys.push_back(key_item(column.name, make_column(at, column.type, column.name), {}));
  }
  const std::size_t shown = rekey.keys.size();
  TopRowsNode first{.input = nullptr, .order = {}, .most = 1, .number = {}, .row_key = {}};
  for (std::size_t i = 0; table && i < from.size(); ++i)
    if (i < key_count || i >= own)
      first.row_key.push_back({from.columns[i], make_column(i + shown, from.columns[i].type, from.columns[i].name)});
  first.input = make_node(std::move(rekey));
  const NodePtr top = make_node(std::move(first));
  rows.order.resize(shown);
  std::iota(rows.order.begin(), rows.order.end(), std::size_t{0});
  rows.root = make_node(ProjectNode{.input = top, .items = column_items(top->schema, shown)});
  rows.null_key = false;
  return rows;
}

}  // namespace millrace::inline planner
