#pragma once

#include <span>

#include "planner/logical/expr.h"

namespace millrace::test {

/// Evaluates an expression on one row, over boxes, node by node: slow and obvious. Knows everything but calls, lambdas
/// and pseudo columns.
struct NaiveResult {
  Value value;  // NULL when the row failed
  bool failed = false;
};
NaiveResult evaluate_naively(const Expr& expr, std::span<const Value> row);

}  // namespace millrace::test
