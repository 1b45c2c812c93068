#include "planner/bind/finite_query.h"

#include <fmt/format.h>

#include <algorithm>

#include "parser/ast/format.h"
#include "planner/bind/ast_rewrite.h"
#include "planner/bind/coercion.h"
#include "planner/bind/dialect.h"
#include "planner/bind/finite_from.h"
#include "planner/bind/finite_sessions.h"
#include "planner/bind/finite_sets.h"
#include "planner/bind/finite_subqueries.h"
#include "planner/bind/late_into.h"
#include "planner/bind/pull_lookups.h"
#include "planner/bind/pull_order.h"
#include "planner/bind/query_forms.h"
#include "planner/bind/select_aggregate.h"
#include "planner/bind/select_items.h"
#include "planner/bind/select_over.h"
#include "planner/bind/select_project.h"
#include "planner/bind/select_ranks.h"
#include "planner/bind/source_checks.h"
#include "planner/bind/views.h"

namespace millrace::inline planner {
namespace {

void check_clauses_of(const ast::Query& query) {
  const auto refuse = [](const char* clause, Span span) {
    throw SqlError(Code::not_supported, span,
                   fmt::format("Pull queries don't support {} clauses.{}", clause, pull_help()));
  };
  if (query.emit != ast::Emit::none)
    throw SqlError(Code::invalid_statement, query.span, "EMIT is only supported at the end of the whole query.");
  if (query.partition_by) refuse("PARTITION BY", query.partition_by->span);
  if (query.limit && *query.limit < 0) refuse("negative LIMIT", query.span);
}

/// DISTINCT ON: of the rows that are equal in its expressions the first in the order of the result.
ast::Query first_rows(ast::Query query) {
  if (!query.distinct_on) return query;
  ast::CallModifiers modifiers;
  modifiers.over.emplace();
  modifiers.span = query.distinct_on->span;
  modifiers.over->span = modifiers.span;
  modifiers.over->partition = query.distinct_on->exprs;
  for (const ast::SortItem& item : query.order_by) {
    modifiers.over->order.push_back(item);
    const auto* place = item.expr->as<ast::IntegerLiteral>();
    if (!place) continue;
    const auto at = static_cast<std::size_t>(place->value) - 1;
    const auto* shown = at < query.items.size() ? std::get_if<ast::SelectExpr>(&query.items[at]) : nullptr;
    if (!shown) throw SqlError(Code::invalid_statement, item.span, "With DISTINCT ON, ORDER BY names columns.");
    modifiers.over->order.back().expr = shown->expr;
  }
  ast::Call number{.name = {.text = "ROW_NUMBER", .quoted = false, .span = modifiers.span}, .arguments = {}};
  const Span span = modifiers.span;
  number.modifiers = std::make_shared<const ast::CallModifiers>(std::move(modifiers));
  const auto first = make_ast(
      ast::Comparison{ast::CompareOp::equal, make_ast(std::move(number), span), make_ast(ast::IntegerLiteral{1}, span)},
      span);
  query.qualify = both_of(query.qualify, first);
  query.distinct = false;
  query.distinct_on.reset();
  return query;
}

/// The WINDOW clause as windows in FROM (sessions are made of the rows that WHERE leaves), whose bounds are grouped by.
ast::Query windows_in_from(ast::Query query) {
  if (!query.window) return query;
  refuse_late(query);
  const ast::Window window = *query.window;
  if (!query.from.joins.empty() || query.from.first.window || query.from.first.unnest)
    throw SqlError(Code::not_supported, window.span, "WINDOW over joins is not supported in pull queries.")
        .hint("put the join into a query in FROM");
  query.window.reset();
  if (window.kind != ast::WindowKind::session) query.from.first.window = window;
  if (!query.group_by) query.group_by = ast::Grouping{{}, window.span};
  if (query.group_by->kind != ast::GroupingKind::plain)
    throw SqlError(Code::not_supported, query.group_by->span, "WINDOW takes one set of groups in pull queries.");
  for (const char* bound : {"WINDOWSTART", "WINDOWEND"})
    query.group_by->exprs.push_back(
        make_ast(ast::ColumnRef{std::nullopt, {.text = bound, .quoted = false, .span = window.span}}, window.span));
  return query;
}

/// One SELECT, clause by clause.
class FiniteSelect {
 public:
  FiniteSelect(const ast::Query& query, const BindContext& context, const FiniteNames* named)
      : query_(windows_in_from(first_rows(inline_windows(query)))),
        context_(context),
        named_(named),
        sessions_(sessions_of(query)),
        input_{query_, context, "", true} {}

  FiniteRelation bind();

 private:
  void filter(Subqueries& subqueries, ExprBinder& binder);
  void add_sessions();
  void expand(std::vector<ProjectItem>& keys);
  void group(Subqueries& subqueries, Aggregation& aggregation, ExprBinder& binder);
  void add_over(const ast::ExprPtr& root, ExprBinder& binder);
  void qualify_rows(ExprBinder& binder);
  NodePtr project(ExprBinder& binder);
  std::vector<SortKey> order(ExprBinder& binder, const std::vector<ProjectItem>& items) const;
  NodePtr ordered(NodePtr input, std::vector<SortKey> order) const;

  const ast::Query query_;
  const BindContext& context_;
  const FiniteNames* named_;
  const std::optional<ast::Window> sessions_;
  SelectInput input_;
  FiniteFrom from_;
  Clauses clauses_;
  std::vector<ast::ExprPtr> order_;                     // qualified
  std::vector<std::pair<ast::ExprPtr, ExprPtr>> over_;  // calls with OVER, and the columns that they are
};

FiniteRelation FiniteSelect::bind() {
  check_clauses_of(query_);
  check_clause_forms(query_);
  check_finite_forms(query_);
  from_ = open_finite(query_, context_, named_);
  if (sessions_) name_sessions(from_.scope, sessions_->span);
  const Scope& scope = from_.scope;
  ItemNames names(scope);
  clauses_ = read_clauses(input_, from_.scope, names);
  check_clauses(input_, scope, clauses_);
  order_ = read_order(query_, context_, scope, clauses_);
  for (const auto& item : clauses_.items)
    if (has_call_of(context_.functions, item.expr, FunctionKind::table))
      throw SqlError(Code::not_supported, item.expr->span,
                     "Pull queries don't support table functions over joins and subqueries yet.");

  Subqueries subqueries(context_, named_, scope);
  ExprBinder binder(context_, scope);
  filter(subqueries, binder);
  Aggregation aggregation(input_, scope, clauses_);
  if (sessions_) add_sessions();
  if (clauses_.aggregated) group(subqueries, aggregation, binder);
  for (const auto& item : clauses_.items) subqueries.attach(item.expr, from_.node, binder, clauses_.aggregated);
  for (const auto& expr : order_) subqueries.attach(expr, from_.node, binder, clauses_.aggregated);
  subqueries.attach(clauses_.qualify, from_.node, binder, clauses_.aggregated);
  qualify_rows(binder);
  for (const SourceDef* source : subqueries.sources()) add_source(from_.sources, source);
  return {project(binder), std::move(from_.sources)};
}

void FiniteSelect::filter(Subqueries& subqueries, ExprBinder& binder) {
  binder.intercept = [&](const ast::ExprPtr& expr) { return subqueries.find(expr); };
  if (!clauses_.where) return;
  subqueries.attach(clauses_.where, from_.node, binder);
  from_.node = make_node(FilterNode{from_.node, bind_predicate(binder, clauses_.where, from_.scope, "WHERE")});
}

void FiniteSelect::add_sessions() {
  const auto is_bound = [](const ast::Expression& expr) {
    const auto* column = expr.as<ast::ColumnRef>();
    return column != nullptr && (column->name.text == "WINDOWSTART" || column->name.text == "WINDOWEND");
  };
  if (contains(clauses_.where, is_bound))
    throw SqlError(Code::invalid_window, clauses_.where->span, "Sessions are made of the rows that WHERE leaves.")
        .hint("HAVING looks at their bounds");
  std::vector<ast::ExprPtr> keys;
  std::ranges::copy_if(clauses_.group, std::back_inserter(keys),
                       [&](const ast::ExprPtr& expr) { return !is_bound(*expr); });
  planner::add_sessions(from_, keys, *sessions_, context_);
}

/// Each row once for each set of GROUP BY; the keys stand behind its columns.
void FiniteSelect::expand(std::vector<ProjectItem>& keys) {
  const std::size_t width = from_.node->schema.size(), own = keys.size() + 1;
  ExpandNode expand{.input = from_.node, .keys = keys, .sets = clauses_.sets};
  ProjectNode back{nullptr, {}};
  for (std::size_t i = 0; i < width; ++i) {
    const ColumnDef& column = from_.node->schema.columns[i];
    back.items.push_back(
        {ColumnDef{.name = column.name, .type = column.type}, make_column(own + i, column.type, column.name)});
  }
  for (std::size_t k = 0; k < keys.size(); ++k) {
    const Type type = keys[k].column.type;
    back.items.push_back({ColumnDef{.name = fmt::format("MILLRACE_SET_{}", k), .type = type},
                          make_column(k, type, keys[k].column.name)});
    keys[k].expr = make_column(width + k, type, keys[k].column.name);
  }
  back.input = make_node(std::move(expand));
  from_.node = make_node(std::move(back));
}

void FiniteSelect::group(Subqueries& subqueries, Aggregation& aggregation, ExprBinder& binder) {
  BoundPull::Groups groups = aggregation.group(order_);
  const bool sets = !clauses_.sets.empty();
  if (sets) expand(groups.keys);
  GroupNode grouped{.input = from_.node, .keys = groups.keys, .calls = groups.calls, .keep_null = sets};
  grouped.total = std::ranges::find(clauses_.sets, std::size_t{0}) != clauses_.sets.end();
  from_.node = make_node(std::move(grouped));
  binder.intercept = [&](const ast::ExprPtr& expr) {
    ExprPtr known = subqueries.find(expr);
    return known ? known : aggregation.replace_item(expr);
  };
  subqueries.attach(clauses_.having, from_.node, binder, true);
  if (ExprPtr having = aggregation.bind_having([&](const ast::ExprPtr& expr) { return subqueries.find(expr); }))
    from_.node = make_node(FilterNode{from_.node, std::move(having)});
}

/// Each call with OVER becomes a column behind those that are there.
void FiniteSelect::add_over(const ast::ExprPtr& root, ExprBinder& binder) {
  if (!root) return;
  for_each_child(*root, [&](const ast::ExprPtr& child) { add_over(child, binder); });
  const auto same = [&](const auto& known) { return ast::equal(*known.first, *root); };
  if (!is_over(*root) || std::ranges::any_of(over_, same)) return;
  for_each_child(*root, [](const ast::ExprPtr& child) {
    if (contains(child, is_over))
      throw SqlError(Code::invalid_statement, child->span, "Functions with OVER cannot be nested.")
          .hint("compute the inner one in a query in FROM");
  });
  over_function(root, context_);
  const ast::Over& over = *root->as<ast::Call>()->modifiers->over;
  FiniteOverNode node{.input = from_.node, .partition = {}, .order = {}, .calls = {}};
  for (const auto& part : over.partition) node.partition.push_back(bind_item(binder, part, from_.scope));
  for (const auto& item : over.order)
    add_order(node.order, bind_item(binder, item.expr, from_.scope), item.descending, item.nulls_first, item.span);
  node.calls.push_back(
      bind_over_call(root, node.order, binder, from_.scope, context_, fmt::format("MILLRACE_OVER_{}", over_.size())));
  const bool numbers = is_rank(*root) && rank_of(root->as<ast::Call>()->name.text) == RankFunction::row_number;
  if (numbers && !clauses_.aggregated) {
    // Rows of tables that are equal otherwise stand in the order of their keys.
    for (const ScopeSource& source : from_.scope.sources)
      for (const ScopeColumn& column : source.columns)
        if (column.role == ColumnRole::key && source.def->kind == RelationKind::table && is_ordered(column.type))
          add_order(node.order, make_column(column.position, column.type, column.name), false, false, root->span);
  }
  const std::size_t place = from_.node->schema.size();
  const Type type = node.calls.front().call.column.type;
  from_.node = make_node(std::move(node));
  over_.emplace_back(root, make_column(place, type, ast::format(*root)));
}

void FiniteSelect::qualify_rows(ExprBinder& binder) {
  for (const auto& item : clauses_.items) add_over(item.expr, binder);
  for (const auto& expr : order_) add_over(expr, binder);
  add_over(clauses_.qualify, binder);
  binder.intercept = [this, below = binder.intercept](const ast::ExprPtr& expr) {
    const auto known = std::ranges::find_if(over_, [&](const auto& call) { return ast::equal(*call.first, *expr); });
    return known != over_.end() ? known->second : below(expr);
  };
  if (!clauses_.qualify) return;
  from_.node = make_node(FilterNode{from_.node, bind_predicate(binder, clauses_.qualify, from_.scope, "QUALIFY")});
}

NodePtr FiniteSelect::project(ExprBinder& binder) {
  std::vector<ProjectItem> items;
  Schema shown;
  for (const auto& item : clauses_.items) {
    items.push_back(value_item(binder, input_, from_.scope, item));
    shown.columns.push_back(items.back().column);
  }
  check_duplicate_columns(shown, query_.span);
  std::vector<SortKey> sorted = order(binder, items);
  const auto shown_rows = [&](NodePtr input) {
    return make_node(ProjectNode{.input = std::move(input), .items = std::move(items)});
  };
  if (!query_.distinct) return shown_rows(ordered(from_.node, std::move(sorted)));
  NodePtr node = shown_rows(from_.node);
  GroupNode once{.input = nullptr, .keys = column_items(node->schema), .calls = {}, .keep_null = true};
  once.input = std::move(node);
  return ordered(make_node(std::move(once)), std::move(sorted));
}

/// Rows that are equal otherwise stand in the order of what is shown of them, so that pages neither overlap nor skip.
std::vector<SortKey> FiniteSelect::order(ExprBinder& binder, const std::vector<ProjectItem>& items) const {
  std::vector<SortKey> order;
  const auto expr_of = [&](std::size_t item) {
    return query_.distinct ? make_column(item, items[item].column.type, items[item].column.name) : items[item].expr;
  };
  for (std::size_t i = 0; i < order_.size(); ++i) {
    const auto& written = query_.order_by[i];
    const auto shown = std::ranges::find_if(
        clauses_.items, [&](const OutputItem& output) { return ast::equal(*output.expr, *order_[i]); });
    ExprPtr expr = shown == clauses_.items.end() ? bind_item(binder, order_[i], from_.scope)
                                                 : expr_of(static_cast<std::size_t>(shown - clauses_.items.begin()));
    add_order(order, std::move(expr), written.descending, written.nulls_first, written.span);
  }
  if (order.empty()) return order;
  for (std::size_t i = 0; i < items.size(); ++i)
    if (is_ordered(items[i].column.type)) add_order(order, expr_of(i), false, std::nullopt, query_.span);
  return order;
}

NodePtr FiniteSelect::ordered(NodePtr input, std::vector<SortKey> order) const {
  if (order.empty() && !query_.offset && !query_.limit) return input;
  return make_node(
      SortNode{.input = std::move(input), .order = std::move(order), .limit = query_.limit, .offset = query_.offset});
}

}  // namespace

FiniteNames::FiniteNames(const ast::Query& query, const BindContext& context, const FiniteNames* outer)
    : NamedRelations(outer) {
  bind_all(query, context.catalog, [&](const ast::Query& named) { return bind_finite_query(named, context, this); });
}

FiniteRelation bind_finite_query(const ast::Query& query, const BindContext& context, const FiniteNames* named) {
  const FiniteNames names(query, context, named);
  if (!query.branches.empty()) return bind_branches(query, context, &names);
  return FiniteSelect(query, context, &names).bind();
}

bool is_finite_form(const ast::Query& query, const BindContext& context) {
  if (query.emit != ast::Emit::none || !lifts(Lifted::pull_clauses, context.properties)) return false;
  const auto over = [](const ast::SelectItem& item) {
    const auto* plain = std::get_if<ast::SelectExpr>(&item);
    return plain && contains(plain->expr, is_over);
  };
  const auto over_in_order = [](const ast::SortItem& item) { return contains(item.expr, is_over); };
  if (query.qualify || std::ranges::any_of(query.items, over) || std::ranges::any_of(query.order_by, over_in_order))
    return true;
  const ast::From& from = query.from;
  if (query.distinct_on || query.window || from.first.unnest || from.first.window ||
      (query.group_by && query.group_by->kind != ast::GroupingKind::plain))
    return true;
  if (!from.joins.empty() || from.first.query || !query.with.empty() || !query.branches.empty() ||
      !from.first.columns.empty() || find_view(context.catalog, from.first.name))
    return true;
  const auto in_item = [](const ast::SelectItem& item) {
    const auto* plain = std::get_if<ast::SelectExpr>(&item);
    return plain && Subqueries::in(plain->expr);
  };
  const auto in_order = [](const ast::SortItem& item) { return Subqueries::in(item.expr); };
  return Subqueries::in(query.where) || Subqueries::in(query.having) || std::ranges::any_of(query.items, in_item) ||
         std::ranges::any_of(query.order_by, in_order);
}

BoundFinite bind_finite(const ast::Query& query, const BindContext& context) {
  if (!setting_flag(context.properties, "ksql.pull.queries.enable"))
    throw SqlError(Code::not_supported, query.span, "Pull queries are disabled." + pull_help());
  FiniteRelation relation = bind_finite_query(query, context, nullptr);
  return {std::move(relation.root), std::move(relation.sources), query.limit,
          setting_integer(context.properties, "millrace.pull.max.memory.bytes")};
}

}  // namespace millrace::inline planner
