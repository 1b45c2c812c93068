#include "planner/bind/select_moved.h"

#include "parser/ast/format.h"
#include "planner/bind/ast_rewrite.h"

namespace millrace::inline planner {

bool MovedRows::is_known_column(const ast::Expression& expr) const {
  const auto* column = expr.as<ast::ColumnRef>();
  return column && (column->qualifier || is_window_bound(expr) || scope_.find_synthetic(column->name.text));
}

void MovedRows::collect_pseudo(const ast::ExprPtr& expr, std::vector<PseudoColumn>& used) const {
  if (const ExprPtr taken = below_ ? below_(expr) : nullptr) return collect_pseudo_columns(*taken, used);
  if (!is_known_column(*expr)) {
    for_each_child(*expr, [&](const ast::ExprPtr& child) { collect_pseudo(child, used); });
    return;
  }
  ExprBinder plain(input_.context, scope_);
  collect_pseudo_columns(*plain.bind(expr), used);
}

void MovedRows::keep_pseudo_columns(KeyedPlan& plan, const std::vector<ast::ExprPtr>& exprs) {
  std::vector<PseudoColumn> used;
  for (const auto& expr : exprs) collect_pseudo(expr, used);
  if (plan.node->kind == RelationKind::table && plan.node->window) used.push_back(PseudoColumn::window_start);
  const Schema& schema = plan.node->schema;
  for (const PseudoColumn column : used)
    if (!pseudo_.contains(column)) pseudo_.emplace(column, schema.size() + pseudo_.size());
  if (pseudo_.empty()) return;
  ProjectNode project{.input = plan.node, .items = {}};
  for (std::size_t i = 0; i < schema.size(); ++i) {
    ColumnDef column = schema.columns[i];
    if (column.role != ColumnRole::key) column.role = ColumnRole::value;
    column.header_key.reset();
    project.items.push_back({std::move(column), make_column(i, schema.columns[i].type, schema.columns[i].name)});
  }
  std::vector<ProjectItem> made(pseudo_.size());
  for (const auto& [pseudo, position] : pseudo_)
    made[position - schema.size()] = {
        ColumnDef{.name = std::string(pseudo_column_name(pseudo)), .type = pseudo_column_type(pseudo)},
        make_expr(PseudoExpr{pseudo}, pseudo_column_type(pseudo), {})};
  project.items.insert(project.items.end(), made.begin(), made.end());
  plan.node = make_node(std::move(project));
}

std::optional<std::size_t> MovedRows::place_of(PseudoColumn column) const {
  const auto found = pseudo_.find(column);
  return found == pseudo_.end() ? std::nullopt : std::optional(found->second + moved_);
}

ExprPtr MovedRows::over_rows(const ExprPtr& expr) const {
  if (const auto* column = expr->as<ColumnExpr>()) return make_column(column->index + moved_, expr->type, expr->sql);
  if (const auto* pseudo = expr->as<PseudoExpr>())
    return make_column(pseudo_.at(pseudo->column) + moved_, expr->type, expr->sql);
  return map_children(expr, [&](const ExprPtr& child) { return over_rows(child); });
}

void MovedRows::rekey(KeyedPlan& plan, std::vector<ProjectItem> keys) {
  move(keys.size());
  plan.node = make_node(RekeyNode{plan.node, std::move(keys), NullKey::keep});
}

ExprPtr MovedRows::intercept(const ast::ExprPtr& expr) const {
  for (const Computed& computed : computed_)
    if (ast::equal(*expr, *computed.call)) return make_column(computed.position + moved_, computed.type, "");
  if (ExprPtr taken = below_ ? below_(expr) : nullptr) return over_rows(taken);
  if (!is_known_column(*expr)) return nullptr;
  ExprBinder plain(input_.context, scope_);
  return over_rows(plain.bind(expr));
}

ExprPtr MovedRows::bind(const ast::ExprPtr& expr) const {
  ExprBinder binder(input_.context, scope_);
  binder.intercept = [this](const ast::ExprPtr& node) { return intercept(node); };
  return bind_item(binder, expr, scope_);
}

}  // namespace millrace::inline planner
