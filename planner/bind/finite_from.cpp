#include "planner/bind/finite_from.h"

#include <fmt/format.h>

#include <algorithm>

#include "planner/bind/ast_rewrite.h"
#include "planner/bind/elements.h"
#include "planner/bind/expr_binder.h"
#include "planner/bind/finite_subqueries.h"
#include "planner/bind/finite_versions.h"
#include "planner/bind/from_windows.h"
#include "planner/bind/join_builder.h"
#include "planner/bind/join_using.h"
#include "planner/bind/select_relations.h"
#include "planner/bind/source_checks.h"
#include "planner/bind/views.h"
#include "planner/logical/parts.h"

namespace millrace::inline planner {
namespace {

[[noreturn]] void refuse_in_pull(std::string_view what, Span span, std::string_view hint) {
  throw SqlError(Code::not_supported, span, fmt::format("{} is not supported in pull queries yet.", what))
      .hint(std::string(hint));
}

constexpr std::string_view kFilterInFrom = "let a query in FROM have a column for it, and compare that";

/// What a relation means for rows that are there. READY and BROADCAST say when and where rows are read: nothing here.
void check_finite_relation(const ast::FromSource& source) {
  const Span span = source.name.span;
  if (source.changes) refuse_in_pull("CHANGES", span, "it is a stream of changes; add EMIT CHANGES");
}

class FromBinder {
 public:
  FromBinder(const ast::Query& query, const BindContext& context, const FiniteNames* named)
      : query_(query), context_(context), named_(named) {}

  FiniteFrom open() {
    from_.scope.functions = &context_.functions;
    if (query_.from.first.unnest)
      add_elements(query_.from.first, ast::JoinKind::inner, nullptr);
    else
      from_.node = open_relation(query_.from.first);
    for (const auto& join : query_.from.joins) add_join(join);
    return std::move(from_);
  }

 private:
  NodePtr open_relation(const ast::FromSource& source);
  ScopeSource open_source(const ast::FromSource& source, NodePtr& node);
  ScopeSource open_query(const FiniteRelation& relation, const ast::FromSource& source, NodePtr& node);
  void rename(const ast::FromSource& source, const std::vector<ast::Identifier>& names, ScopeSource& opened) const;
  NodePtr with_pseudo_columns(const NodePtr& node, ScopeSource& source) const;
  void add_join(const ast::JoinedSource& join);
  void add_elements(const ast::FromSource& source, ast::JoinKind kind, const ast::ExprPtr& condition);
  void add_windows(const ast::Window& window, ScopeSource& opened, NodePtr& node) const;
  ExprPtr bind_condition(const ast::ExprPtr& condition) const;
  ast::ExprPtr take_subqueries(ast::ExprPtr& condition) const;
  void filter_joined(JoinType type, const ast::ExprPtr& condition, FiniteJoinNode& join);
  ast::ExprPtr within(const ast::JoinedSource& join) const;

  const ast::Query& query_;
  const BindContext& context_;
  const FiniteNames* named_;
  FiniteFrom from_;
};

ScopeSource FromBinder::open_source(const ast::FromSource& source, NodePtr& node) {
  const SourceDef& def = require_source(context_.catalog, source.name);
  ScopeSource opened{.alias = source.visible_name().text, .def = &def, .columns = {}, .pseudo_positions = {}};
  for (std::size_t i = 0; i < def.schema.size(); ++i) {
    const auto& column = def.schema.columns[i];
    opened.columns.push_back({column.name, column.type, column.role, i});
  }
  node = make_node(StoreScanNode{.table = def.name, .query = {}, .rows = def.schema, .window_of_rows = def.window});
  if (source.as_of) {
    check_versions(source, def);
    node = make_node(VersionsNode{std::move(node)});
    for (std::size_t at = def.schema.size(); at < node->schema.size(); ++at)
      opened.columns.push_back(
          {node->schema.columns[at].name, node->schema.columns[at].type, ColumnRole::value, at, true});
  }
  add_source(from_.sources, &def);
  return opened;
}

ScopeSource FromBinder::open_query(const FiniteRelation& relation, const ast::FromSource& source, NodePtr& node) {
  auto def = std::make_shared<SourceDef>();
  def->name = source.alias ? source.alias->text : source.query ? "SUBQUERY" : source.name.text;
  def->schema = relation.root->schema;
  ScopeSource opened{.alias = def->name, .columns = {}, .pseudo_positions = {}};
  for (std::size_t i = 0; i < def->schema.size(); ++i) {
    const ColumnDef& column = def->schema.columns[i];
    opened.columns.push_back({column.name, column.type, ColumnRole::value, i});
    opened.order.push_back(i);
  }
  opened.def = def.get();
  opened.made = std::move(def);
  opened.plan = relation.root;
  node = relation.root;
  for (const SourceDef* read : relation.sources) add_source(from_.sources, read);
  return opened;
}

void FromBinder::rename(const ast::FromSource& source, const std::vector<ast::Identifier>& names,
                        ScopeSource& opened) const {
  if (names.empty()) return;
  if (names.size() != opened.columns.size())
    throw SqlError(
        Code::invalid_statement, source.name.span,
        fmt::format("{} names {} columns, but there are {}.", opened.alias, names.size(), opened.columns.size()));
  for (std::size_t i = 0; i < names.size(); ++i) opened.columns[i].name = names[i].text;
}

/// TUMBLE, HOP: how long windows wait for late rows, and are kept, means nothing here.
void FromBinder::add_windows(const ast::Window& window, ScopeSource& opened, NodePtr& node) const {
  ast::Window bounds = window;
  bounds.grace.reset();
  bounds.retention.reset();
  WindowRowsNode rows = spread_rows(opened, bounds, context_);
  rows.input = std::move(node);
  node = make_node(std::move(rows));
  const std::size_t size = node->schema.size();
  for (std::size_t at = size - 2; at < size; ++at) {
    if (opened.plan) opened.order.push_back(opened.columns.size());
    opened.columns.push_back({node->schema.columns[at].name, Type::bigint(), ColumnRole::value, at});
  }
}

/// Pseudo columns stand behind the columns, so that any number of joins may follow; which nobody reads the rules take
/// away.
NodePtr FromBinder::with_pseudo_columns(const NodePtr& node, ScopeSource& source) const {
  ProjectNode project{node, {}};
  for (const auto& column : source.columns)
    project.items.push_back(
        {ColumnDef{.name = column.name, .type = column.type}, make_column(column.position, column.type, column.name)});
  for (const auto pseudo : {PseudoColumn::row_time, PseudoColumn::window_start, PseudoColumn::window_end}) {
    const std::string name(pseudo_column_name(pseudo));
    if (!source.find_pseudo(name)) continue;
    source.pseudo_positions[pseudo] = project.items.size();
    project.items.push_back({ColumnDef{.name = name, .type = pseudo_column_type(pseudo)},
                             make_expr(PseudoExpr{pseudo}, pseudo_column_type(pseudo), query_.span)});
  }
  return make_node(std::move(project));
}

/// Its columns take their places behind those that are there.
NodePtr FromBinder::open_relation(const ast::FromSource& source) {
  check_finite_relation(source);
  NodePtr node;
  const auto* named = named_ && !source.query ? named_->find(source.name.text) : nullptr;
  const ViewDef* view = source.query || named ? nullptr : find_view(context_.catalog, source.name);
  // READY, BROADCAST and names of columns may stand with anything here.
  if (source.as_of) check_reading(source, !from_.node, !source.query && !named && !view);
  ScopeSource opened;
  if (source.query) {
    opened = open_query(bind_finite_query(*source.query, context_, named_), source, node);
  } else if (named) {
    opened = open_query(named->bound, source, node);
    rename(source, named->columns, opened);
  } else if (view) {
    opened = open_query(bind_finite_query(*view->query, context_, nullptr), source, node);
    rename(source, column_names(*view, source.name.span), opened);
  } else {
    opened = open_source(source, node);
  }
  if (source.window) add_windows(*source.window, opened, node);
  rename(source, source.columns, opened);
  Schema shown;
  for (const auto& column : opened.columns) shown.columns.push_back({.name = column.name, .type = column.type});
  check_duplicate_columns(shown, source.name.span);
  if (from_.scope.find_source(opened.alias))
    throw SqlError(Code::invalid_join, source.name.span,
                   fmt::format("{} is used twice: give each occurrence its own alias.", opened.alias));
  node = with_pseudo_columns(node, opened);
  const std::size_t width = from_.node ? from_.node->schema.size() : 0;
  for (auto& column : opened.columns) column.position += width;
  for (auto& [pseudo, position] : opened.pseudo_positions) position += width;
  from_.scope.sources.push_back(std::move(opened));
  return node;
}

/// WITHIN is a condition on times.
ast::ExprPtr FromBinder::within(const ast::JoinedSource& join) const {
  const Span span = join.within->span;
  if (join.within->unbounded) return nullptr;
  if (from_.scope.sources.size() != 2)
    refuse_in_pull("WITHIN behind the first JOIN", span, "compare the ROWTIMEs in ON");
  const auto time = [&](std::size_t source) {
    return make_ast_column(from_.scope.sources[source].alias, "ROWTIME", span);
  };
  const auto moved = [&](ast::BinaryOp op, const ast::Duration& by) {
    return make_ast(ast::Binary{op, time(0), make_ast(ast::BigintLiteral{by.millis}, span)}, span);
  };
  return make_ast(ast::Between{time(1), moved(ast::BinaryOp::subtract, join.within->before),
                               moved(ast::BinaryOp::add, join.within->after), false},
                  span);
}

ExprPtr FromBinder::bind_condition(const ast::ExprPtr& condition) const {
  const ast::ExprPtr on = qualify(condition, from_.scope);
  check_resolved(on, from_.scope, "JOIN ON");
  ExprBinder binder(context_, from_.scope);
  return bind_predicate(binder, on, from_.scope, "JOIN ON");
}

/// Left of them stands one row where nothing else does.
void FromBinder::add_elements(const ast::FromSource& source, ast::JoinKind kind, const ast::ExprPtr& condition) {
  if (!from_.node) from_.node = make_node(OneRowNode{});
  ScopeSource opened = open_elements(source, from_.scope, context_);
  if (from_.scope.find_source(opened.alias))
    throw SqlError(Code::invalid_join, source.name.span,
                   fmt::format("{} is used twice: give each occurrence its own alias.", opened.alias));
  ExprBinder binder(context_, from_.scope);
  const std::size_t width = from_.node->schema.size();
  from_.node = make_node(UnnestNode{from_.node, bind_item(binder, opened.list, from_.scope), element_columns(opened),
                                    kind == ast::JoinKind::left, source.ordinality});
  for (auto& column : opened.columns) column.position += width;
  from_.scope.sources.push_back(std::move(opened));
  if (condition) from_.node = make_node(FilterNode{from_.node, bind_condition(condition)});
}

void FromBinder::add_join(const ast::JoinedSource& join) {
  if (join.source.unnest) return add_elements(join.source, join.kind, condition_of_elements(join));
  NodePtr right = open_relation(join.source);
  const std::size_t width = from_.node->schema.size();
  FiniteJoinNode node{.left = from_.node, .right = std::move(right), .type = join_type_of(join.kind)};
  ast::ExprPtr condition = join.on;
  if (!join.columns.empty()) condition = using_condition(join, from_.scope.sources.size() - 1, from_.scope);
  if (join.within)
    if (const ast::ExprPtr times = within(join))
      condition = make_ast(ast::Binary{ast::BinaryOp::logical_and, condition, times}, join.span);
  const ast::ExprPtr subqueries = take_subqueries(condition);
  if (subqueries && join.nearest) refuse_in_pull("A subquery in ON of ASOF JOIN", subqueries->span, kFilterInFrom);
  if (subqueries && node.type != JoinType::inner) filter_joined(node.type, subqueries, node);
  if (condition) set_condition(node, bind_condition(condition), width);
  if (join.source.as_of) {
    if (subqueries) refuse_in_pull("A subquery in ON of versions", subqueries->span, kFilterInFrom);
    from_.node = meet_versions(std::move(node), join, from_.scope, context_);
    return;
  }
  if (join.nearest) set_nearest(node, width, join.on->span);
  const bool filtered = subqueries && node.type == JoinType::inner;
  from_.node = make_node(std::move(node));
  if (filtered) filter_rows(from_, subqueries, context_, named_, "JOIN ON");
}

/// The parts of a condition that have subqueries, which it loses; null: none has.
ast::ExprPtr FromBinder::take_subqueries(ast::ExprPtr& condition) const {
  if (!Subqueries::in(condition)) return nullptr;
  std::vector<ast::ExprPtr> plain, with;
  for (const auto& part : conjuncts_of(condition)) (Subqueries::in(part) ? with : plain).push_back(part);
  condition = conjunction_of(plain);
  return conjunction_of(with);
}

/// Of an outer join: rows of the side that is not kept whole meet none unless the condition holds for them, as if they
/// were not there.
void FromBinder::filter_joined(JoinType type, const ast::ExprPtr& condition, FiniteJoinNode& join) {
  const std::size_t width = join.left->schema.size();
  FiniteFrom side;
  side.scope.functions = from_.scope.functions;
  const auto last = from_.scope.sources.end() - 1;
  if (type == JoinType::left) {
    side.scope.sources = {*last};
    for (auto& column : side.scope.sources[0].columns) column.position -= width;
    for (auto& [pseudo, position] : side.scope.sources[0].pseudo_positions) position -= width;
  } else if (type == JoinType::right) {
    side.scope.sources.assign(from_.scope.sources.begin(), last);
  }
  const ast::ExprPtr on = qualify(condition, from_.scope);
  const bool reads_other = contains(on, [&](const ast::Expression& expr) {
    const auto* column = expr.as<ast::ColumnRef>();
    return column != nullptr && column->qualifier && !side.scope.find_source(column->qualifier->text);
  });
  if (side.scope.sources.empty() || reads_other)
    refuse_in_pull("A subquery in ON that reads the side of which all rows stay", on->span, kFilterInFrom);
  NodePtr& filtered = type == JoinType::left ? join.right : join.left;
  side.node = filtered;
  filter_rows(side, on, context_, named_, "JOIN ON");
  for (const SourceDef* source : side.sources) add_source(from_.sources, source);
  // What stands for the subqueries ends here: columns of both sides keep their places.
  ProjectNode shown{side.node, column_items(filtered->schema)};
  filtered = make_node(std::move(shown));
}

enum class Side : std::uint8_t { none, left, right, both };

Side side_of(const Expr& expr, std::size_t width, std::size_t all) {
  std::vector<bool> used(all);
  collect_columns(expr, used);
  const auto middle = used.begin() + static_cast<std::ptrdiff_t>(width);
  const bool left = std::find(used.begin(), middle, true) != middle;
  const bool right = std::find(middle, used.end(), true) != used.end();
  return left && right ? Side::both : left ? Side::left : right ? Side::right : Side::none;
}

/// Whether values are equal exactly when their bytes as keys are.
bool is_equal_by_key(const Type& type) {
  return type.kind() == TypeKind::string || type.kind() == TypeKind::boolean || type.kind() == TypeKind::integer ||
         type.kind() == TypeKind::bigint || type.kind() == TypeKind::bytes || type.kind() == TypeKind::decimal ||
         type.kind() == TypeKind::date || type.kind() == TypeKind::time || type.kind() == TypeKind::timestamp;
}

}  // namespace

void set_condition(FiniteJoinNode& join, const ExprPtr& predicate, std::size_t width) {
  const std::size_t all = width + join.right->schema.size();
  for (const ExprPtr& part : split_conjunction(predicate)) {
    const auto* equal = part->as<CompareExpr>();
    if (equal && equal->op == CompareOp::equal && equal->left->type == equal->right->type &&
        is_equal_by_key(equal->left->type)) {
      const Side left = side_of(*equal->left, width, all), right = side_of(*equal->right, width, all);
      if ((left == Side::left && right == Side::right) || (left == Side::right && right == Side::left)) {
        join.left_values.push_back(left == Side::left ? equal->left : equal->right);
        join.right_values.push_back(left == Side::left ? equal->right : equal->left);
        continue;
      }
    }
    join.condition =
        join.condition ? make_expr(LogicalExpr{true, join.condition, part}, Type::boolean(), part->span) : part;
  }
}

void set_nearest(FiniteJoinNode& join, std::size_t width, Span span) {
  const std::size_t all = width + join.right->schema.size();
  const std::vector<ExprPtr> parts = join.condition ? split_conjunction(join.condition) : std::vector<ExprPtr>();
  for (const ExprPtr& part : parts) {
    const auto* compared = part->as<CompareExpr>();
    if (!compared || compared->op == CompareOp::equal || compared->op == CompareOp::not_equal) continue;
    const Side left = side_of(*compared->left, width, all), right = side_of(*compared->right, width, all);
    const bool as_written = left == Side::left && right == Side::right;
    if (!as_written && !(left == Side::right && right == Side::left)) continue;
    if (!join.nearest.empty())
      throw SqlError(Code::invalid_join, span, "ASOF JOIN takes one comparison by order between both sides.")
          .hint("what else rows must be may stand in WHERE");
    const bool left_is_more = compared->op == CompareOp::greater || compared->op == CompareOp::greater_equal;
    join.nearest.push_back({as_written ? compared->right : compared->left, left_is_more == as_written, false});
  }
  if (join.nearest.empty())
    throw SqlError(Code::invalid_join, span, "ASOF JOIN needs a comparison by order (>=, >, <=, <) between both sides.")
        .hint("FROM a ASOF JOIN b ON a.k = b.k AND a.time >= b.time");
}

void add_source(std::vector<const SourceDef*>& sources, const SourceDef* source) {
  if (std::ranges::find(sources, source) == sources.end()) sources.push_back(source);
}

FiniteFrom open_finite(const ast::Query& query, const BindContext& context, const FiniteNames* named) {
  return FromBinder(query, context, named).open();
}

}  // namespace millrace::inline planner
