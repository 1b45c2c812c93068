#pragma once

#include <optional>

#include "planner/bind/select.h"
#include "planner/bind/select_moved.h"

namespace millrace::inline planner {

/// SELECT DISTINCT ... WITHIN: the first of equal rows that lie near each other in time.
class FirstWithin {
 public:
  FirstWithin(const SelectInput& input, const Scope& scope, const Clauses& clauses)
      : input_(input), scope_(scope), clauses_(clauses) {}

  /// `binder` bound expressions over the plan, and binds them over the rows that are left then.
  void apply(KeyedPlan& plan, ExprBinder& binder);

 private:
  const SelectInput& input_;
  const Scope& scope_;
  const Clauses& clauses_;
  std::optional<MovedRows> rows_;
};

/// SELECT DISTINCT: a table with all columns of `rows` as its key.
BoundSelect distinct_rows(BoundSelect rows);

}  // namespace millrace::inline planner
