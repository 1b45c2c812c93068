#include "planner/bind/subquery_joins.h"

#include <fmt/format.h>

#include <algorithm>

#include "parser/ast/format.h"
#include "planner/bind/ast_rewrite.h"
#include "planner/bind/correlation.h"
#include "planner/bind/select.h"
#include "planner/bind/select_items.h"
#include "planner/bind/select_relations.h"

namespace millrace::inline planner {
namespace {

constexpr std::string_view kRows = "MILLRACE_ROWS";  // how many rows of the subquery have the values

std::string value_name(std::size_t i) {
  return fmt::format("MILLRACE_VALUE_{}", i + 1);
}

ast::Identifier named(std::string_view name) {
  return {.text = std::string(name), .quoted = true, .span = {}};
}

/// [NOT] IN (query), [NOT] EXISTS (query).
struct Membership {
  ast::ExprPtr value;  // null: EXISTS
  const ast::Query* query = nullptr;
  bool negated = false;
};

std::optional<Membership> membership_of(const ast::ExprPtr& part) {
  if (const auto* in = part->as<ast::In>(); in && in->query) return Membership{in->value, in->query.get(), in->negated};
  if (const auto* exists = part->as<ast::Exists>()) return Membership{nullptr, exists->query.get(), false};
  const auto* inverted = part->as<ast::Unary>();
  if (!inverted || inverted->op != ast::UnaryOp::logical_not) return std::nullopt;
  auto inner = membership_of(inverted->operand);
  if (inner) inner->negated = !inner->negated;
  return inner;
}

/// Every place of a query whose expressions may hold subqueries as values.
template <class Query, class F>
void each_place(Query& query, const F& f) {
  for (auto& item : query.items)
    if (auto* single = std::get_if<ast::SelectExpr>(&item)) f(single->expr);
  f(query.where);
  f(query.having);
  for (auto* grouping : {&query.group_by, &query.partition_by})
    if (*grouping)
      for (auto& expr : (*grouping)->exprs) f(expr);
}

/// Joins one subquery after the other to the query around.
class SubqueryJoins {
 public:
  SubqueryJoins(const SelectInput& input, const Scope& scope) : input_(input), scope_(scope), query_(input.query) {}

  ast::Query join() {
    show_items();
    std::vector<ast::ExprPtr> rest;
    for (const auto& part : conjuncts_of(input_.query.where)) {
      const auto membership = membership_of(part);
      if (!membership) {
        rest.push_back(qualify(part, scope_));
        continue;
      }
      ast::ExprPtr lonely = add(*membership, part->span);
      if (lonely) rest.push_back(std::move(lonely));
    }
    query_.where = conjunction_of(rest);
    join_values();
    keep_key();
    return std::move(query_);
  }

 private:
  /// What is grouped in the subquery, and what it must equal in the query around.
  struct Equalities {
    std::vector<ast::ExprPtr> inner, outer;
  };

  void show_items();
  std::string next_alias();
  void join_values();
  ast::ExprPtr value_of(const ast::ExprPtr& expr);
  ast::ExprPtr add_value(const ast::Query& written, Span span);
  ast::ExprPtr add(const Membership& membership, Span span);
  ast::Query groups_of(const Membership& membership, Equalities& equalities) const;
  ast::Query correlated(const Membership& membership, const Scope& inner, Equalities& equalities) const;
  void require_table(const Scope& inner, Span span) const;
  void keep_key();
  bool is_stream() const { return scope_.sources.front().def->kind == RelationKind::stream; }

  const SelectInput& input_;
  const Scope& scope_;
  ast::Query query_;
  std::vector<std::pair<ast::ExprPtr, ast::ExprPtr>> values_;  // subqueries as values, and the columns that they are
  bool moved_ = false;                                         // rows of a stream go where the values of a subquery are
  int joined_ = 0;
};

[[noreturn]] void refuse_subquery(Span span) {
  throw SqlError(Code::not_supported, span,
                 "A correlated subquery needs equality with the outer query here; write a join.")
      .hint("pull queries take any subquery");
}

/// Names and columns of the query as they are without what joins.
void SubqueryJoins::show_items() {
  std::vector<ast::ExprPtr> partition;
  if (input_.query.partition_by)
    for (const auto& expr : input_.query.partition_by->exprs) partition.push_back(qualify(expr, scope_));
  ItemNames names(scope_);
  query_.items.clear();
  for (const OutputItem& item : expand_items(input_, scope_, partition, names))
    query_.items.emplace_back(ast::SelectExpr{item.expr, named(item.name), item.expr->span});
  if (query_.partition_by) query_.partition_by->exprs = partition;
  if (query_.group_by)
    for (auto& expr : query_.group_by->exprs) expr = qualify(expr, scope_);
  query_.having = qualify(query_.having, scope_);
  if (!query_.from.first.alias) query_.from.first.alias = named(scope_.sources.front().alias);
}

void SubqueryJoins::require_table(const Scope& inner, Span span) const {
  for (const ScopeSource& source : inner.sources)
    if (source.def->kind != RelationKind::table)
      throw SqlError(Code::not_supported, span, "The subquery must be a table.")
          .hint("GROUP BY in it, or a table of its rows, makes one of a stream");
}

/// Conditions on the query around become equalities of what is grouped.
ast::Query SubqueryJoins::correlated(const Membership& membership, const Scope& inner, Equalities& equalities) const {
  const Correlation correlation(inner, scope_);
  ast::Query rows = *membership.query;
  std::vector<ast::ExprPtr> own;
  for (const auto& part : conjuncts_of(rows.where)) {
    if (!correlation.reads(part).outer) {
      own.push_back(part);
      continue;
    }
    const auto* equality = part->as<ast::Comparison>();
    if (!equality || equality->op != ast::CompareOp::equal) refuse_subquery(part->span);
    const auto left = correlation.reads(equality->left), right = correlation.reads(equality->right);
    if (left.inner == left.outer || right.inner == right.outer || left.inner == right.inner)
      refuse_subquery(part->span);
    equalities.inner.push_back(left.inner ? equality->left : equality->right);
    equalities.outer.push_back(correlation.rewrite(left.inner ? equality->right : equality->left));
  }
  rows.where = conjunction_of(own);
  return rows;
}

ast::Query SubqueryJoins::groups_of(const Membership& membership, Equalities& equalities) const {
  const ast::Query& written = *membership.query;
  const bool plain = written.branches.empty() && !written.group_by && !written.having && !written.qualify &&
                     !written.window && !written.partition_by && written.with.empty();
  if (written.limit || written.offset || !written.order_by.empty())
    throw SqlError(Code::not_supported, written.span, "ORDER BY and LIMIT are not supported in this subquery.");
  ast::Query groups;
  groups.span = written.span;
  if (plain) {
    const SelectInput inner_input{
        .query = written, .context = input_.context, .sink = {}, .inner = true, .named = input_.named};
    std::vector<const SourceDef*> reads;
    const Scope inner = open_sources(inner_input, reads);
    groups = correlated(membership, inner, equalities);
    const bool aggregated = std::ranges::any_of(written.items, [&](const ast::SelectItem& item) {
      const auto* single = std::get_if<ast::SelectExpr>(&item);
      return single && has_call_of(input_.context.functions, single->expr, FunctionKind::aggregate);
    });
    if (!aggregated) {
      require_table(inner, written.span);
      if (membership.value) {
        const auto* item = written.items.size() == 1 ? std::get_if<ast::SelectExpr>(&written.items.front()) : nullptr;
        if (!item)
          throw SqlError(Code::invalid_statement, written.span, "A subquery behind IN gives one column.")
              .hint("name the column instead of *");
        equalities.inner.push_back(item->expr);
        equalities.outer.push_back(qualify(membership.value, scope_));
      }
      groups.distinct = false;
      return groups;
    }
    if (!equalities.inner.empty()) refuse_subquery(written.span);
  }
  // Any other query: its rows are those of a query within.
  if (!membership.value) refuse_subquery(written.span);
  const BoundSelect bound = bind_inner(written, input_.context, input_.named, false);
  if (bound.root->kind != RelationKind::table)
    throw SqlError(Code::not_supported, written.span, "The subquery must be a table.");
  if (bound.order.size() != 1)
    throw SqlError(Code::invalid_statement, written.span,
                   fmt::format("A subquery behind IN gives one column, not {}.", bound.order.size()));
  groups = {};
  groups.span = written.span;
  groups.from.first.query = std::make_shared<const ast::Query>(written);
  groups.from.first.name.span = written.span;
  groups.from.first.alias = named("MILLRACE_INNER");
  groups.from.first.columns = {named("MILLRACE_COLUMN")};
  equalities.inner.push_back(make_ast_column("MILLRACE_INNER", "MILLRACE_COLUMN", written.span));
  equalities.outer.push_back(qualify(membership.value, scope_));
  return groups;
}

/// The condition that takes the rows that meet none; null: those that meet one are all that is left.
ast::ExprPtr SubqueryJoins::add(const Membership& membership, Span span) {
  if (membership.query->emit != ast::Emit::none)
    throw SqlError(Code::invalid_statement, span, "EMIT is only supported at the end of the whole query.");
  Equalities equalities;
  ast::Query groups = groups_of(membership, equalities);
  if (equalities.inner.empty()) refuse_subquery(span);
  const std::string alias = next_alias();
  groups.items.clear();
  groups.group_by = ast::Grouping{{}, groups.span};
  ast::ExprPtr on;
  for (std::size_t i = 0; i < equalities.inner.size(); ++i) {
    auto& grouped = groups.group_by->exprs;
    const auto known = std::ranges::find_if(
        grouped, [&](const ast::ExprPtr& expr) { return ast::equal(*expr, *equalities.inner[i]); });
    const auto place = static_cast<std::size_t>(known - grouped.begin());
    if (known == grouped.end()) {
      grouped.push_back(equalities.inner[i]);
      groups.items.emplace_back(ast::SelectExpr{equalities.inner[i], named(value_name(place)), span});
    }
    const auto equality = make_ast(
        ast::Comparison{ast::CompareOp::equal, equalities.outer[i], make_ast_column(alias, value_name(place), span)},
        span);
    on = both_of(on, equality);
  }
  const auto count = make_ast(ast::Call{.name = named("COUNT"), .arguments = {}, .star = true}, span);
  groups.items.emplace_back(ast::SelectExpr{count, named(kRows), span});
  // A group of which all rows have gone stays with a count of 0.
  groups.having =
      make_ast(ast::Comparison{ast::CompareOp::greater, count, make_ast(ast::IntegerLiteral{0}, span)}, span);
  ast::JoinedSource join{.kind = membership.negated ? ast::JoinKind::left : ast::JoinKind::inner,
                         .source = {},
                         .within = std::nullopt,
                         .on = on,
                         .span = span};
  join.source.name = {.text = {}, .quoted = false, .span = span};
  join.source.alias = named(alias);
  join.source.query = std::make_shared<const ast::Query>(std::move(groups));
  query_.from.joins.push_back(std::move(join));
  const ScopeSource& first = scope_.sources.front();
  const auto keys = std::ranges::count(first.columns, ColumnRole::key, &ScopeColumn::role);
  const auto* column = equalities.outer.front()->as<ast::ColumnRef>();
  const ScopeColumn* key = column && column->qualifier ? first.find(column->name.text) : nullptr;
  const bool stays = keys == 1 && equalities.outer.size() == 1 && key && key->role == ColumnRole::key;
  moved_ = moved_ || !stays;
  if (!membership.negated) return nullptr;
  return make_ast(ast::IsNull{make_ast_column(alias, std::string(kRows), span), false}, span);
}

std::string SubqueryJoins::next_alias() {
  std::string alias;
  do alias = fmt::format("{}{}", kSubqueryAlias, ++joined_);
  while (scope_.find_source(alias));
  return alias;
}

void SubqueryJoins::join_values() {
  each_place(query_, [this](ast::ExprPtr& expr) { expr = value_of(expr); });
}

ast::ExprPtr SubqueryJoins::value_of(const ast::ExprPtr& expr) {
  if (!expr) return expr;
  const auto* scalar = expr->as<ast::ScalarQuery>();
  if (!scalar) return map_children(expr, [this](const ast::ExprPtr& child) { return value_of(child); });
  const auto known = std::ranges::find_if(values_, [&](const auto& value) { return ast::equal(*value.first, *expr); });
  if (known != values_.end()) return known->second;
  ast::ExprPtr column = add_value(*scalar->query, expr->span);
  values_.emplace_back(expr, column);
  return column;
}

/// The one row that the subquery has, as a table of one group: all rows of the stream meet it.
ast::ExprPtr SubqueryJoins::add_value(const ast::Query& written, Span span) {
  if (!is_stream())
    throw SqlError(Code::not_supported, span, "Write this subquery as a join.")
        .hint("each change of its value would change every row of the table");
  const auto* item = written.items.size() == 1 ? std::get_if<ast::SelectExpr>(&written.items.front()) : nullptr;
  const bool one_row = item && has_call_of(input_.context.functions, item->expr, FunctionKind::aggregate) &&
                       !written.group_by && !written.window && !written.qualify && !written.partition_by &&
                       !written.distinct && written.branches.empty() && !written.limit && !written.offset;
  if (!one_row)
    throw SqlError(Code::not_supported, span,
                   "A subquery used as a value in a query that goes on is an aggregate without GROUP BY.")
        .hint("pull queries take any subquery; otherwise write a join");
  const auto zero = make_ast(ast::IntegerLiteral{0}, span);
  ast::Query row = written;
  row.items = {ast::SelectExpr{zero, named(value_name(0)), span},
               ast::SelectExpr{item->expr, named(value_name(1)), span}};
  row.group_by = ast::Grouping{{zero}, span};
  const std::string alias = next_alias();
  ast::JoinedSource join{
      .kind = ast::JoinKind::left,
      .source = {},
      .within = std::nullopt,
      .on = make_ast(ast::Comparison{ast::CompareOp::equal, zero, make_ast_column(alias, value_name(0), span)}, span),
      .span = span};
  join.source.name = {.text = {}, .quoted = false, .span = span};
  join.source.alias = named(alias);
  join.source.query = std::make_shared<const ast::Query>(std::move(row));
  query_.from.joins.push_back(std::move(join));
  moved_ = true;
  return make_ast_column(alias, value_name(1), span);
}

/// Rows of a stream go back to where their key has them.
void SubqueryJoins::keep_key() {
  if (!is_stream() || !moved_ || query_.group_by || query_.partition_by) return;
  if (scope_.is_join())
    throw SqlError(Code::not_supported, input_.query.span, "A subquery over a join of streams is not supported yet.")
        .hint("put the join into a subquery in FROM");
  ast::Grouping partition{{}, input_.query.span};
  for (const ScopeColumn& column : scope_.sources.front().columns)
    if (column.role == ColumnRole::key)
      partition.exprs.push_back(make_ast_column(scope_.sources.front().alias, column.name, input_.query.span));
  if (partition.exprs.empty()) partition.exprs.push_back(make_ast(ast::NullLiteral{}, input_.query.span));
  query_.partition_by = std::move(partition);
}

}  // namespace

std::optional<ast::Query> join_subqueries(const SelectInput& input, const Scope& scope) {
  const ast::Query& query = input.query;
  const auto is_value = [](const ast::Expression& expr) { return expr.as<ast::ScalarQuery>() != nullptr; };
  const auto parts = conjuncts_of(query.where);
  bool any = std::ranges::any_of(parts, [](const ast::ExprPtr& part) { return membership_of(part).has_value(); });
  each_place(query, [&](const ast::ExprPtr& expr) { any = any || (expr && contains(expr, is_value)); });
  if (!any) return std::nullopt;
  return SubqueryJoins(input, scope).join();
}

}  // namespace millrace::inline planner
