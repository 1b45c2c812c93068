#include "planner/bind/finite_query.h"

#include <fmt/format.h>

#include <algorithm>

#include "parser/ast/format.h"
#include "planner/bind/ast_rewrite.h"
#include "planner/bind/coercion.h"
#include "planner/bind/dialect.h"
#include "planner/bind/finite_from.h"
#include "planner/bind/finite_subqueries.h"
#include "planner/bind/pull_lookups.h"
#include "planner/bind/pull_order.h"
#include "planner/bind/query_forms.h"
#include "planner/bind/select_aggregate.h"
#include "planner/bind/select_items.h"
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
  if (query.window) refuse("WINDOW", query.window->span);
  if (query.partition_by) refuse("PARTITION BY", query.partition_by->span);
  if (query.limit && *query.limit < 0) refuse("negative LIMIT", query.span);
}

/// One SELECT, clause by clause.
class FiniteSelect {
 public:
  FiniteSelect(const ast::Query& query, const BindContext& context, const FiniteNames* named)
      : query_(inline_windows(query)), context_(context), named_(named), input_{query_, context, "", true} {}

  FiniteRelation bind();

 private:
  void filter(Subqueries& subqueries, ExprBinder& binder);
  void group(Subqueries& subqueries, Aggregation& aggregation, ExprBinder& binder);
  void rank(const ast::ExprPtr& root, ExprBinder& binder);
  void qualify_rows(ExprBinder& binder);
  NodePtr project(ExprBinder& binder);
  std::vector<SortKey> order(ExprBinder& binder, const std::vector<ProjectItem>& items) const;
  NodePtr ordered(NodePtr input, std::vector<SortKey> order) const;

  const ast::Query query_;
  const BindContext& context_;
  const FiniteNames* named_;
  SelectInput input_;
  FiniteFrom from_;
  Clauses clauses_;
  std::vector<ast::ExprPtr> order_;                      // qualified
  std::vector<std::pair<ast::ExprPtr, ExprPtr>> ranks_;  // calls with OVER, and the columns that they are
};

FiniteRelation FiniteSelect::bind() {
  check_clauses_of(query_);
  check_clause_forms(query_);
  check_finite_forms(query_);
  from_ = open_finite(query_, context_, named_);
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
  if (contains(clauses_.where, is_rank))
    throw SqlError(Code::invalid_statement, clauses_.where->span, "Ranks cannot be used in WHERE.").hint("use QUALIFY");
  subqueries.attach(clauses_.where, from_.node, binder);
  from_.node = make_node(FilterNode{from_.node, bind_predicate(binder, clauses_.where, from_.scope, "WHERE")});
}

void FiniteSelect::group(Subqueries& subqueries, Aggregation& aggregation, ExprBinder& binder) {
  const BoundPull::Groups groups = aggregation.group(order_);
  from_.node = make_node(GroupNode{.input = from_.node, .keys = groups.keys, .calls = groups.calls});
  binder.intercept = [&](const ast::ExprPtr& expr) {
    ExprPtr known = subqueries.find(expr);
    return known ? known : aggregation.replace_item(expr);
  };
  subqueries.attach(clauses_.having, from_.node, binder, true);
  if (ExprPtr having = aggregation.bind_having([&](const ast::ExprPtr& expr) { return subqueries.find(expr); }))
    from_.node = make_node(FilterNode{from_.node, std::move(having)});
}

/// Each rank becomes a column behind those that are there.
void FiniteSelect::rank(const ast::ExprPtr& root, ExprBinder& binder) {
  if (!root) return;
  for_each_child(*root, [&](const ast::ExprPtr& child) { rank(child, binder); });
  const auto same = [&](const auto& known) { return ast::equal(*known.first, *root); };
  if (!is_rank(*root) || std::ranges::any_of(ranks_, same)) return;
  const auto& call = *root->as<ast::Call>();
  const ast::Over& over = *call.modifiers->over;
  if (over.frame)
    throw SqlError(Code::invalid_statement, over.frame->span, fmt::format("{} takes no frame.", call.name.text));
  FiniteRankNode node{.input = from_.node, .partition = {}, .order = {}, .rank = rank_of(call.name.text)};
  for (const auto& part : over.partition) node.partition.push_back(bind_item(binder, part, from_.scope));
  for (const auto& item : over.order)
    add_order(node.order, bind_item(binder, item.expr, from_.scope), item.descending, item.nulls_first, item.span);
  if (node.rank == RankFunction::row_number && !clauses_.aggregated) {
    // Rows of tables that are equal otherwise stand in the order of their keys.
    for (const ScopeSource& source : from_.scope.sources)
      for (const ScopeColumn& column : source.columns)
        if (column.role == ColumnRole::key && source.def->kind == RelationKind::table && is_ordered(column.type))
          add_order(node.order, make_column(column.position, column.type, column.name), false, false, root->span);
  }
  const std::size_t place = from_.node->schema.size();
  from_.node = make_node(std::move(node));
  ranks_.emplace_back(root, make_column(place, Type::bigint(), ast::format(*root)));
}

void FiniteSelect::qualify_rows(ExprBinder& binder) {
  for (const auto& item : clauses_.items) rank(item.expr, binder);
  for (const auto& expr : order_) rank(expr, binder);
  rank(clauses_.qualify, binder);
  binder.intercept = [this, below = binder.intercept](const ast::ExprPtr& expr) {
    const auto known = std::ranges::find_if(ranks_, [&](const auto& rank) { return ast::equal(*rank.first, *expr); });
    return known != ranks_.end() ? known->second : below(expr);
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

/// The rows of a branch of UNION ALL with the names of the first and types that hold those of all.
NodePtr conform(const NodePtr& branch, const Schema& first, const std::vector<Type>& types) {
  ProjectNode project{branch, {}};
  for (std::size_t i = 0; i < types.size(); ++i) {
    const ColumnDef& from = branch->schema.columns[i];
    project.items.push_back({ColumnDef{.name = first.columns[i].name, .type = types[i]},
                             coerce_element(make_column(i, from.type, from.name), types[i])});
  }
  return make_node(std::move(project));
}

FiniteRelation bind_branches(const ast::Query& query, const BindContext& context, const FiniteNames* named) {
  std::vector<FiniteRelation> branches;
  for (std::size_t i = 0; i <= query.union_all.size(); ++i) {
    ast::Query branch = i == 0 ? query : *query.union_all[i - 1];
    branch.with.clear();
    branch.union_all.clear();
    branch.order_by.clear();
    branch.limit.reset();
    branch.offset.reset();
    branches.push_back(FiniteSelect(branch, context, named).bind());
    if (branches.back().root->schema.size() != branches.front().root->schema.size())
      throw SqlError(Code::invalid_statement, branch.span,
                     fmt::format("The branches of UNION ALL differ in columns: {} and {}.",
                                 branches.front().root->schema.size(), branches.back().root->schema.size()));
  }
  const Schema& first = branches.front().root->schema;
  std::vector<Type> types;
  for (std::size_t i = 0; i < first.size(); ++i) {
    std::vector<ListItem> list;
    for (const auto& branch : branches) {
      const ColumnDef& column = branch.root->schema.columns[i];
      list.push_back({make_column(i, column.type, column.name), column.name});
    }
    types.push_back(common_type(list, query.union_all.front()->span));
  }
  FiniteRelation all;
  for (const auto& branch : branches) {
    NodePtr part = conform(branch.root, first, types);
    all.root = all.root ? make_node(UnionNode{all.root, std::move(part)}) : std::move(part);
    for (const SourceDef* source : branch.sources) add_source(all.sources, source);
  }
  return all;
}

/// ORDER BY and pages of a union are those of a query over it.
FiniteRelation bind_union(const ast::Query& query, const BindContext& context, const FiniteNames* named) {
  if (query.order_by.empty() && !query.limit && !query.offset) return bind_branches(query, context, named);
  ast::Query branches = query;
  branches.order_by.clear();
  branches.limit.reset();
  branches.offset.reset();
  branches.with.clear();
  ast::Query whole;
  whole.items = {ast::SelectStar{std::nullopt, query.span}};
  whole.from.first.query = std::make_shared<const ast::Query>(std::move(branches));
  whole.from.first.name.span = query.span;
  whole.order_by = query.order_by;
  whole.limit = query.limit;
  whole.offset = query.offset;
  whole.span = query.span;
  return FiniteSelect(whole, context, named).bind();
}

bool has_subquery(const ast::ExprPtr& expr) {
  return contains(expr, [](const ast::Expression& node) { return Subqueries::query_of(node) != nullptr; });
}

}  // namespace

FiniteNames::FiniteNames(const ast::Query& query, const BindContext& context, const FiniteNames* outer)
    : NamedRelations(outer) {
  bind_all(query, context.catalog, [&](const ast::Query& named) { return bind_finite_query(named, context, this); });
}

FiniteRelation bind_finite_query(const ast::Query& query, const BindContext& context, const FiniteNames* named) {
  const FiniteNames names(query, context, named);
  if (!query.union_all.empty()) return bind_union(query, context, &names);
  return FiniteSelect(query, context, &names).bind();
}

bool is_finite_form(const ast::Query& query, const BindContext& context) {
  if (query.emit != ast::Emit::none || !lifts(Lifted::pull_clauses, context.properties)) return false;
  const auto ranked = [](const ast::SelectItem& item) {
    const auto* plain = std::get_if<ast::SelectExpr>(&item);
    return plain && contains(plain->expr, is_rank);
  };
  if (query.qualify || std::ranges::any_of(query.items, ranked)) return true;
  const ast::From& from = query.from;
  if (!from.joins.empty() || from.first.query || !query.with.empty() || !query.union_all.empty() ||
      !from.first.columns.empty() || find_view(context.catalog, from.first.name))
    return true;
  const auto in_item = [](const ast::SelectItem& item) {
    const auto* plain = std::get_if<ast::SelectExpr>(&item);
    return plain && has_subquery(plain->expr);
  };
  const auto in_order = [](const ast::SortItem& item) { return has_subquery(item.expr); };
  return has_subquery(query.where) || has_subquery(query.having) || std::ranges::any_of(query.items, in_item) ||
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
