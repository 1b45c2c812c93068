#include "planner/bind/select_clauses.h"

#include <fmt/format.h>

#include <algorithm>

#include "planner/bind/ast_rewrite.h"
#include "planner/bind/expr_binder.h"
#include "planner/bind/macros.h"
#include "planner/bind/select_grouping_sets.h"
#include "planner/bind/select_items.h"
#include "planner/bind/select_joins.h"
#include "planner/bind/select_ranks.h"
#include "planner/catalog/formats.h"

namespace millrace::inline planner {

std::string join_words(const std::vector<std::string>& words, const std::string& last) {
  std::string text;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (i > 0) text += i + 1 == words.size() ? last : ", ";
    text += words[i];
  }
  return text;
}

bool is_call_of(const FunctionCatalog& functions, const ast::Expression& expr, FunctionKind kind) {
  const auto* call = expr.as<ast::Call>();
  const auto* function = call && !call->over() ? functions.find(call->name.text) : nullptr;
  return function && function->kind == kind;
}

bool has_call_of(const FunctionCatalog& functions, const ast::ExprPtr& expr, FunctionKind kind) {
  return contains(expr, [&](const ast::Expression& e) { return is_call_of(functions, e, kind); });
}

bool is_window_bound(const ast::Expression& expr) {
  const auto* column = expr.as<ast::ColumnRef>();
  return column && !column->qualifier && (column->name.text == "WINDOWSTART" || column->name.text == "WINDOWEND");
}

std::vector<const ast::ExprPtr*> Clauses::roots() const {
  std::vector<const ast::ExprPtr*> roots;
  for (const auto& item : items) roots.push_back(&item.expr);
  for (const auto& join : joins) {
    for (const auto& equality : join.on) {
      roots.push_back(&equality.left);
      roots.push_back(&equality.right);
    }
    for (const auto* expr : {&join.rest, &join.as_of, &join.list})
      if (*expr) roots.push_back(expr);
  }
  for (const auto* list : {&group, &partition}) {
    for (const auto& expr : *list) roots.push_back(&expr);
  }
  for (const auto* expr : {&where, &having, &qualify}) {
    if (*expr) roots.push_back(expr);
  }
  return roots;
}

namespace {

/// The same for a call with OVER, whose function is known.
void require_window_function(const ast::Call& call, Span span, const ExprBinder& binder) {
  ast::Call plain = call;
  plain.modifiers = nullptr;
  binder.require_function(plain, span);
}

void check_functions(const SelectInput& input, const Scope& scope, const Clauses& clauses) {
  ExprBinder binder(input.context, scope);
  for (const auto* root : clauses.roots()) {
    // OVER stands in the SELECT list and in QUALIFY.
    const bool windows = root == &clauses.qualify ||
                         std::ranges::any_of(clauses.items, [&](const OutputItem& item) { return root == &item.expr; });
    contains(*root, [&](const ast::Expression& expr) {
      const auto* call = expr.as<ast::Call>();
      if (call && call->over() && windows)
        require_window_function(*call, expr.span, binder);
      else if (call)
        binder.require_function(*call, expr.span);
      return false;
    });
  }
}

/// GROUPING(c) by what it comes to.
ast::ExprPtr replace_grouping(const ast::ExprPtr& expr, const Clauses& clauses) {
  if (!expr) return expr;
  if (ast::ExprPtr made = grouping_call(*expr, clauses)) return made;
  return map_children(expr, [&](const ast::ExprPtr& child) { return replace_grouping(child, clauses); });
}

}  // namespace

Clauses read_clauses(const SelectInput& input, Scope& scope, ItemNames& names) {
  scope.window_aggregation = input.query.window.has_value() && !scope.is_join();
  Clauses clauses;
  if (!input.pull) analyse_joins(input, scope, clauses);
  if (input.query.partition_by) {
    for (const auto& expr : input.query.partition_by->exprs) clauses.partition.push_back(qualify(expr, scope));
  }
  clauses.items = expand_items(input, scope, clauses.partition, names);
  clauses.where = qualify(input.query.where, scope);
  clauses.having = qualify(input.query.having, scope);
  clauses.qualify = qualify(name_items(input.query.qualify, clauses.items, scope), scope);
  if (input.query.group_by) {
    for (const auto& expr : input.query.group_by->exprs) clauses.group.push_back(qualify(expr, scope));
    if (input.query.group_by->kind != ast::GroupingKind::plain)
      read_sets(*input.query.group_by, scope, clauses, !input.pull);
  }
  const auto expand = [&](ast::ExprPtr& expr, const char* clause) {
    if (!clauses.sets.empty()) expr = replace_grouping(expr, clauses);
    expr = expand_aggregates(expr, scope, input.context, clause);
  };
  for (auto& item : clauses.items) expand(item.expr, "SELECT");
  expand(clauses.having, "HAVING");
  expand(clauses.qualify, "QUALIFY");
  const auto aggregate = [&](const ast::ExprPtr& expr) {
    return has_call_of(input.context.functions, expr, FunctionKind::aggregate);
  };
  clauses.aggregated = input.query.group_by.has_value() || aggregate(clauses.having) || aggregate(clauses.qualify) ||
                       std::ranges::any_of(clauses.items, [&](const OutputItem& item) { return aggregate(item.expr); });
  return clauses;
}

void check_clauses(const SelectInput& input, const Scope& scope, const Clauses& clauses) {
  check_item_names(input, scope, clauses);
  // First: SELECT * brings the new key along.
  for (const auto& expr : clauses.partition) check_resolved(expr, scope, "PARTITION BY");
  for (const auto& item : clauses.items) check_resolved(item.expr, scope, "SELECT");
  Scope plain = scope;  // WHERE is applied before windows exist
  plain.window_aggregation = false;
  if (scope.window_aggregation && clauses.where) {
    const bool bound = contains(clauses.where, is_window_bound);
    if (!bound) check_resolved(clauses.where, plain, "WHERE");
  } else {
    check_resolved(clauses.where, plain, "WHERE");
  }
  for (const auto& expr : clauses.group) check_resolved(expr, scope, "GROUP BY");
  check_resolved(clauses.having, scope, "HAVING");
  check_resolved(clauses.qualify, scope, "QUALIFY");
  check_functions(input, scope, clauses);
}

void check_value_formats(const Scope& scope, std::string_view clause, Code code, Span span) {
  std::vector<std::string> names;
  std::string_view format;
  for (const auto& source : scope.sources) {
    const FormatDef* def = find_format(source.def->value_format.name);
    if (!def || !def->for_keys) continue;
    names.push_back(source.def->name);
    format = def->name;
  }
  if (names.empty()) return;
  throw SqlError(
      code, span,
      fmt::format(
          "Source(s) {0} are using the '{1}' value format. This format does not yet support {2}.\nThe {1} format "
          "is primarily intended for use as a key format.",
          join_words(names, ", "), format, clause));
}

ast::Query rewrite_query(const SelectInput& input, const Scope& scope, const Clauses& clauses) {
  ast::Query rewritten = input.query;
  rewritten.items.clear();
  for (const auto& item : clauses.items) {
    rewritten.items.emplace_back(
        ast::SelectExpr{item.expr, ast::Identifier{.text = item.name, .quoted = false, .span = {}}, item.expr->span});
  }
  const auto name_source = [](ast::FromSource& source) {
    if (!source.alias && !source.query) source.alias = source.name;
  };
  name_source(rewritten.from.first);
  for (auto& join : rewritten.from.joins) {
    name_source(join.source);
    join.on = qualify(join.on, scope);
  }
  rewritten.where = clauses.where;
  rewritten.having = clauses.having;
  rewritten.qualify = clauses.qualify;
  if (rewritten.group_by && rewritten.group_by->kind == ast::GroupingKind::plain)
    rewritten.group_by->exprs = clauses.group;
  if (rewritten.partition_by) rewritten.partition_by->exprs = clauses.partition;
  if (rewritten.emit == ast::Emit::none) rewritten.emit = ast::Emit::changes;
  return rewritten;
}

}  // namespace millrace::inline planner
