#pragma once

#include <optional>
#include <vector>

#include "exec/expr/evaluator.h"
#include "planner/logical/plan.h"

namespace millrace::inline exec {

/// Rows whose value columns hold something: not null stream values, not removals without their old row (`has_before`
/// false). Absent: all rows.
std::optional<std::vector<std::uint32_t>> rows_with_value(const Batch& in, bool has_before);

/// Those of items that have one each: what is projected, what rows are sorted by.
template <class Item>
std::vector<ExprPtr> expressions_of(const std::vector<Item>& items) {
  std::vector<ExprPtr> expressions;
  for (const Item& item : items) expressions.push_back(item.expr);
  return expressions;
}

/// Several expressions over one input, where some rows have keys only. On those rows an expression that reads key
/// columns (or none) is still computed; one that reads value or pseudo columns is NULL and does not fail.
class RowEvaluators {
 public:
  RowEvaluators(const std::vector<ExprPtr>& expressions, const PlanNode& input, const ParameterRow* values = nullptr);

  /// One column per expression, each `in.rows` long. `with_value`: as rows_with_value gives it. Rows that failed are
  /// set in `failed` when given.
  std::vector<ColumnPtr> evaluate(const Batch& in, const std::optional<std::vector<std::uint32_t>>& with_value,
                                  RowErrors& errors, Bitmap* failed = nullptr);
  std::size_t size() const { return items_.size(); }

 private:
  struct Item {
    Evaluator evaluator;
    bool reads_values;
  };
  std::vector<Item> items_;
};

}  // namespace millrace::inline exec
