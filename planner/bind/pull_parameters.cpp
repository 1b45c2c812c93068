#include "planner/bind/pull_parameters.h"

#include <algorithm>

#include "planner/bind/expr_binder.h"

namespace millrace::inline planner {
namespace {

bool names_column(const ast::ExprPtr& expr) {
  return expr->as<ast::ColumnRef>() != nullptr;
}

bool is_number_or_text(const ast::Expression& expr) {
  return expr.as<ast::IntegerLiteral>() || expr.as<ast::BigintLiteral>() || expr.as<ast::DecimalLiteral>() ||
         expr.as<ast::DoubleLiteral>() || expr.as<ast::StringLiteral>();
}

bool bounds_window(const Expr& column) {
  const auto* pseudo = column.as<PseudoExpr>();
  return pseudo != nullptr &&
         (pseudo->column == PseudoColumn::window_start || pseudo->column == PseudoColumn::window_end);
}

/// Whether literals of this kind are compared as values of the column's type, whatever their digits.
bool fits(const ast::Expression& literal, const Expr& column) {
  const bool integer = literal.as<ast::IntegerLiteral>(), bigint = literal.as<ast::BigintLiteral>();
  switch (column.type.kind()) {
    case TypeKind::integer:
      return integer;
    case TypeKind::bigint:
      return integer || bigint || (literal.as<ast::StringLiteral>() && bounds_window(column));
    case TypeKind::double_:
      return integer || bigint || literal.as<ast::DecimalLiteral>() || literal.as<ast::DoubleLiteral>();
    case TypeKind::string:
      return literal.as<ast::StringLiteral>() != nullptr;
    default:
      return false;
  }
}

}  // namespace

void PullParameters::lift(const ast::ExprPtr& where, std::span<const Span> liftable,
                          const std::function<ExprPtr(const ast::ExprPtr&)>& bind) {
  liftable_ = liftable;
  bind_ = &bind;
  if (!liftable.empty()) visit(where);
  bind_ = nullptr;
}

void PullParameters::visit(const ast::ExprPtr& expr) {
  if (const auto* binary = expr->as<ast::Binary>()) {
    if (binary->op != ast::BinaryOp::logical_and && binary->op != ast::BinaryOp::logical_or) return;
    visit(binary->left);
    visit(binary->right);
  } else if (const auto* comparison = expr->as<ast::Comparison>()) {
    if (names_column(comparison->left))
      compare(comparison->left, {comparison->right.get()});
    else if (names_column(comparison->right))
      compare(comparison->right, {comparison->left.get()});
  } else if (const auto* between = expr->as<ast::Between>()) {
    if (names_column(between->value)) compare(between->value, {between->low.get(), between->high.get()});
  } else if (const auto* in = expr->as<ast::In>()) {
    Literals items;
    for (const auto& item : in->items) items.push_back(item.get());
    if (names_column(in->value)) compare(in->value, items);
  }
}

/// All of them or none: the items of a list are bound to one type.
void PullParameters::compare(const ast::ExprPtr& column, const Literals& literals) {
  if (!std::ranges::all_of(literals, [&](const auto* literal) { return is_liftable(*literal); })) return;
  ExprPtr bound;
  try {
    bound = (*bind_)(column);
  } catch (const SqlError&) {
    return;  // it comes again when the predicate is bound
  }
  if (!std::ranges::all_of(literals, [&](const auto* literal) { return fits(*literal, *bound); })) return;
  for (const auto* literal : literals)
    list_.push_back({literal->span, bound->type, literal->as<ast::StringLiteral>() && bounds_window(*bound)});
}

bool PullParameters::is_liftable(const ast::Expression& literal) const {
  return is_number_or_text(literal) && std::ranges::find(liftable_, literal.span.end, &Span::end) != liftable_.end();
}

ExprPtr PullParameters::find(const ast::Expression& literal) const {
  if (list_.empty() || !is_number_or_text(literal)) return nullptr;
  const auto found = std::ranges::find(list_, literal.span.end, [](const auto& p) { return p.literal.end; });
  if (found == list_.end()) return nullptr;
  return make_expr(ParameterExpr{static_cast<std::size_t>(found - list_.begin())}, found->type, literal.span);
}

}  // namespace millrace::inline planner
