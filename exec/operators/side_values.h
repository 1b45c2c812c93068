#pragma once

#include <span>
#include <vector>

#include "exec/expr/evaluator.h"
#include "exec/state/key_codec.h"

namespace millrace::inline exec {

/// Values of expressions over what a join gives, one column each. Of a row of one input only, the other's columns are
/// not there: no expression reads them.
class SideValues {
 public:
  SideValues(const std::vector<ExprPtr>& values, const ParameterRow* parameters) {
    for (const ExprPtr& value : values) evaluators_.emplace_back(value, parameters);
  }
  /// Replaces `keys` by one per row of `rows`; `whole`, of those: none of the values is NULL.
  void encode(const Batch& over, std::span<const std::uint32_t> rows, RowErrors& errors, KeyBuffer& keys,
              std::vector<std::uint8_t>& whole) {
    columns_.clear();
    for (Evaluator& evaluator : evaluators_) columns_.push_back(evaluator.evaluate(over, errors));
    whole.assign(rows.size(), 1);
    for (const ColumnPtr& column : columns_)
      for (std::size_t i = 0; i < rows.size(); ++i)
        if (column->is_null(rows[i])) whole[i] = 0;
    encode_keys(columns_, rows, {}, keys);
  }

 private:
  std::vector<Evaluator> evaluators_;
  std::vector<ColumnPtr> columns_;
};

}  // namespace millrace::inline exec
