#include "planner/bind/windowed_tables.h"

#include <algorithm>

#include "parser/ast/format.h"
#include "planner/bind/ast_rewrite.h"
#include "planner/bind/dialect.h"
#include "planner/bind/expr_binder.h"
#include "planner/bind/select_plan.h"

namespace millrace::inline planner {
namespace {

constexpr std::string_view kStart = "WINDOWSTART", kEnd = "WINDOWEND";

bool is_windowed_table(const ScopeSource& source) {
  return !source.plan && !source.broadcast && source.def->window && source.def->kind == RelationKind::table;
}

/// ON speaks of its windows.
bool names_bounds(const ast::Query& query, const ScopeSource& source) {
  return std::ranges::any_of(query.from.joins, [&](const ast::JoinedSource& join) {
    return join.on && contains(join.on, [&](const ast::Expression& expr) {
             const auto* column = expr.as<ast::ColumnRef>();
             if (!column || (column->name.text != kStart && column->name.text != kEnd)) return false;
             return !column->qualifier || column->qualifier->text == source.alias;
           });
  });
}

bool is_column_of(const ast::ExprPtr& expr, const ScopeSource& source, const ScopeColumn& column) {
  const auto* named = expr->as<ast::ColumnRef>();
  if (!named || named->name.text != column.name) return false;
  return !named->qualifier || named->qualifier->text == source.alias;
}

/// The key columns, without bounds.
std::vector<const ScopeColumn*> own_keys(const ScopeSource& source) {
  std::vector<const ScopeColumn*> keys;
  for (const ScopeColumn& column : source.columns)
    if (column.role == ColumnRole::key && column.name != kStart && column.name != kEnd) keys.push_back(&column);
  return keys;
}

/// ON is the equality of all key columns of two sources with equal windows, in order.
bool meet_as_they_are(const ast::Query& query, const Scope& scope) {
  if (scope.sources.size() != 2) return false;
  const ScopeSource &a = scope.sources[0], &b = scope.sources[1];
  if (!is_windowed_table(a) || !is_windowed_table(b) || !(*a.def->window == *b.def->window)) return false;
  if (a.def->partitions != b.def->partitions || !(a.def->key_format == b.def->key_format)) return false;
  const auto left = own_keys(a), right = own_keys(b);
  const auto parts = conjuncts_of(query.from.joins.front().on);
  if (left.size() != right.size() || parts.size() != left.size()) return false;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto* equal = parts[i]->as<ast::Comparison>();
    if (!equal || equal->op != ast::CompareOp::equal) return false;
    const bool fits = (is_column_of(equal->left, a, *left[i]) && is_column_of(equal->right, b, *right[i])) ||
                      (is_column_of(equal->right, a, *left[i]) && is_column_of(equal->left, b, *right[i]));
    if (!fits || !(left[i]->type == right[i]->type)) return false;
  }
  return true;
}

/// The same rows under their key and the bounds, as a table without windows. No star takes the bounds.
ScopeSource with_bounds(ScopeSource table, bool implied) {
  auto def = std::make_shared<SourceDef>(*table.def);
  if (implied) table.windows = def->window;
  RekeyNode rekey{make_leaf(table), {}, NullKey::keep};
  std::vector<ScopeColumn> columns;
  for (const ScopeColumn* key : own_keys(table)) {
    const ColumnDef column{.name = key->name, .type = key->type, .role = ColumnRole::key};
    rekey.keys.push_back({column, make_column(key->position, key->type, key->name)});
    table.order.push_back(columns.size());
    columns.push_back({key->name, key->type, ColumnRole::key, columns.size()});
  }
  for (const PseudoColumn bound : {PseudoColumn::window_start, PseudoColumn::window_end}) {
    rekey.keys.push_back(bound_item(bound, ColumnRole::key));
    columns.push_back({rekey.keys.back().column.name, Type::bigint(), ColumnRole::key, columns.size()});
  }
  for (const ScopeColumn& column : table.columns) {
    if (column.role == ColumnRole::key) continue;
    table.order.push_back(columns.size());
    columns.push_back({column.name, column.type, column.role, column.position + rekey.keys.size()});
  }
  table.columns = std::move(columns);
  table.plan = make_node(std::move(rekey));
  def->schema = table.plan->schema;
  def->window.reset();
  table.def = def.get();
  table.made = std::move(def);
  return table;
}

bool covers(const ScopeSource& source, const JoinStep& step, ast::ExprPtr JoinEquality::*side) {
  return std::ranges::all_of(own_keys(source), [&](const ScopeColumn* key) {
    const auto named = make_ast_column(source.alias, key->name, {});
    return std::ranges::any_of(step.on, [&](const JoinEquality& on) { return ast::equal(*(on.*side), *named); });
  });
}

}  // namespace

void open_windows(const SelectInput& input, Scope& scope) {
  if (!scope.is_join() || input.final() || !lifts(Lifted::windowed_tables, input.context.properties)) return;
  const ast::Query& query = input.query;
  const auto named = [&](const ScopeSource& source) { return names_bounds(query, source); };
  if (std::ranges::none_of(scope.sources, named) && meet_as_they_are(query, scope)) return;
  for (ScopeSource& source : scope.sources)
    if (is_windowed_table(source)) source = with_bounds(source, !named(source));
}

void imply_windows(const Scope& scope, const ScopeSource& right, JoinStep& step, Span span) {
  if (!right.windows || !covers(right, step, &JoinEquality::right)) return;
  for (const ScopeSource& left : scope.sources) {
    if (&left == &right) return;
    if (!left.windows || !covers(left, step, &JoinEquality::left)) continue;
    for (const std::string_view bound : {kStart, kEnd})
      step.on.push_back({make_ast_column(left.alias, std::string(bound), span),
                         make_ast_column(right.alias, std::string(bound), span)});
    return;
  }
}

}  // namespace millrace::inline planner
