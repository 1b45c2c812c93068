#include <algorithm>
#include <numeric>
#include <vector>

#include "exec/data/footprint.h"
#include "exec/operators/batch_ops.h"
#include "exec/operators/finite.h"
#include "exec/operators/lower.h"
#include "exec/operators/picked_rows.h"
#include "exec/operators/row_evaluators.h"
#include "exec/operators/row_order.h"

namespace millrace::inline exec {
namespace {

/// Keeps batches as they are and sorts places in them. With a limit, what can no longer be among the first rows is
/// dropped whenever twice as many have come together.
class SortOperator final : public Operator {
 public:
  SortOperator(const SortNode& node, const LowerContext& lower)
      : context_(lower.context),
        order_(node.order),
        keys_(expressions_of(node.order), *node.input, lower.context.parameters()),
        offset_(static_cast<std::size_t>(node.offset.value_or(0))),
        batches_(node.input->schema) {
    if (node.limit) most_ = offset_ + static_cast<std::size_t>(*node.limit);
  }

  Status on_batch(int, const Batch& in, Emitter& out) override {
    if (order_.empty()) return pass(in, out);
    RowErrors errors;
    sorted_by_.push_back(keys_.evaluate(in, std::nullopt, errors));
    if (errors.count != 0) context_.report(errors, in);
    const std::uint32_t batch = batches_.add(in);
    held_ += footprint(in) + footprint(sorted_by_.back()) + in.rows * sizeof(Pick);
    for (std::uint32_t row = 0; row < in.rows; ++row) picks_.push_back({batch, row});
    if (most_ && picks_.size() >= std::max(2 * *most_, kFewRows)) cut();
    return check_memory(context_, held_);
  }

  Status on_commit(Emitter& out) override {
    if (order_.empty()) return {};
    sort();
    const std::size_t end = std::min(picks_.size(), most_.value_or(picks_.size()));
    for (std::size_t from = std::min(offset_, end); from < end; from += kMaxBatchRows) {
      const std::span<const Pick> part = std::span(picks_).subspan(from, std::min(kMaxBatchRows, end - from));
      if (Status given = out.batch(batches_.rows(part)); !given) return given;
    }
    return {};
  }

  std::size_t held_bytes() const override { return held_; }

 private:
  static constexpr std::size_t kFewRows = 2 * kMaxBatchRows;

  Status pass(const Batch& in, Emitter& out) {
    const std::size_t from = std::min(in.rows, offset_ - std::min(offset_, seen_));
    const std::size_t to = most_ ? std::min(in.rows, *most_ - std::min(*most_, seen_)) : in.rows;
    seen_ += in.rows;
    if (from >= to) return {};
    std::vector<std::uint32_t> wanted(to - from);
    std::iota(wanted.begin(), wanted.end(), static_cast<std::uint32_t>(from));
    return out.batch(gather(in, wanted));
  }

  bool less(const Pick& a, const Pick& b) const {
    const int order = compare_rows(order_, sorted_by_[a.source], a.row, sorted_by_[b.source], b.row);
    if (order != 0) return order < 0;
    // As they came.
    return a.source != b.source ? a.source < b.source : a.row < b.row;
  }
  void sort() {
    const auto by = [this](const Pick& a, const Pick& b) { return less(a, b); };
    if (most_ && *most_ < picks_.size())
      std::partial_sort(picks_.begin(), picks_.begin() + static_cast<std::ptrdiff_t>(*most_), picks_.end(), by);
    else
      std::sort(picks_.begin(), picks_.end(), by);
  }

  /// Leaves the first rows alone, in one batch.
  void cut() {
    sort();
    picks_.resize(*most_);
    std::vector<ColumnPtr> keys;
    for (std::size_t k = 0; k < order_.size(); ++k) {
      std::vector<const Column*> sources;
      for (const auto& sorted : sorted_by_) sources.push_back(sorted[k].get());
      keys.push_back(interleave(order_[k].expr->type, sources, picks_));
    }
    const Batch first = batches_.rows(picks_);
    batches_.clear();
    batches_.add(first);
    held_ = footprint(first) + footprint(keys) + picks_.size() * sizeof(Pick);
    sorted_by_.clear();
    sorted_by_.push_back(std::move(keys));
    for (std::uint32_t row = 0; row < picks_.size(); ++row) picks_[row] = {0, row};
  }

  OperatorContext& context_;
  const std::vector<SortKey> order_;
  RowEvaluators keys_;
  const std::size_t offset_;
  std::optional<std::size_t> most_;  // offset and limit

  KeptBatches batches_;
  std::vector<std::vector<ColumnPtr>> sorted_by_;  // per batch
  std::vector<Pick> picks_;
  std::size_t held_ = 0;
  std::size_t seen_ = 0;  // without an order
};

}  // namespace

MadeOperator make_sort(const SortNode& node, const LowerContext& lower) {
  return std::make_unique<SortOperator>(node, lower);
}

}  // namespace millrace::inline exec
