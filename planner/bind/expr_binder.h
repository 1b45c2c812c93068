#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "planner/bind/binder.h"
#include "planner/bind/scope.h"

namespace millrace::inline planner {

/// Turns qualified syntax trees into typed expressions over one scope. Throws SqlError (CoercionError for what
/// clauses word as `Invalid Select` / `Invalid Predicate`). One statement, one thread.
class ExprBinder {
 public:
  ExprBinder(const BindContext& context, const Scope& scope) : context_(context), scope_(scope) {}

  /// Asked before every node; what it returns is used instead of binding the node. Aggregates, grouping
  /// expressions and table functions come in this way.
  std::function<ExprPtr(const ast::ExprPtr&)> intercept;

  /// The result may have the null type (a bare NULL).
  ExprPtr bind(const ast::ExprPtr& expr);

  const FunctionDef& require_function(const ast::Call& call, Span span) const;
  /// A call with its variation chosen and its arguments fitted.
  struct BoundCall {
    const FunctionDef* function;
    std::size_t variant;
    std::vector<ExprPtr> arguments;
    std::vector<std::size_t> parameter;
    Type type;
  };
  BoundCall bind_call(const ast::Call& call, Span span);

 private:
  ExprPtr build(const ast::ExprPtr& expr);
  ExprPtr build_column(const ast::ColumnRef& column, Span span);
  ExprPtr build_unary(const ast::Unary& unary, Span span);
  ExprPtr build_binary(const ast::ExprPtr& expr, const ast::Binary& binary);
  ExprPtr build_moved(const ast::ExprPtr& expr, const ast::Binary& binary, const ast::Interval& interval);
  ExprPtr build_arithmetic(ArithmeticOp op, const ast::ExprPtr& expr, ExprPtr left, ExprPtr right);
  ExprPtr build_comparison(const ast::Comparison& comparison, Span span);
  ExprPtr compare(CompareOp op, const ast::ExprPtr& left_ast, const ast::ExprPtr& right_ast, ExprPtr left,
                  ExprPtr right, Span span);
  ExprPtr build_between(const ast::Between& between, Span span);
  ExprPtr build_in(const ast::In& in, Span span);
  ExprPtr build_like(const ast::Like& like, Span span);
  ExprPtr build_case(const ast::Case& branch, Span span);
  ExprPtr build_cast(const ast::Cast& cast, Span span);
  ExprPtr build_field(const ast::FieldAccess& access, Span span);
  ExprPtr build_subscript(const ast::Subscript& subscript, Span span);
  ExprPtr build_array(const ast::ArrayConstructor& array, Span span);
  ExprPtr build_map(const ast::MapConstructor& map, Span span);
  ExprPtr build_struct(const ast::StructConstructor& made, Span span);
  ExprPtr build_scalar_call(const ast::Call& call, Span span);
  BoundCall match_call(const FunctionDef& function, const ast::Call& call, Span span);
  ExprPtr build_macro(const MacroDef& macro, const ast::Call& call, Span span);
  ExprPtr build_lambda(const ast::Lambda& lambda, const TypePattern& pattern, std::map<std::string, Type>& bindings,
                       Span span);
  ExprPtr build_boolean(const ast::ExprPtr& expr);
  std::string show(const ast::ExprPtr& expr) const { return display(expr, scope_); }

  struct Parameter {
    std::string name;
    int id;
    Type type;
  };
  const BindContext& context_;
  const Scope& scope_;
  std::vector<Parameter> parameters_;
  int next_parameter_ = 0;
  /// The macro whose body is built, and what its parameters stand for.
  struct Macro {
    const std::string* name;
    std::map<std::string, ExprPtr> given;
  };
  std::shared_ptr<const Macro> macro_;
};

/// A node with type and place.
template <class Node>
ExprPtr make_expr(Node node, Type type, Span span) {
  auto expr = std::make_shared<Expr>();
  expr->type = std::move(type);
  expr->node = std::move(node);
  expr->span = span;
  return expr;
}

/// Binds a WHERE or HAVING predicate: BOOLEAN or an error worded for the clause.
ExprPtr bind_predicate(ExprBinder& binder, const ast::ExprPtr& expr, const Scope& scope, const std::string& clause);
/// Binds a SELECT item, a key expression or an argument; errors of coercion are worded `Invalid Select: …`.
ExprPtr bind_item(ExprBinder& binder, const ast::ExprPtr& expr, const Scope& scope);

/// The instant that a partial text such as `2020-01` names, in milliseconds; nullopt for bad text.
std::optional<std::int64_t> parse_partial_timestamp(std::string_view text);

}  // namespace millrace::inline planner
