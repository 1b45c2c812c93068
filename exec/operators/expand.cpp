#include "exec/operators/batch_ops.h"
#include "exec/operators/lower.h"
#include "exec/operators/parts.h"
#include "exec/operators/row_evaluators.h"

namespace millrace::inline exec {
namespace {

/// Gives each row once for each set of grouping expressions, in the order of the sets.
class Expand final : public Operator {
 public:
  Expand(const ExpandNode& node, const LowerContext& lower)
      : node_(node), context_(lower.context), keys_(expressions_of(node.keys), *node.input) {}

  Status on_batch(int, const Batch& in, Emitter& out) override {
    RowErrors errors;
    const std::vector<ColumnPtr> keys = keys_.evaluate(in, std::nullopt, errors);
    if (errors.count != 0) context_.report(errors, in);
    rows_.clear();
    sets_.clear();
    kinds_.clear();
    for (std::uint32_t row = 0; row < in.rows; row += run_of(in, row)) give_run(in, row, run_of(in, row), keys);
    return give_in_parts(
        rows_.size(), [&](std::size_t row) { return kinds_[row]; },
        [&](std::size_t from, std::size_t to) { return give(in, keys, from, to, out); });
  }

 private:
  /// Rows that go together.
  static std::uint32_t run_of(const Batch& in, std::uint32_t row) {
    return in.kind(row) == RowKind::update_before && row + 1 < in.rows ? 2 : 1;
  }
  void give_run(const Batch& in, std::uint32_t row, std::uint32_t run, const std::vector<ColumnPtr>& keys) {
    for (const std::size_t set : node_.sets) {
      const std::size_t first = rows_.size();
      for (std::uint32_t at = row; at < row + run; ++at) {
        if (!is_whole(in, at, set, keys)) continue;
        rows_.push_back(at);
        sets_.push_back(set);
        kinds_.push_back(in.kind(at));
      }
      // Half of an update that is not in the set: the other half is a removal or an insert.
      if (run == 2 && rows_.size() == first + 1)
        kinds_.back() = kinds_.back() == RowKind::update_before ? RowKind::remove : RowKind::insert;
    }
  }
  static bool is_whole(const Batch& in, std::uint32_t row, std::size_t set, const std::vector<ColumnPtr>& keys) {
    bool whole = !in.null_values.test(row);
    for (std::size_t k = 0; k < keys.size(); ++k) whole = whole && !((set >> k & 1) != 0 && keys[k]->is_null(row));
    return whole;
  }
  Status give(const Batch& in, const std::vector<ColumnPtr>& keys, std::size_t from, std::size_t to, Emitter& out) {
    const std::size_t size = to - from;
    Batch made = gather_as(in, std::span(rows_).subspan(from, size), std::span(kinds_).subspan(from, size));
    std::vector<ColumnPtr> own;
    std::vector<Pick> picks(size);
    for (std::size_t k = 0; k < keys.size(); ++k) {
      for (std::size_t i = from; i < to; ++i) picks[i - from] = (sets_[i] >> k & 1) != 0 ? Pick{0, rows_[i]} : Pick{};
      const Column* const source = keys[k].get();
      own.push_back(interleave(source->type, {&source, 1}, picks));
    }
    auto lacks = make_column(Type::bigint(), size);
    const std::size_t all = (std::size_t{1} << keys.size()) - 1;
    for (std::size_t i = from; i < to; ++i)
      lacks->values_mut<std::int64_t>()[i - from] = static_cast<std::int64_t>(all & ~sets_[i]);
    own.push_back(std::move(lacks));
    made.columns.insert(made.columns.begin(), own.begin(), own.end());
    made.null_keys.clear();
    return out.batch(std::move(made));
  }

  const ExpandNode& node_;
  OperatorContext& context_;
  RowEvaluators keys_;
  std::vector<std::uint32_t> rows_;
  std::vector<std::size_t> sets_;
  std::vector<RowKind> kinds_;
};

}  // namespace

MadeOperator make_expand(const ExpandNode& node, const LowerContext& lower) {
  return std::make_unique<Expand>(node, lower);
}

}  // namespace millrace::inline exec
