#pragma once

#include <vector>

#include "planner/bind/select_plan.h"

namespace millrace::inline planner {

/// Table functions of the SELECT list: they become columns behind those of the input, found again by identity.
class TableCalls {
 public:
  TableCalls(const SelectInput& input, Scope& scope, const Clauses& clauses)
      : input_(input), scope_(scope), clauses_(clauses) {}

  void apply(KeyedPlan& plan);
  /// Columns were put in front.
  void shift(std::size_t count) { base_ += count; }
  /// The column of a call; null for every other expression.
  ExprPtr replace(const ast::ExprPtr& expr) const;

 private:
  void collect(const ast::ExprPtr& expr, bool in_case, bool nested);

  const SelectInput& input_;
  Scope& scope_;
  const Clauses& clauses_;
  std::vector<ast::ExprPtr> calls_;  // in order
  std::vector<TableCall> bound_;
  std::size_t base_ = 0;  // position of the first one's column
};

}  // namespace millrace::inline planner
