#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "exec/data/batch.h"
#include "exec/data/row_errors.h"
#include "exec/expr/frame.h"
#include "planner/logical/expr.h"

namespace millrace::inline exec {

/// A root expression, compiled once into a tree of typed vector kernels. Not thread-safe (it keeps scratch
/// space between batches); one per task.
class Evaluator {
 public:
  /// `values`: of the parameters in it, read whenever it is evaluated; null where there are none.
  explicit Evaluator(const ExprPtr& expr, const ParameterRow* values = nullptr);
  ~Evaluator();
  Evaluator(Evaluator&&) noexcept;
  Evaluator& operator=(Evaluator&&) noexcept;

  /// One value per row of `in`. Rows on which the expression fails are NULL and noted in `errors`. A column
  /// reference returns the batch's own column.
  ColumnPtr evaluate(const Batch& in, RowErrors& errors);
  /// Rows on which a BOOLEAN expression is TRUE, ascending, into `selected` (replaced).
  void select(const Batch& in, RowErrors& errors, std::vector<std::uint32_t>& selected);
  /// As `evaluate`, but the rows that failed (not those that are plainly NULL) are also set in `failed`.
  ColumnPtr evaluate(const Batch& in, RowErrors& errors, Bitmap& failed);

  const Type& type() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Evaluates a constant expression (planner's ConstantEvaluator).
Value evaluate_constant(const Expr& expr);

}  // namespace millrace::inline exec
