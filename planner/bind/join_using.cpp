#include "planner/bind/join_using.h"

#include <fmt/format.h>

#include <algorithm>

#include "planner/bind/ast_rewrite.h"

namespace millrace::inline planner {
namespace {

[[noreturn]] void fail_using(const ast::Identifier& name, const std::string& message) {
  throw SqlError(Code::invalid_join, name.span, message).hint("ON takes any condition");
}

/// The column among the sources before `index`, as those that were joined by it have it.
SharedColumn& shared_before(const ast::Identifier& name, std::size_t index, Scope& scope) {
  const auto known = scope.shared.find(name.text);
  if (known != scope.shared.end()) return known->second;
  SharedColumn shared;
  for (std::size_t i = 0; i < index; ++i)
    if (scope.sources[i].find(name.text)) shared.aliases.push_back(scope.sources[i].alias);
  if (shared.aliases.empty())
    fail_using(name, fmt::format("USING column {} is in no source left of the JOIN.", name.text));
  if (shared.aliases.size() > 1)
    fail_using(name,
               fmt::format("USING column {} is in {} and in {}.", name.text, shared.aliases[0], shared.aliases[1]));
  shared.value = make_ast_column(shared.aliases.front(), name.text, name.span);
  return scope.shared.emplace(name.text, std::move(shared)).first->second;
}

/// What the column is behind a join.
ast::ExprPtr value_behind(ast::JoinKind kind, const ast::ExprPtr& left, const ast::ExprPtr& right) {
  if (kind == ast::JoinKind::right) return right;
  if (kind != ast::JoinKind::full) return left;
  return make_ast_call("COALESCE", {left, right}, right->span);
}

}  // namespace

ast::ExprPtr using_condition(const ast::JoinedSource& join, std::size_t index, Scope& scope) {
  const ScopeSource& source = scope.sources[index];
  ast::ExprPtr condition;
  for (const ast::Identifier& name : join.columns) {
    if (!source.find(name.text))
      fail_using(name, fmt::format("USING column {} is not in {}.", name.text, source.alias));
    SharedColumn& shared = shared_before(name, index, scope);
    const ast::ExprPtr right = make_ast_column(source.alias, name.text, name.span);
    condition = both_of(condition, make_ast(ast::Comparison{ast::CompareOp::equal, shared.value, right}, name.span));
    shared.value = value_behind(join.kind, shared.value, right);
    shared.aliases.push_back(source.alias);
  }
  return condition;
}

std::optional<ast::Query> with_conditions(const SelectInput& input, Scope& scope) {
  ast::Query query = input.query;
  bool changed = false;
  for (std::size_t i = 0; i < query.from.joins.size(); ++i) {
    ast::JoinedSource& join = query.from.joins[i];
    ast::ExprPtr condition = join.columns.empty() ? nullptr : using_condition(join, i + 1, scope);
    if (join.on || join.source.unnest) continue;
    changed = true;
    join.on = condition ? condition : make_ast(ast::BooleanLiteral{true}, join.span);
  }
  return changed ? std::optional(std::move(query)) : std::nullopt;
}

}  // namespace millrace::inline planner
