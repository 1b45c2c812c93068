#include "planner/bind/correlation.h"

#include "planner/bind/ast_rewrite.h"

namespace millrace::inline planner {
namespace {

const ScopeSource* owner(const Scope& scope, const ast::ColumnRef& column) {
  if (column.qualifier) return scope.find_source(column.qualifier->text);
  const ScopeSource* found = nullptr;
  for (const ScopeSource& source : scope.sources) {
    if (!source.find(column.name.text) && !source.find_pseudo(column.name.text)) continue;
    if (found) qualify(make_ast(column, column.name.span), scope);  // says that it is ambiguous
    found = &source;
  }
  return found;
}

}  // namespace

Correlation::Correlation(const Scope& inner, const Scope& outer) : inner_(inner), outer_(outer) {
  for (const ScopeSource& source : inner.sources) {
    std::string name = source.alias;
    while (outer.find_source(name) || (name != source.alias && inner.find_source(name))) name += "_";
    names_[source.alias] = name;
  }
}

Correlation::Reads Correlation::reads(const ast::ExprPtr& expr) const {
  Reads found;
  walk(expr, {}, found);
  return found;
}

ast::ExprPtr Correlation::rewrite(const ast::ExprPtr& expr) const {
  Reads found;
  return walk(expr, {}, found);
}

Scope Correlation::both(std::size_t width, bool with_outer) const {
  Scope scope = inner_;
  scope.shift(width);
  for (ScopeSource& source : scope.sources) source.alias = names_.at(source.alias);
  if (with_outer) scope.sources.insert(scope.sources.begin(), outer_.sources.begin(), outer_.sources.end());
  return scope;
}

ast::ExprPtr Correlation::walk(const ast::ExprPtr& expr, const std::set<std::string>& parameters, Reads& found) const {
  if (const auto* column = expr->as<ast::ColumnRef>()) {
    if (!column->qualifier && parameters.contains(column->name.text)) return expr;
    if (const ScopeSource* own = owner(inner_, *column)) {
      found.inner = true;
      return make_ast_column(names_.at(own->alias), column->name.text, expr->span);
    }
    const ScopeSource* around = owner(outer_, *column);
    if (!around) return expr;
    found.outer = true;
    return make_ast_column(around->alias, column->name.text, expr->span);
  }
  std::set<std::string> inside = parameters;
  if (const auto* lambda = expr->as<ast::Lambda>())
    for (const auto& parameter : lambda->parameters) inside.insert(parameter.text);
  return map_children(expr, [&](const ast::ExprPtr& child) { return walk(child, inside, found); });
}

}  // namespace millrace::inline planner
