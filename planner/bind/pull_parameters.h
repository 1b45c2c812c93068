#pragma once

#include <functional>
#include <span>
#include <vector>

#include "planner/bind/binder.h"

namespace millrace::inline planner {

/// The literals of a pull query's WHERE clause that become parameters: those that are compared with a column and whose
/// value says nothing about how the comparison is bound. What a literal stands in otherwise keeps it as it is.
class PullParameters {
 public:
  /// Finds them. `bind` gives the column that a ColumnRef is, typed.
  void lift(const ast::ExprPtr& where, std::span<const Span> liftable,
            const std::function<ExprPtr(const ast::ExprPtr&)>& bind);
  /// The parameter that a literal has become, or null.
  ExprPtr find(const ast::Expression& literal) const;
  const std::vector<PullParameter>& list() const { return list_; }

 private:
  using Literals = std::vector<const ast::Expression*>;
  void visit(const ast::ExprPtr& expr);
  void compare(const ast::ExprPtr& column, const Literals& literals);
  bool is_liftable(const ast::Expression& literal) const;

  std::span<const Span> liftable_;
  const std::function<ExprPtr(const ast::ExprPtr&)>* bind_ = nullptr;
  std::vector<PullParameter> list_;
};

}  // namespace millrace::inline planner
