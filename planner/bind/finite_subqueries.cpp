#include "planner/bind/finite_subqueries.h"

#include <fmt/format.h>

#include <algorithm>

#include "planner/bind/ast_rewrite.h"
#include "planner/bind/correlation.h"

namespace millrace::inline planner {
namespace {

[[noreturn]] void refuse_form(Span span) {
  throw SqlError(Code::not_supported, span, "A subquery of this form cannot read columns of the query around it.")
      .hint("write a join with a subquery in FROM");
}

ExprPtr partner_column(const NodePtr& node) {
  const std::size_t last = node->schema.size() - 1;
  return make_column(last, Type::boolean(), node->schema.columns[last].name);
}

ExprPtr when(ExprPtr condition, ExprPtr value, ExprPtr otherwise) {
  const Type type = value->type;
  return make_expr(CaseExpr{{{std::move(condition), std::move(value)}}, std::move(otherwise)}, type, {});
}

}  // namespace

/// One subquery that is being joined to the rows of the query around.
class AttachedQuery {
 public:
  AttachedQuery(Subqueries& all, const ast::ExprPtr& expr, NodePtr& node, const ExprBinder& binder, bool grouped)
      : all_(all),
        expr_(expr),
        in_(expr->as<ast::In>()),
        scalar_(expr->as<ast::ScalarQuery>() != nullptr),
        query_(*Subqueries::query_of(*expr)),
        names_(query_, all.context_, all.named_),
        node_(node),
        outer_(binder),
        grouped_(grouped),
        width_(node->schema.size()) {}

  ExprPtr attach() {
    if (query_.emit != ast::Emit::none)
      throw SqlError(Code::invalid_statement, query_.span, "EMIT is only supported at the end of the whole query.");
    if (!query_.branches.empty()) return attach_relation(query_);
    const FiniteFrom from = open_finite(query_, all_.context_, &names_);
    const Correlation correlation(from.scope, all_.scope_);
    std::vector<ast::ExprPtr> own, shared;
    for (const auto& part : conjuncts_of(query_.where)) (correlation.reads(part).outer ? shared : own).push_back(part);
    if (shared.empty()) return attach_relation(query_);
    check_shared();
    if (scalar_ && is_aggregated()) return attach_groups(correlation, own, shared);
    return attach_rows(correlation, own, shared);
  }

 private:
  FiniteJoinNode make_join(NodePtr right) const {
    return {.left = node_, .right = std::move(right), .type = JoinType::left, .mark = !scalar_, .single = scalar_};
  }
  ExprBinder bind_over(const Scope& scope) const {
    ExprBinder binder(all_.context_, scope);
    binder.intercept = outer_.intercept;
    return binder;
  }
  FiniteRelation relation_of(const ast::Query& query) {
    FiniteRelation relation = bind_finite_query(query, all_.context_, all_.named_);
    for (const SourceDef* source : relation.sources) add_source(all_.sources_, source);
    return relation;
  }
  void check_width(std::size_t columns) const {
    if (columns == 1 || !(in_ || scalar_)) return;
    throw SqlError(
        Code::invalid_statement, query_.span,
        fmt::format("A subquery {} gives one column, not {}.", in_ ? "behind IN" : "used as a value", columns));
  }
  bool is_aggregated() const {
    return std::ranges::any_of(query_.items, [&](const ast::SelectItem& item) {
      const auto* plain = std::get_if<ast::SelectExpr>(&item);
      return plain && has_call_of(all_.context_.functions, plain->expr, FunctionKind::aggregate);
    });
  }
  /// What reads rows of the query around must leave them as they are.
  void check_shared() const {
    const bool plain = !query_.group_by && !query_.having && !query_.qualify && !query_.limit && !query_.offset &&
                       !query_.window && !query_.partition_by && (scalar_ || !is_aggregated());
    if (!plain) refuse_form(query_.span);
  }
  const ast::ExprPtr& only_item() const {
    const auto* item = query_.items.size() == 1 ? std::get_if<ast::SelectExpr>(&query_.items.front()) : nullptr;
    if (!item) {
      check_width(query_.items.size() == 1 ? 2 : query_.items.size());
      refuse_form(query_.span);
    }
    return item->expr;
  }

  ExprPtr attach_relation(const ast::Query& query);
  ExprPtr attach_rows(const Correlation& correlation, const std::vector<ast::ExprPtr>& own,
                      const std::vector<ast::ExprPtr>& shared);
  ExprPtr attach_groups(const Correlation& correlation, const std::vector<ast::ExprPtr>& own,
                        const std::vector<ast::ExprPtr>& shared);

  Subqueries& all_;
  const ast::ExprPtr& expr_;
  const ast::In* in_;
  const bool scalar_;
  const ast::Query& query_;
  const FiniteNames names_;
  NodePtr& node_;
  const ExprBinder& outer_;
  const bool grouped_;
  const std::size_t width_;
};

/// Nothing of the query around is read: the subquery gives the same rows for each of its rows.
ExprPtr AttachedQuery::attach_relation(const ast::Query& query) {
  const FiniteRelation relation = relation_of(query);
  const Schema& schema = relation.root->schema;
  check_width(schema.size());
  FiniteJoinNode join = make_join(relation.root);
  if (in_) {
    Scope scope;
    ScopeSource source{.alias = "SUBQUERY", .columns = {}, .pseudo_positions = {}};
    while (all_.scope_.find_source(source.alias)) source.alias += "_";
    source.columns.push_back({schema.columns[0].name, schema.columns[0].type, ColumnRole::value, width_});
    scope = all_.scope_;
    scope.sources.push_back(source);
    ExprBinder binder = bind_over(scope);
    const auto equality = make_ast(ast::Comparison{ast::CompareOp::equal, in_->value,
                                                   make_ast_column(source.alias, schema.columns[0].name, query_.span)},
                                   expr_->span);
    set_condition(join, binder.bind(equality), width_);
  }
  node_ = make_node(std::move(join));
  if (!scalar_) return partner_column(node_);
  return make_column(width_, schema.columns[0].type, schema.columns[0].name);
}

/// The rows that the subquery reads meet those of the query around.
ExprPtr AttachedQuery::attach_rows(const Correlation& correlation, const std::vector<ast::ExprPtr>& own,
                                   const std::vector<ast::ExprPtr>& shared) {
  ast::Query rows = query_;
  rows.where = conjunction_of(own);
  rows.items = {ast::SelectStar{std::nullopt, query_.span}};
  rows.distinct = false;
  rows.distinct_on.reset();
  rows.order_by.clear();
  FiniteFrom from = open_finite(rows, all_.context_, &names_);
  if (rows.where) filter_rows(from, rows.where, all_.context_, &names_, "WHERE");
  for (const SourceDef* source : from.sources) add_source(all_.sources_, source);
  const Scope scope = correlation.both(width_, !grouped_);
  ExprBinder binder = bind_over(scope);
  FiniteJoinNode join = make_join(from.node);
  for (const auto& part : shared)
    set_condition(join, bind_predicate(binder, correlation.rewrite(part), scope, "WHERE"), width_);
  const ast::ExprPtr item = in_ || scalar_ ? correlation.rewrite(only_item()) : nullptr;
  if (in_)
    set_condition(join, binder.bind(make_ast(ast::Comparison{ast::CompareOp::equal, in_->value, item}, expr_->span)),
                  width_);
  ExprPtr value = scalar_ ? bind_item(binder, item, scope) : nullptr;
  node_ = make_node(std::move(join));
  return scalar_ ? when(partner_column(node_), std::move(value), nullptr) : partner_column(node_);
}

/// An aggregate over the rows that are equal in some values: over groups of these values, and over no rows where there
/// is no such group.
ExprPtr AttachedQuery::attach_groups(const Correlation& correlation, const std::vector<ast::ExprPtr>& own,
                                     const std::vector<ast::ExprPtr>& shared) {
  ast::Query groups = query_, none = query_;
  groups.where = conjunction_of(own);
  groups.order_by.clear();
  none.order_by.clear();
  none.where = make_ast(ast::BooleanLiteral{false}, query_.span);
  groups.items = {
      ast::SelectExpr{only_item(), ast::Identifier{.text = "VALUE", .quoted = true, .span = {}}, query_.span}};
  groups.group_by = ast::Grouping{{}, query_.span};
  std::vector<ast::ExprPtr> around;
  for (const auto& part : shared) {
    const auto* equality = part->as<ast::Comparison>();
    if (!equality || equality->op != ast::CompareOp::equal) refuse_form(part->span);
    const auto left = correlation.reads(equality->left), right = correlation.reads(equality->right);
    if (left.inner == left.outer || right.inner == right.outer || left.inner == right.inner) refuse_form(part->span);
    const auto& key = left.inner ? equality->left : equality->right;
    around.push_back(correlation.rewrite(left.inner ? equality->right : equality->left));
    const std::string name = fmt::format("KEY_{}", around.size());
    groups.items.emplace_back(
        ast::SelectExpr{key, ast::Identifier{.text = name, .quoted = true, .span = {}}, key->span});
    if (!among(groups.group_by->exprs, key)) groups.group_by->exprs.push_back(key);
  }
  const NodePtr grouped = relation_of(groups).root, empty = relation_of(none).root;
  Scope scope = grouped_ ? Scope{} : all_.scope_;
  ScopeSource source{.alias = "SUBQUERY", .columns = {}, .pseudo_positions = {}};
  while (all_.scope_.find_source(source.alias)) source.alias += "_";
  for (std::size_t i = 0; i < grouped->schema.size(); ++i)
    source.columns.push_back(
        {grouped->schema.columns[i].name, grouped->schema.columns[i].type, ColumnRole::value, width_ + i});
  scope.sources.push_back(source);
  scope.functions = all_.scope_.functions;
  ExprBinder binder = bind_over(scope);
  FiniteJoinNode join = make_join(grouped);
  for (std::size_t i = 0; i < around.size(); ++i) {
    const auto key = make_ast_column(source.alias, fmt::format("KEY_{}", i + 1), shared[i]->span);
    set_condition(join, binder.bind(make_ast(ast::Comparison{ast::CompareOp::equal, around[i], key}, shared[i]->span)),
                  width_);
  }
  node_ = make_node(std::move(join));
  ExprPtr partner = partner_column(node_);
  ExprPtr found = make_column(width_, grouped->schema.columns[0].type, "VALUE");
  const std::size_t at = node_->schema.size();
  node_ = make_node(make_join(empty));
  ExprPtr otherwise = make_column(at, empty->schema.columns[0].type, "VALUE");
  return when(std::move(partner), std::move(found), std::move(otherwise));
}

const ast::Query* Subqueries::query_of(const ast::Expression& expr) {
  if (const auto* in = expr.as<ast::In>()) return in->query.get();
  if (const auto* exists = expr.as<ast::Exists>()) return exists->query.get();
  if (const auto* scalar = expr.as<ast::ScalarQuery>()) return scalar->query.get();
  return nullptr;
}

bool Subqueries::in(const ast::ExprPtr& expr) {
  return contains(expr, [](const ast::Expression& node) { return query_of(node) != nullptr; });
}

void Subqueries::attach(const ast::ExprPtr& root, NodePtr& node, const ExprBinder& binder, bool grouped) {
  if (!root) return;
  for_each_child(*root, [&](const ast::ExprPtr& child) { attach(child, node, binder, grouped); });
  const ast::Query* query = query_of(*root);
  if (!query || known_.contains(query)) return;
  ExprPtr stands = AttachedQuery(*this, root, node, binder, grouped).attach();
  known_[query] = std::move(stands);
}

ExprPtr Subqueries::find(const ast::ExprPtr& expr) const {
  const ast::Query* query = query_of(*expr);
  const auto known = query ? known_.find(query) : known_.end();
  if (known == known_.end()) return nullptr;
  const auto* in = expr->as<ast::In>();
  return in && in->negated ? make_expr(NotExpr{known->second}, Type::boolean(), expr->span) : known->second;
}

void filter_rows(FiniteFrom& from, const ast::ExprPtr& condition, const BindContext& context, const FiniteNames* named,
                 const char* clause) {
  const ast::ExprPtr where = qualify(condition, from.scope);
  check_resolved(where, from.scope, clause);
  Subqueries within(context, named, from.scope);
  ExprBinder binder(context, from.scope);
  binder.intercept = [&](const ast::ExprPtr& expr) { return within.find(expr); };
  within.attach(where, from.node, binder);
  for (const SourceDef* source : within.sources()) add_source(from.sources, source);
  from.node = make_node(FilterNode{from.node, bind_predicate(binder, where, from.scope, clause)});
}

}  // namespace millrace::inline planner
