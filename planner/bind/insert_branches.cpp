#include "planner/bind/insert_branches.h"

#include "planner/bind/ast_rewrite.h"
#include "planner/bind/late_into.h"

namespace millrace::inline planner {
namespace {

/// FALSE where it is NULL.
ast::ExprPtr known(const ast::ExprPtr& condition) {
  const ast::Identifier name{.text = "COALESCE", .quoted = false, .span = condition->span};
  return make_ast(
      ast::Call{.name = name, .arguments = {condition, make_ast(ast::BooleanLiteral{false}, condition->span)}},
      condition->span);
}

/// TRUE where `own` is (null: everywhere) and none of the first `before` conditions. One that is NULL takes no row.
ast::ExprPtr taken(const ast::InsertBranches& insert, std::size_t before, const ast::ExprPtr& own, Span span) {
  if (before == 0) return own;
  ast::Case chosen{.operand = nullptr, .whens = {}, .otherwise = make_ast(ast::BooleanLiteral{own == nullptr}, span)};
  for (std::size_t i = 0; i < before; ++i)
    chosen.whens.push_back({known(insert.branches[i].when), make_ast(ast::BooleanLiteral{false}, span), span});
  if (own) chosen.whens.push_back({known(own), make_ast(ast::BooleanLiteral{true}, span), span});
  return make_ast(std::move(chosen), span);
}

/// The query with the items of one target in place of its own, over the rows that are the target's. What does more than
/// pass on the rows of one source is a query within it.
ast::QueryPtr branch_query(const ast::Query& query, const ast::InsertBranches::Target& into, ast::ExprPtr condition) {
  ast::Query branch;
  branch.span = query.span;
  branch.emit = query.emit;
  const auto* star = query.items.size() == 1 ? std::get_if<ast::SelectStar>(&query.items.front()) : nullptr;
  const bool passes = star && !star->qualifier && query.from.joins.empty() && !query.window && !query.group_by &&
                      !query.partition_by && !query.having && !query.qualify && query.with.empty() &&
                      query.branches.empty() && !query.distinct;
  if (passes) {
    branch.from = query.from;
    branch.where = both_of(query.where, condition);
  } else {
    ast::Query inner = query;
    inner.emit = ast::Emit::none;
    branch.from.first.query = std::make_shared<const ast::Query>(std::move(inner));
    branch.from.first.name.span = query.span;
    branch.where = std::move(condition);
  }
  branch.items = into.items;
  return std::make_shared<const ast::Query>(std::move(branch));
}

}  // namespace

std::vector<ast::InsertSelect> split_branches(const ast::InsertBranches& insert) {
  for_each_late(*insert.query, [](const ast::Identifier& stream) {
    throw SqlError(Code::not_supported, stream.span, "LATE INTO is not supported below INSERT FIRST and INSERT ALL.")
        .hint("make a stream of the query, and insert from that");
  });
  std::vector<ast::InsertSelect> all;
  const auto add = [&](const ast::InsertBranches::Target& into, ast::ExprPtr condition) {
    all.push_back({into.name, {}, branch_query(*insert.query, into, std::move(condition))});
  };
  for (std::size_t i = 0; i < insert.branches.size(); ++i) {
    const auto& branch = insert.branches[i];
    add(branch.into, taken(insert, insert.first ? i : 0, branch.when, branch.into.span));
  }
  if (insert.otherwise) add(*insert.otherwise, taken(insert, insert.branches.size(), nullptr, insert.otherwise->span));
  return all;
}

}  // namespace millrace::inline planner
