#include "planner/bind/from_windows.h"

#include <algorithm>

#include "planner/bind/ast_rewrite.h"
#include "planner/bind/coercion.h"
#include "planner/bind/expr_binder.h"
#include "planner/bind/select_aggregate.h"
#include "planner/bind/select_plan.h"

namespace millrace::inline planner {
namespace {

bool is_bound_of(const ast::Expression& expr, const ast::FromSource& source) {
  const auto* column = expr.as<ast::ColumnRef>();
  if (!column || (column->name.text != "WINDOWSTART" && column->name.text != "WINDOWEND")) return false;
  return !column->qualifier || column->qualifier->text == source.visible_name().text;
}

/// Bounds without qualifiers, as the query's own windows have them.
ast::ExprPtr own_bounds(const ast::ExprPtr& expr, const ast::FromSource& source) {
  if (!expr) return expr;
  if (is_bound_of(*expr, source)) {
    ast::ColumnRef bound = *expr->as<ast::ColumnRef>();
    bound.qualifier.reset();
    return make_ast(std::move(bound), expr->span);
  }
  return map_children(expr, [&](const ast::ExprPtr& child) { return own_bounds(child, source); });
}

void check_spread(const ScopeSource& source, const ast::Window& window) {
  const auto refuse = [&](const char* message, const char* hint) {
    throw SqlError(Code::invalid_window, window.span, message).hint(hint);
  };
  if (window.kind == ast::WindowKind::session)
    refuse("SESSION windows move as rows arrive; group by WINDOWSTART, WINDOWEND.", "GROUP BY both bounds");
  if (source.def->kind == RelationKind::table)
    refuse("A window function in FROM takes a stream.", "WINDOW behind FROM takes tables with windows");
  if (source.def->window) refuse("The rows have windows already.", "group them by WINDOWSTART");
  if (window.on_clock) refuse("ON PROCTIME needs groups: GROUP BY WINDOWSTART, WINDOWEND.", "or leave it out");
  if (window.grace || window.retention)
    refuse("GRACE PERIOD and RETENTION are for groups: GROUP BY WINDOWSTART, WINDOWEND.", "or leave them out");
}

}  // namespace

ExprPtr window_time(const BindContext& context, const ScopeSource& source, const ast::Window& window) {
  Scope scope;
  scope.functions = &context.functions;
  scope.sources.push_back(source);
  const ast::ExprPtr column = qualify(window.on, scope);
  check_resolved(column, scope, "WINDOW");
  ExprBinder binder(context, scope);
  ExprPtr bound = bind_item(binder, column, scope);
  const TypeKind kind = bound->type.kind();
  if (kind != TypeKind::integer && kind != TypeKind::bigint && kind != TypeKind::timestamp)
    throw SqlError(Code::type_mismatch, window.on->span,
                   "A window goes by a BIGINT or a TIMESTAMP, not by " + bound->type.to_string() + ".");
  return kind == TypeKind::integer ? cast_to(bound, Type::bigint()) : bound;
}

std::optional<GroupedByWindow> grouped_by_window(const ast::Query& query) {
  const ast::FromSource& source = query.from.first;
  if (!source.window || !query.from.joins.empty() || query.window || !query.group_by ||
      query.group_by->kind != ast::GroupingKind::plain)
    return std::nullopt;
  const auto bound = [&](const ast::ExprPtr& expr) { return is_bound_of(*expr, source); };
  const auto bounds = std::ranges::count_if(query.group_by->exprs, bound);
  if (bounds == 0 || (bounds == 1 && source.window->kind == ast::WindowKind::session)) return std::nullopt;
  GroupedByWindow made{query, {}};
  made.query.window = source.window;
  made.query.from.first.window.reset();
  for (const auto& expr : query.group_by->exprs) made.keys.push_back(own_bounds(expr, source));
  std::erase_if(made.query.group_by->exprs, bound);
  if (made.query.group_by->exprs.empty()) made.query.group_by.reset();  // one group for each window
  for (auto& item : made.query.items)
    if (auto* single = std::get_if<ast::SelectExpr>(&item)) single->expr = own_bounds(single->expr, source);
  made.query.having = own_bounds(query.having, source);
  made.query.qualify = own_bounds(query.qualify, source);
  return made;
}

WindowRowsNode spread_rows(const ScopeSource& source, const ast::Window& window, const BindContext& context) {
  check_spread(source, window);
  ast::Query of_window;
  of_window.window = window;
  const auto spec = window_spec(of_window, false);
  WindowRowsNode node{.input = nullptr, .size_ms = spec->size_ms, .advance_ms = spec->advance_ms, .time = {}};
  if (window.on) {
    ExprPtr time = window_time(context, source, window);
    node.time.push_back({ColumnDef{.name = "TIME", .type = time->type}, std::move(time)});
  }
  return node;
}

ScopeSource in_windows(const SelectInput& input, ScopeSource source, const ast::Window& window) {
  WindowRowsNode node = spread_rows(source, window, input.context);
  node.input = make_leaf(source);
  if (!source.plan)
    for (std::size_t i = 0; i < source.columns.size(); ++i) source.order.push_back(i);
  source.plan = make_node(std::move(node));
  auto def = std::make_shared<SourceDef>(*source.def);
  def->schema = source.plan->schema;
  const std::size_t size = def->schema.size();
  for (std::size_t at = size - 2; at < size; ++at) {
    // A stream or table has no columns of these names.
    if (!input.persistent()) source.order.push_back(source.columns.size());
    source.columns.push_back({def->schema.columns[at].name, Type::bigint(), ColumnRole::value, at});
  }
  source.def = def.get();
  source.made = std::move(def);
  return source;
}

}  // namespace millrace::inline planner
