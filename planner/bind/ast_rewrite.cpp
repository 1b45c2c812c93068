#include "planner/bind/ast_rewrite.h"

#include <algorithm>

#include "parser/ast/format.h"

namespace millrace::inline planner {
namespace {

/// Applies a function to every child slot of a node, in source order. The node is a copy that may be changed.
template <class Visit>
struct ChildSlots {
  Visit visit;

  void operator()(auto&) const {}
  void operator()(ast::Unary& n) const { visit(n.operand); }
  void operator()(ast::Binary& n) const { visit(n.left), visit(n.right); }
  void operator()(ast::Comparison& n) const { visit(n.left), visit(n.right); }
  void operator()(ast::Between& n) const { visit(n.value), visit(n.low), visit(n.high); }
  void operator()(ast::In& n) const {
    visit(n.value);
    for (auto& item : n.items) visit(item);
  }
  void operator()(ast::Like& n) const { visit(n.value), visit(n.pattern); }
  void operator()(ast::IsNull& n) const { visit(n.value); }
  void operator()(ast::Case& n) const {
    if (n.operand) visit(n.operand);
    for (auto& when : n.whens) visit(when.condition), visit(when.result);
    if (n.otherwise) visit(n.otherwise);
  }
  void operator()(ast::Cast& n) const { visit(n.operand); }
  void operator()(ast::Call& n) const {
    for (auto& argument : n.arguments) visit(argument);
    if (!n.modifiers) return;
    ast::CallModifiers copy = *n.modifiers;
    const auto sort = [&](std::vector<ast::SortItem>& items) {
      for (auto& item : items) visit(item.expr);
    };
    sort(copy.order_by);
    if (copy.filter) visit(copy.filter);
    if (copy.over) {
      for (auto& expr : copy.over->partition) visit(expr);
      sort(copy.over->order);
    }
    n.modifiers = std::make_shared<const ast::CallModifiers>(std::move(copy));
  }
  void operator()(ast::Lambda& n) const { visit(n.body); }
  void operator()(ast::FieldAccess& n) const { visit(n.base); }
  void operator()(ast::Subscript& n) const { visit(n.base), visit(n.index); }
  void operator()(ast::ArrayConstructor& n) const {
    for (auto& item : n.items) visit(item);
  }
  void operator()(ast::MapConstructor& n) const {
    for (auto& [key, value] : n.entries) visit(key), visit(value);
  }
  void operator()(ast::StructConstructor& n) const {
    for (auto& [name, value] : n.fields) visit(value);
  }
  void operator()(ast::AtTimeZone& n) const { visit(n.value), visit(n.zone); }
};

template <class Visit>
void for_each_slot(ast::Expression& copy, Visit visit) {
  std::visit(ChildSlots<Visit>{visit}, copy.node);
}

}  // namespace

ast::ExprPtr map_children(const ast::ExprPtr& expr, const std::function<ast::ExprPtr(const ast::ExprPtr&)>& change) {
  auto copy = std::make_shared<ast::Expression>(*expr);
  bool changed = false;
  for_each_slot(*copy, [&](ast::ExprPtr& slot) {
    ast::ExprPtr next = change(slot);
    changed = changed || next != slot;
    slot = std::move(next);
  });
  return changed ? copy : expr;
}

void for_each_child(const ast::Expression& expr, const std::function<void(const ast::ExprPtr&)>& visit) {
  ast::Expression copy = expr;
  for_each_slot(copy, [&](const ast::ExprPtr& slot) { visit(slot); });
}

bool contains(const ast::ExprPtr& expr, const std::function<bool(const ast::Expression&)>& test) {
  if (!expr) return false;
  if (test(*expr)) return true;
  bool found = false;
  for_each_child(*expr, [&](const ast::ExprPtr& child) { found = found || contains(child, test); });
  return found;
}

std::vector<ast::ExprPtr> conjuncts_of(const ast::ExprPtr& condition) {
  if (!condition) return {};
  const auto* binary = condition->as<ast::Binary>();
  if (!binary || binary->op != ast::BinaryOp::logical_and) return {condition};
  std::vector<ast::ExprPtr> parts = conjuncts_of(binary->left);
  for (auto& part : conjuncts_of(binary->right)) parts.push_back(std::move(part));
  return parts;
}

ast::ExprPtr both_of(const ast::ExprPtr& all, const ast::ExprPtr& more) {
  if (!all || !more) return all ? all : more;
  return make_ast(ast::Binary{ast::BinaryOp::logical_and, all, more}, more->span);
}

ast::ExprPtr conjunction_of(const std::vector<ast::ExprPtr>& parts) {
  ast::ExprPtr all;
  for (const auto& part : parts) all = both_of(all, part);
  return all;
}

bool among(const std::vector<ast::ExprPtr>& list, const ast::ExprPtr& expr) {
  return std::ranges::any_of(list, [&](const ast::ExprPtr& other) { return ast::equal(*expr, *other); });
}

ast::ExprPtr make_ast(decltype(ast::Expression::node) node, Span span) {
  return std::make_shared<const ast::Expression>(ast::Expression{std::move(node), span});
}

ast::ExprPtr make_ast_call(const std::string& function, std::vector<ast::ExprPtr> arguments, Span span) {
  return make_ast(
      ast::Call{.name = {.text = function, .quoted = false, .span = span}, .arguments = std::move(arguments)}, span);
}

ast::ExprPtr make_ast_column(const std::string& qualifier, const std::string& name, Span span) {
  return make_ast(ast::ColumnRef{ast::Identifier{.text = qualifier, .quoted = false, .span = span},
                                 ast::Identifier{.text = name, .quoted = false, .span = span}},
                  span);
}

ast::CompareOp mirrored(ast::CompareOp op) {
  switch (op) {
    case ast::CompareOp::less:
      return ast::CompareOp::greater;
    case ast::CompareOp::less_equal:
      return ast::CompareOp::greater_equal;
    case ast::CompareOp::greater:
      return ast::CompareOp::less;
    case ast::CompareOp::greater_equal:
      return ast::CompareOp::less_equal;
    default:
      return op;
  }
}

}  // namespace millrace::inline planner
