#include "planner/bind/finite_sets.h"

#include <fmt/format.h>

#include <array>

#include "parser/ast/within_from.h"
#include "planner/bind/aggregate_call.h"
#include "planner/bind/ast_rewrite.h"
#include "planner/bind/coercion.h"
#include "planner/bind/finite_from.h"

namespace millrace::inline planner {
namespace {

std::string_view words_of(ast::SetOperation operation) {
  constexpr std::array<std::string_view, 4> kWords = {"UNION ALL", "UNION", "EXCEPT", "INTERSECT"};
  return kWords.at(static_cast<std::size_t>(operation));
}

/// The rows of a branch with the names of the first and types that hold those of all.
NodePtr conform(const NodePtr& branch, const Schema& first, const std::vector<Type>& types) {
  ProjectNode project{branch, {}};
  for (std::size_t i = 0; i < types.size(); ++i) {
    const ColumnDef& from = branch->schema.columns[i];
    project.items.push_back({ColumnDef{.name = first.columns[i].name, .type = types[i]},
                             coerce_element(make_column(i, from.type, from.name), types[i])});
  }
  return make_node(std::move(project));
}

NodePtr each_once(NodePtr rows, std::vector<AggregateCall> calls = {}, std::size_t columns = SIZE_MAX) {
  std::vector<ProjectItem> keys = column_items(rows->schema, columns);
  return make_node(
      GroupNode{.input = std::move(rows), .keys = std::move(keys), .calls = std::move(calls), .keep_null = true});
}

/// Rows with a number behind their columns.
NodePtr numbered(const NodePtr& rows, std::int32_t number) {
  ProjectNode project{rows, column_items(rows->schema)};
  project.items.push_back(
      {ColumnDef{.name = "MILLRACE_SIDE", .type = Type::integer()}, make_literal(Value(number), Type::integer())});
  return make_node(std::move(project));
}

/// EXCEPT, INTERSECT: each row of `left` once that `right` has, or has not. NULLs are equal.
NodePtr compared(const NodePtr& left, const NodePtr& right, bool both, const BindContext& context) {
  const std::size_t width = left->schema.size();
  const Scope scope;
  ExprBinder binder(context, scope);
  binder.intercept = [&](const ast::ExprPtr& expr) {
    return expr->as<ast::ColumnRef>() ? make_column(width, Type::integer(), "MILLRACE_SIDE") : nullptr;
  };
  const auto name = [](const char* text) { return ast::Identifier{.text = text, .quoted = false, .span = {}}; };
  const auto side = make_ast(ast::ColumnRef{std::nullopt, name("MILLRACE_SIDE")}, {});
  const auto call = [&](const char* function, const char* column) {
    return bind_aggregate(make_ast(ast::Call{.name = name(function), .arguments = {side}}, {}), binder, scope, context,
                          column);
  };
  std::vector<AggregateCall> calls{call("MIN", "MILLRACE_LEAST"), call("MAX", "MILLRACE_MOST")};
  const ExprPtr least = make_column(width, calls[0].column.type, calls[0].column.name);
  const ExprPtr most = make_column(width + 1, calls[1].column.type, calls[1].column.name);
  const ExprPtr left_only = make_literal(Value(std::int32_t{0}), Type::integer());
  ExprPtr chosen = both ? make_expr(CompareExpr{CompareOp::not_equal, least, most}, Type::boolean(), {})
                        : make_expr(CompareExpr{CompareOp::equal, most, left_only}, Type::boolean(), {});
  const NodePtr all = make_node(UnionNode{numbered(left, 0), numbered(right, 1)});
  const NodePtr found = make_node(FilterNode{each_once(all, std::move(calls), width), std::move(chosen)});
  return make_node(ProjectNode{found, column_items(found->schema, width)});
}

NodePtr combined(ast::SetOperation operation, const NodePtr& left, const NodePtr& right, const BindContext& context) {
  if (operation == ast::SetOperation::except || operation == ast::SetOperation::intersect)
    return compared(left, right, operation == ast::SetOperation::intersect, context);
  NodePtr both = make_node(UnionNode{left, right});
  return operation == ast::SetOperation::union_all ? both : each_once(std::move(both));
}

FiniteRelation bind_rows(const ast::Query& query, const BindContext& context, const FiniteNames* named) {
  std::vector<FiniteRelation> branches;
  for (std::size_t i = 0; i <= query.branches.size(); ++i) {
    ast::Query branch = i == 0 ? query : *query.branches[i - 1];
    branch.with.clear();
    branch.branches.clear();
    branch.order_by.clear();
    branch.limit.reset();
    branch.offset.reset();
    branches.push_back(bind_finite_query(branch, context, named));
    if (branches.back().root->schema.size() != branches.front().root->schema.size())
      throw SqlError(Code::invalid_statement, branch.span,
                     fmt::format("The branches of {} differ in columns: {} and {}.", words_of(query.combine),
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
    types.push_back(common_type(list, query.branches.front()->span));
  }
  FiniteRelation all;
  for (const auto& branch : branches) {
    NodePtr part = conform(branch.root, first, types);
    all.root = all.root ? combined(query.combine, all.root, part, context) : std::move(part);
    for (const SourceDef* source : branch.sources) add_source(all.sources, source);
  }
  return all;
}

}  // namespace

FiniteRelation bind_branches(const ast::Query& query, const BindContext& context, const FiniteNames* named) {
  if (query.order_by.empty() && !query.limit && !query.offset) return bind_rows(query, context, named);
  ast::Query branches = query;
  branches.order_by.clear();
  branches.limit.reset();
  branches.offset.reset();
  branches.with.clear();
  ast::Query whole = ast::within_from(std::move(branches));
  whole.order_by = query.order_by;
  whole.limit = query.limit;
  whole.offset = query.offset;
  return bind_finite_query(whole, context, named);
}

}  // namespace millrace::inline planner
