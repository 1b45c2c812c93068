#include "planner/logical/expr.h"

#include <algorithm>
#include <tuple>

#include "parser/error/ensure.h"

namespace millrace::inline planner {

ExprPtr make_literal(Value value, Type type) {
  auto expr = std::make_shared<Expr>();
  expr->type = std::move(type);
  expr->node = LiteralExpr{std::move(value)};
  return expr;
}

ExprPtr make_column(std::size_t index, Type type, std::string sql) {
  auto expr = std::make_shared<Expr>();
  expr->type = std::move(type);
  expr->node = ColumnExpr{index};
  expr->sql = std::move(sql);
  return expr;
}

namespace {

using Visit = std::function<void(const ExprPtr&)>;

// One overload per shape of children, each calling `f` on a reference to every child pointer in order. Written once for
// reading and for rewriting: E is `T` or `const T`.
template <class F>
struct Children {
  F& f;
  template <class E>
  requires requires(E& e) { e.left; }
  void operator()(E& e) const {
    f(e.left);
    f(e.right);
  }
  template <class E>
  requires(requires(E& e) { e.operand; }) void operator()(E& e) const { f(e.operand); }
  template <class E>
  requires(requires(E& e) { e.arguments; }) void operator()(E& e) const {
    for (auto& child : e.arguments) f(child);
  }
  template <class E>
  requires(requires(E& e) { e.body; }) void operator()(E& e) const { f(e.body); }
  template <class E>
  requires(requires(E& e) { e.pattern; }) void operator()(E& e) const {
    f(e.value);
    f(e.pattern);
  }
  template <class E>
  requires(requires(E& e) {
    e.value;
    e.items;
  }) void
  operator()(E& e) const {
    f(e.value);
    for (auto& child : e.items) f(child);
  }
  template <class E>
  requires(
      requires(E& e) { e.items; } && !requires(E & e) { e.value; }) void
  operator()(E& e) const {
    for (auto& child : e.items) f(child);
  }
  template <class E>
  requires(requires(E& e) { e.whens; }) void operator()(E& e) const {
    for (auto& [condition, result] : e.whens) {
      f(condition);
      f(result);
    }
    if (e.otherwise) f(e.otherwise);
  }
  template <class E>
  requires(requires(E& e) { e.base; }) void operator()(E& e) const {
    f(e.base);
    if constexpr (requires { e.index; }) f(e.index);
  }
  template <class E>
  requires(requires(E& e) { e.entries; }) void operator()(E& e) const {
    for (auto& [key, value] : e.entries) {
      f(key);
      f(value);
    }
  }
  template <class E>
  requires(requires(E& e) { e.fields; }) void operator()(E& e) const {
    for (auto& child : e.fields) f(child);
  }
  void operator()(const LiteralExpr&) const {}
  void operator()(const ColumnExpr&) const {}
  void operator()(const PseudoExpr&) const {}
  void operator()(const ParameterExpr&) const {}
  void operator()(const LambdaParamExpr&) const {}
};

template <class Node, class F>
void each_child(Node& node, F&& f) {
  std::visit([&](auto& e) { Children<F>{f}(e); }, node);
}

// What a node says apart from its children and its type.
struct SameHead {
  template <class T>
  bool operator()(const T&, const T&) const {
    return true;
  }
  template <class A, class B>
  bool operator()(const A&, const B&) const {
    return false;
  }
  bool operator()(const LiteralExpr& a, const LiteralExpr& b) const { return a.value == b.value; }
  bool operator()(const ColumnExpr& a, const ColumnExpr& b) const { return a.index == b.index; }
  bool operator()(const PseudoExpr& a, const PseudoExpr& b) const { return a.column == b.column; }
  bool operator()(const ParameterExpr& a, const ParameterExpr& b) const { return a.index == b.index; }
  bool operator()(const LambdaParamExpr& a, const LambdaParamExpr& b) const { return a.id == b.id; }
  bool operator()(const LambdaExpr& a, const LambdaExpr& b) const { return a.parameters == b.parameters; }
  bool operator()(const CallExpr& a, const CallExpr& b) const {
    return a.function == b.function && a.variant == b.variant;
  }
  bool operator()(const ArithmeticExpr& a, const ArithmeticExpr& b) const { return a.op == b.op; }
  bool operator()(const CompareExpr& a, const CompareExpr& b) const { return a.op == b.op; }
  bool operator()(const LogicalExpr& a, const LogicalExpr& b) const { return a.is_and == b.is_and; }
  bool operator()(const IsNullExpr& a, const IsNullExpr& b) const { return a.negated == b.negated; }
  bool operator()(const InExpr& a, const InExpr& b) const { return a.negated == b.negated; }
  bool operator()(const LikeExpr& a, const LikeExpr& b) const {
    return std::tie(a.escape, a.negated) == std::tie(b.escape, b.negated);
  }
  bool operator()(const CaseExpr& a, const CaseExpr& b) const { return a.whens.size() == b.whens.size(); }
  bool operator()(const FieldExpr& a, const FieldExpr& b) const { return a.field == b.field; }
};

}  // namespace

void for_each_child(const Expr& expr, const Visit& visit) {
  each_child(expr.node, visit);
}

std::vector<ExprPtr> split_conjunction(const ExprPtr& predicate) {
  const auto* logical = predicate->as<LogicalExpr>();
  if (!logical || !logical->is_and) return {predicate};
  std::vector<ExprPtr> parts = split_conjunction(logical->left);
  for (auto& part : split_conjunction(logical->right)) parts.push_back(std::move(part));
  return parts;
}

ExprPtr make_conjunction(const std::vector<ExprPtr>& parts) {
  ExprPtr all = parts.front();
  for (std::size_t i = 1; i < parts.size(); ++i) {
    auto both = std::make_shared<Expr>();
    both->type = Type::boolean();
    both->node = LogicalExpr{.is_and = true, .left = all, .right = parts[i]};
    all = std::move(both);
  }
  return all;
}

ExprPtr map_children(const ExprPtr& expr, const std::function<ExprPtr(const ExprPtr&)>& change) {
  std::shared_ptr<Expr> copy;
  std::size_t position = 0;
  std::vector<ExprPtr> changed;
  bool any = false;
  each_child(expr->node, [&](const ExprPtr& child) {
    changed.push_back(change(child));
    any = any || changed.back() != child;
  });
  if (!any) return expr;
  copy = std::make_shared<Expr>(*expr);
  each_child(copy->node, [&](ExprPtr& child) { child = changed[position++]; });
  return copy;
}

bool equal(const Expr& a, const Expr& b) {
  if (&a == &b) return true;
  if (!(a.type == b.type) || !std::visit(SameHead{}, a.node, b.node)) return false;
  std::vector<const Expr*> left, right;
  each_child(a.node, [&](const ExprPtr& child) { left.push_back(child.get()); });
  each_child(b.node, [&](const ExprPtr& child) { right.push_back(child.get()); });
  return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                    [](const Expr* x, const Expr* y) { return equal(*x, *y); });
}

void collect_columns(const Expr& expr, std::vector<bool>& used) {
  if (const auto* column = expr.as<ColumnExpr>()) {
    ensure(column->index < used.size());
    used[column->index] = true;
  }
  each_child(expr.node, [&](const ExprPtr& child) { collect_columns(*child, used); });
}

void collect_pseudo_columns(const Expr& expr, std::vector<PseudoColumn>& used) {
  if (const auto* pseudo = expr.as<PseudoExpr>()) {
    if (std::find(used.begin(), used.end(), pseudo->column) == used.end()) used.push_back(pseudo->column);
  }
  each_child(expr.node, [&](const ExprPtr& child) { collect_pseudo_columns(*child, used); });
}

ExprPtr remap_columns(const ExprPtr& expr, const std::vector<std::size_t>& mapping) {
  if (const auto* column = expr->as<ColumnExpr>()) {
    const std::size_t index = mapping.at(column->index);
    if (index == column->index) return expr;
    auto copy = std::make_shared<Expr>(*expr);
    copy->node = ColumnExpr{index};
    return copy;
  }
  return map_children(expr, [&](const ExprPtr& child) { return remap_columns(child, mapping); });
}

bool is_constant(const Expr& expr) {
  if (expr.as<ColumnExpr>() || expr.as<PseudoExpr>() || expr.as<ParameterExpr>() || expr.as<LambdaParamExpr>())
    return false;
  if (const auto* call = expr.as<CallExpr>()) {
    if (call->function == nullptr || !call->function->variants[call->variant].deterministic) return false;
  }
  bool constant = true;
  each_child(expr.node, [&](const ExprPtr& child) { constant = constant && is_constant(*child); });
  return constant;
}

}  // namespace millrace::inline planner
