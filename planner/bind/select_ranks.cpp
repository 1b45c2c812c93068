#include "planner/bind/select_ranks.h"

#include <fmt/format.h>

#include <algorithm>

#include "parser/ast/format.h"
#include "planner/bind/ast_rewrite.h"
#include "planner/bind/formats.h"
#include "planner/logical/window_trace.h"

namespace millrace::inline planner {
namespace {

constexpr std::string_view kHiddenNumber = "ROW_NUMBER";

std::optional<std::int64_t> whole_number(const ast::ExprPtr& expr) {
  if (const auto* value = expr->as<ast::IntegerLiteral>()) return value->value;
  if (const auto* value = expr->as<ast::BigintLiteral>()) return value->value;
  return std::nullopt;
}

const ast::NamedWindow& find_window(const std::vector<ast::NamedWindow>& windows, const ast::Identifier& name) {
  const auto found = std::ranges::find(windows, name, &ast::NamedWindow::name);
  if (found != windows.end()) return *found;
  throw SqlError(Code::invalid_statement, name.span, fmt::format("There is no window {}.", name.text))
      .hint("a window is named behind HAVING: WINDOW w AS (PARTITION BY ... ORDER BY ...)");
}

/// What `over` says with the windows that it goes on from.
ast::Over complete(const ast::Over& over, const std::vector<ast::NamedWindow>& windows, std::size_t depth = 0) {
  if (!over.base) return over;
  const ast::NamedWindow& named = find_window(windows, *over.base);
  if (depth > windows.size())
    throw SqlError(Code::invalid_statement, over.span, fmt::format("Window {} goes on from itself.", named.name.text));
  ast::Over made = complete(named.spec, windows, depth + 1);
  const auto refuse = [&](const char* clause) {
    throw SqlError(Code::invalid_statement, over.span,
                   fmt::format("Window {} has {} already.", named.name.text, clause));
  };
  if (!over.partition.empty()) refuse("its partitions");
  if (!over.order.empty() && !made.order.empty()) refuse("an order");
  if (over.frame && made.frame) refuse("a frame");
  if (!over.order.empty()) made.order = over.order;
  if (over.frame) made.frame = over.frame;
  made.base.reset();
  made.span = over.span;
  return made;
}

ast::ExprPtr inline_windows(const ast::ExprPtr& expr, const std::vector<ast::NamedWindow>& windows) {
  if (!expr) return expr;
  ast::ExprPtr made = map_children(expr, [&](const ast::ExprPtr& child) { return inline_windows(child, windows); });
  const auto* call = made->as<ast::Call>();
  if (!call || !call->over() || !call->modifiers->over->base) return made;
  ast::Call changed = *call;
  ast::CallModifiers modifiers = *call->modifiers;
  modifiers.over = complete(*modifiers.over, windows);
  changed.modifiers = std::make_shared<const ast::CallModifiers>(std::move(modifiers));
  return make_ast(std::move(changed), expr->span);
}

}  // namespace

ast::Query inline_windows(const ast::Query& query) {
  ast::Query made = query;
  for (auto& item : made.items)
    if (auto* plain = std::get_if<ast::SelectExpr>(&item)) plain->expr = inline_windows(plain->expr, query.windows);
  made.qualify = inline_windows(made.qualify, query.windows);
  for (auto& item : made.order_by) item.expr = inline_windows(item.expr, query.windows);
  made.windows.clear();
  return made;
}

bool is_over(const ast::Expression& expr) {
  const auto* call = expr.as<ast::Call>();
  return call && call->over();
}

bool is_rank(const ast::Expression& expr) {
  const auto* call = expr.as<ast::Call>();
  if (!call || !call->over() || !call->arguments.empty() || call->star) return false;
  const std::string& name = call->name.text;
  return name == "ROW_NUMBER" || name == "RANK" || name == "DENSE_RANK";
}

ast::ExprPtr name_items(const ast::ExprPtr& expr, const std::vector<OutputItem>& items, const Scope& scope) {
  if (!expr) return expr;
  const auto* column = expr->as<ast::ColumnRef>();
  if (!column) return map_children(expr, [&](const ast::ExprPtr& child) { return name_items(child, items, scope); });
  if (column->qualifier || scope.has_column(column->name.text)) return expr;
  const auto item = std::ranges::find(items, column->name.text, &OutputItem::name);
  return item == items.end() ? expr : item->expr;
}

std::optional<Ranking::Condition> Ranking::read_condition(const ast::ExprPtr& expr) const {
  if (const auto* between = expr->as<ast::Between>()) {
    const auto low = whole_number(between->low), high = whole_number(between->high);
    if (is_rank(*between->value) && !between->negated && low == 1 && high) return Condition{between->value, *high};
    return std::nullopt;
  }
  const auto* comparison = expr->as<ast::Comparison>();
  if (!comparison) return std::nullopt;
  const bool left = is_rank(*comparison->left);
  if (!left && !is_rank(*comparison->right)) return std::nullopt;
  const ast::ExprPtr& call = left ? comparison->left : comparison->right;
  const auto number = whole_number(left ? comparison->right : comparison->left);
  if (!number) return std::nullopt;
  switch (left ? comparison->op : mirrored(comparison->op)) {
    case ast::CompareOp::equal:
      return *number == 1 ? std::optional(Condition{call, 1}) : std::nullopt;
    case ast::CompareOp::less_equal:
      return Condition{call, *number};
    case ast::CompareOp::less:
      return Condition{call, *number - 1};
    default:
      return std::nullopt;
  }
}

void Ranking::read_conjuncts() {
  for (const ast::ExprPtr& part : conjuncts_of(clauses_.qualify)) {
    const auto found = condition_ ? std::nullopt : read_condition(part);
    if (found)
      condition_ = found;
    else
      rest_.push_back(part);
  }
}

Ranking::Ranking(const SelectInput& input, const Scope& scope, const Clauses& clauses)
    : input_(input), scope_(scope), clauses_(clauses) {
  if (!clauses_.qualify) return;
  read_conjuncts();
  if (!condition_ || function() == RankFunction::row_number || !shows_rank() || input_.final()) return;
  // Numbers of rows are a part of the result's key, other ranks are values.
  condition_.reset();
  rest_ = {clauses_.qualify};
}

void Ranking::check() const {
  const Span span = clauses_.qualify->span;
  if (!contains(clauses_.qualify, is_over))
    throw SqlError(Code::invalid_statement, span, "QUALIFY needs a function with OVER.");
  if (!condition_) return;
  if (condition_->most < 1)
    throw SqlError(Code::invalid_statement, span, "QUALIFY lets no row through: ranks begin at 1.");
  if (over().frame)
    throw SqlError(Code::invalid_statement, over().frame->span,
                   fmt::format("{} has no frame.", condition_->call->as<ast::Call>()->name.text));
  if (over().order.empty())
    throw SqlError(Code::invalid_statement, condition_->call->span, "A rank needs an ORDER BY in its OVER.");
}

bool Ranking::shows_rank() const {
  const auto is_call = [this](const ast::Expression& e) { return ast::equal(e, *condition_->call); };
  return std::ranges::any_of(clauses_.items, [&](const OutputItem& item) { return contains(item.expr, is_call); }) ||
         std::ranges::any_of(rest_, [&](const ast::ExprPtr& expr) { return contains(expr, is_call); });
}

RankFunction rank_of(const std::string& name) {
  return name == "RANK"         ? RankFunction::rank
         : name == "DENSE_RANK" ? RankFunction::dense_rank
                                : RankFunction::row_number;
}

RankFunction Ranking::function() const {
  return rank_of(condition_->call->as<ast::Call>()->name.text);
}

/// Rows come together by partition.
void Ranking::partition(KeyedPlan& plan) {
  std::vector<ProjectItem> keys;
  for (const auto& expr : over().partition) {
    const auto item =
        std::ranges::find_if(clauses_.items, [&](const OutputItem& i) { return ast::equal(*i.expr, *expr); });
    keys.push_back(
        key_item(item == clauses_.items.end() ? display(expr, scope_) : item->name, rows_->bind(expr), expr->span));
    partition_keys_.push_back({partition_keys_.size(), keys.back().column.type, {expr}});
  }
  if (keys.empty()) keys.push_back(single_key());
  rows_->rekey(plan, std::move(keys));
}

void check_sortable(const Type& type, Span span) {
  const auto kind = type.kind();
  if (kind == TypeKind::array || kind == TypeKind::map || kind == TypeKind::structure)
    throw SqlError(Code::type_mismatch, span, fmt::format("ORDER BY does not take {}.", type.to_string()));
}

std::vector<SortKey> Ranking::order() const {
  std::vector<SortKey> order;
  for (const auto& item : over().order) {
    ExprPtr bound = rows_->bind(item.expr);
    check_sortable(bound->type, item.span);
    order.push_back({std::move(bound), item.descending, item.nulls_first.value_or(item.descending)});
  }
  return order;
}

/// What the column of the ranks is called.
std::string Ranking::number() const {
  const auto item =
      std::ranges::find_if(clauses_.items, [&](const OutputItem& i) { return ast::equal(*i.expr, *condition_->call); });
  return item == clauses_.items.end() ? std::string(kHiddenNumber) : item->name;
}

void Ranking::fail_keyless() const {
  throw SqlError(Code::invalid_key, condition_->call->span,
                 "A Top-N result without its rank has no primary key. Select <rank>, or rank a table.")
      .hint("SELECT ..., ROW_NUMBER() OVER (...) AS rn ... QUALIFY rn <= n");
}

void Ranking::choose_key(TopRowsNode& top, const KeyedPlan& plan) const {
  const bool numbers = top.rank == RankFunction::row_number;
  const bool table = plan.node->kind == RelationKind::table;
  if (shows_rank()) {
    top.number = number();
  } else if (numbers && top.most == 1 && !over().partition.empty()) {
    return;
  } else if (table) {
    top.by_row = true;
  } else if (input_.persistent()) {
    fail_keyless();
  } else {
    top.number = kHiddenNumber;
  }
}

void Ranking::set_keys(bool numbered, KeyedPlan& plan) {
  plan.origin = KeyOrigin::partitioning;
  plan.keys = partition_keys_;
  if (!numbered) return;
  for (auto& key : plan.keys) ++key.position;
  plan.keys.push_back({0, Type::bigint(), {condition_->call}});
  rows_->move(1);
  rows_->add_computed(condition_->call, 0, Type::bigint());
}

/// Final results of windows are ranked once, when all of a window are there. False: nothing says which window they are
/// of.
bool Ranking::rank_closed(KeyedPlan& plan) {
  const auto closing = input_.final() ? closing_key_of(*plan.node) : std::nullopt;
  const bool numbers = function() == RankFunction::row_number, shown = shows_rank();
  const Span span = condition_->call->span;
  if (!closing && input_.query.emit == ast::Emit::final)
    throw SqlError(Code::invalid_window, span, "EMIT FINAL of ranks needs the window in their PARTITION BY.")
        .hint("PARTITION BY WINDOWSTART or WINDOWEND of windows that the query aggregates");
  if (!closing && shown && !numbers)
    throw SqlError(Code::not_supported, span, "A rank with ties needs the window in its PARTITION BY here.")
        .hint("write ROW_NUMBER, or rank in a query of its own");
  if (!closing) return false;
  CloseRanksNode closed{.input = plan.node,
                        .order = order(),
                        .most = condition_->most,
                        .rank = function(),
                        .number = shown ? number() : std::string(),
                        .closing_key = closing->key,
                        .closes_after = closing->after,
                        .closing_size = closing->size_ms,
                        .table = input_.persistent() && !input_.final_stream};
  const bool single = numbers && closed.most == 1;
  if (closed.table && !shown && !single) fail_keyless();
  if (closed.table && shown && !numbers)
    throw SqlError(Code::invalid_key, span, "Rows of one rank have no key of their own in a table.")
        .hint("write CREATE STREAM, or ROW_NUMBER");
  plan.node = make_node(std::move(closed));
  set_keys(shown, plan);
  return true;
}

void Ranking::apply(KeyedPlan& plan, ExprBinder& binder) {
  if (!clauses_.qualify) return;
  check();
  if (condition_) rank(plan, binder);
  for (const auto& expr : rest_)
    plan.node = make_node(FilterNode{plan.node, bind_predicate(binder, expr, scope_, "QUALIFY")});
}

void Ranking::rank(KeyedPlan& plan, ExprBinder& binder) {
  rows_.emplace(input_, scope_, binder);
  const KeyedPlan unranked = plan;
  std::vector<ast::ExprPtr> read{clauses_.qualify};  // the rank with its partitions and its order
  for (const auto& item : clauses_.items) read.push_back(item.expr);
  rows_->keep_pseudo_columns(plan, read);
  partition(plan);
  binder.intercept = [this](const ast::ExprPtr& expr) { return rows_->intercept(expr); };
  if (rank_closed(plan)) return;
  TopRowsNode top{
      .input = plan.node, .order = order(), .most = condition_->most, .rank = function(), .number = {}, .row_key = {}};
  if (plan.node->kind == RelationKind::table) {
    for (std::size_t i = 0; i < unranked.node->schema.key_count(); ++i) {
      const ColumnDef& column = unranked.node->schema.columns[i];
      top.row_key.push_back({column, make_column(i + rows_->moved(), column.type, column.name)});
    }
    if (const auto start = rows_->place_of(PseudoColumn::window_start); start && unranked.node->window)
      top.row_key.push_back({ColumnDef{.name = "WINDOWSTART", .type = Type::bigint()},
                             make_column(*start, Type::bigint(), "WINDOWSTART")});
  }
  choose_key(top, unranked);
  if (top.by_row) {
    for (std::size_t k = 0; k < plan.keys.size(); ++k) plan.keys[k].position = k;
    rows_->move(top.row_key.size());
  } else {
    set_keys(top.numbered(), plan);
  }
  plan.node = make_node(std::move(top));
}

}  // namespace millrace::inline planner
