#pragma once

#include <functional>
#include <vector>

#include "parser/ast/expression.h"

namespace millrace::inline planner {

/// A copy of `expr` whose direct children are replaced by `change(child)`; `expr` itself when it has none.
ast::ExprPtr map_children(const ast::ExprPtr& expr, const std::function<ast::ExprPtr(const ast::ExprPtr&)>& change);
/// Calls `visit` on every direct child.
void for_each_child(const ast::Expression& expr, const std::function<void(const ast::ExprPtr&)>& visit);
/// True when `test` holds for the expression or any expression inside it.
bool contains(const ast::ExprPtr& expr, const std::function<bool(const ast::Expression&)>& test);

/// The operands of the AND chain at the top; of nothing, none.
std::vector<ast::ExprPtr> conjuncts_of(const ast::ExprPtr& condition);
/// Both conditions; null stands for none.
ast::ExprPtr both_of(const ast::ExprPtr& all, const ast::ExprPtr& more);
/// Null when there are none.
ast::ExprPtr conjunction_of(const std::vector<ast::ExprPtr>& parts);

/// True when the list has an equal expression.
bool among(const std::vector<ast::ExprPtr>& list, const ast::ExprPtr& expr);

/// The operator with which `b OP a` says what `a op b` says.
ast::CompareOp mirrored(ast::CompareOp op);

ast::ExprPtr make_ast(decltype(ast::Expression::node) node, Span span);
ast::ExprPtr make_ast_call(const std::string& function, std::vector<ast::ExprPtr> arguments, Span span);
ast::ExprPtr make_ast_column(const std::string& qualifier, const std::string& name, Span span);

}  // namespace millrace::inline planner
