#pragma once

#include <memory>
#include <vector>

#include "exec/operators/join_rows.h"

namespace millrace::inline exec {

/// What must hold beside the key for two rows to meet. An operator asks for all pairs that a batch may make, in its
/// order, before it goes through the rows.
class JoinCondition final : private Emitter {
 public:
  /// `condition`: over what `rows` gives.
  JoinCondition(const ExprPtr& condition, OperatorContext& context, JoinRows rows)
      : condition_(condition, context.parameters()), context_(context), pairs_(std::move(rows)) {}

  /// To add pairs to; emptied by `judge`.
  JoinRows& pairs() { return pairs_; }
  Status judge() {
    verdicts_.clear();
    return pairs_.flush(*this);
  }
  /// Of pair number `pair` since the last `judge`.
  bool holds(std::size_t pair) const { return verdicts_[pair] != 0; }

 private:
  Status batch(Batch&& batch) override {
    RowErrors errors;
    condition_.select(batch, errors, selected_);
    const std::size_t first = verdicts_.size();
    verdicts_.resize(first + batch.rows);
    for (const std::uint32_t row : selected_) verdicts_[first + row] = 1;
    if (errors.count != 0) context_.report(errors, batch);
    return {};
  }

  Evaluator condition_;
  OperatorContext& context_;
  JoinRows pairs_;
  std::vector<std::uint8_t> verdicts_;
  std::vector<std::uint32_t> selected_;
};

}  // namespace millrace::inline exec
