#include <algorithm>

#include "exec/operators/batch_ops.h"
#include "exec/operators/lower.h"
#include "exec/operators/parts.h"
#include "exec/operators/windows.h"

namespace millrace::inline exec {
namespace {

/// Gives each row once for every window that it is in, oldest first, with the window's bounds. Both halves of an
/// update go to the windows of each of them.
class RowWindows final : public Operator {
 public:
  RowWindows(const WindowRowsNode& node, const LowerContext& lower) : node_(node), context_(lower.context) {
    if (!node.time.empty()) time_.emplace(node.time[0].expr);
  }

  Status on_batch(int, const Batch& in, Emitter& out) override {
    ColumnPtr times;
    if (time_) {
      RowErrors errors;
      times = time_->evaluate(in, errors);
      if (errors.count != 0) context_.report(errors, in);
    }
    rows_.clear();
    starts_.clear();
    kinds_.clear();
    for (std::uint32_t row = 0; row < in.rows; ++row) {
      if (times && times->is_null(row)) continue;
      const std::int64_t time = times ? times->values<std::int64_t>()[row] : (*in.timestamps)[row];
      if (is_update(in, row) && (!times || !times->is_null(row + 1))) {
        const std::int64_t next = times ? times->values<std::int64_t>()[row + 1] : (*in.timestamps)[row + 1];
        spread_update(row, time, next);
        ++row;
      } else {
        for_each_start(time, [&](std::int64_t start) { add(row, start, in.kind(row)); });
      }
    }
    return give_in_parts(
        rows_.size(), [&](std::size_t row) { return kinds_[row]; },
        [&](std::size_t from, std::size_t to) { return give(in, from, to, out); });
  }

 private:
  template <class F>
  void for_each_start(std::int64_t time, F f) const {
    if (time < 0) return;
    std::int64_t start = first_window_start(time, node_.size_ms, node_.advance_ms);
    for (; start <= time; start += node_.advance_ms)
      if (time < start + node_.size_ms) f(start);
  }
  void add(std::uint32_t row, std::int64_t start, RowKind kind) {
    rows_.push_back(row);
    starts_.push_back(start);
    kinds_.push_back(kind);
  }
  /// Rows `row` and behind it are the same row before and after.
  void spread_update(std::uint32_t row, std::int64_t before, std::int64_t after) {
    const auto in_window = [&](std::int64_t time, std::int64_t start) {
      return time >= 0 && time >= start && time < start + node_.size_ms;
    };
    for_each_start(before, [&](std::int64_t start) {
      if (!in_window(after, start)) return add(row, start, RowKind::remove);
      add(row, start, RowKind::update_before);
      add(row + 1, start, RowKind::update_after);
    });
    for_each_start(after, [&](std::int64_t start) {
      if (!in_window(before, start)) add(row + 1, start, RowKind::insert);
    });
  }
  Status give(const Batch& in, std::size_t from, std::size_t to, Emitter& out) {
    const std::size_t size = to - from;
    Batch made = gather_as(in, std::span(rows_).subspan(from, size), std::span(kinds_).subspan(from, size));
    for (const std::int64_t by : {std::int64_t{0}, node_.size_ms}) {
      auto bound = make_column(Type::bigint(), size);
      for (std::size_t i = from; i < to; ++i) bound->values_mut<std::int64_t>()[i - from] = starts_[i] + by;
      made.columns.push_back(std::move(bound));
    }
    return out.batch(std::move(made));
  }

  const WindowRowsNode& node_;
  OperatorContext& context_;
  std::optional<Evaluator> time_;

  // Scratch.
  std::vector<std::uint32_t> rows_;
  std::vector<std::int64_t> starts_;
  std::vector<RowKind> kinds_;
};

}  // namespace

MadeOperator make_window_rows(const WindowRowsNode& node, const LowerContext& lower) {
  return std::make_unique<RowWindows>(node, lower);
}

}  // namespace millrace::inline exec
