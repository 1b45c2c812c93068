#include <algorithm>
#include <bit>

#include "exec/operators/batch_ops.h"
#include "exec/operators/lower.h"
#include "exec/operators/ranked_rows.h"
#include "exec/operators/row_evaluators.h"
#include "exec/operators/sparing.h"
#include "exec/operators/store_keys.h"
#include "exec/state/key_table.h"

namespace millrace::inline exec {
namespace {

constexpr std::size_t kFewRows = 256;  // too few to tell whether comparing them is worth it

/// Numbers keys of one batch in the order in which they are first asked for.
class KeyNumbers {
 public:
  void reset(std::size_t keys) {
    slots_.assign(std::bit_ceil(2 * keys), kNone);
    firsts_.clear();
  }
  std::uint32_t number(const KeyBuffer& keys, std::uint32_t at) {
    for (std::size_t i = hash_key(keys[at]) & (slots_.size() - 1);; i = (i + 1) & (slots_.size() - 1)) {
      if (slots_[i] == kNone) {
        slots_[i] = static_cast<std::uint32_t>(firsts_.size());
        firsts_.push_back(at);
        return slots_[i];
      }
      if (keys[firsts_[slots_[i]]] == keys[at]) return slots_[i];
    }
  }

 private:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  std::vector<std::uint32_t> slots_, firsts_;
};

/// Compares the rows of a batch. Where that spares little, many batches go by.
class Thin final : public Operator {
 public:
  Thin(const ThinNode& node, const LowerContext&)
      : most_(static_cast<std::size_t>(node.most)),
        keys_(*node.input),
        order_(node.order, *node.input),
        last_(node.last, *node.input) {}

  Status on_batch(int, const Batch& in, Emitter& out) override {
    if (sparing_.lets_by(in.rows) || in.rows < 2) return out.batch(share(in));
    gone_.assign(in.rows, 0);
    // Who stands behind reports rows that fail, and must have them all for that.
    if (!compare(in)) return out.batch(share(in));
    kept_.clear();
    for (std::uint32_t row = 0; row < in.rows; ++row)
      if (gone_[row] == 0) kept_.push_back(row);
    if (in.rows >= kFewRows) sparing_.saw(in.rows, kept_.size());
    return out.batch(is_all(kept_, in.rows) ? share(in) : gather(in, kept_));
  }

 private:
  bool compare(const Batch& in) {
    RowErrors errors;
    std::vector<ColumnPtr> last;
    if (most_ != 0)
      order_.encode(in, errors, sorted_);
    else
      last = last_.evaluate(in, rows_with_value(in, false), errors);
    if (errors.count != 0) return false;
    rows_.clear();
    for (std::uint32_t row = 0; row < in.rows; ++row)
      if (!in.null_values.test(row) && !in.null_keys.test(row)) rows_.push_back(row);
    keys_.encode(in, rows_, key_bytes_);
    numbers_.reset(rows_.size());
    most_ != 0 ? keep_first() : keep_last(last, *in.timestamps);
    return true;
  }

  /// Each key has `most_` places for its first rows, in order.
  void keep_first() {
    places_.clear();
    counts_.clear();
    for (std::uint32_t i = 0; i < rows_.size(); ++i) {
      const std::uint32_t key = numbers_.number(key_bytes_, i), row = rows_[i];
      if (key == counts_.size()) {
        counts_.push_back(0);
        places_.resize(places_.size() + most_);
      }
      std::uint32_t* first = places_.data() + key * most_;
      std::uint32_t& count = counts_[key];
      std::uint32_t* at = std::upper_bound(
          first, first + count, row, [this](std::uint32_t a, std::uint32_t b) { return sorted_[a] < sorted_[b]; });
      if (at == first + most_) {
        gone_[row] = 1;
        continue;
      }
      if (count == most_) gone_[first[--count]] = 1;
      std::copy_backward(at, first + count, first + count + 1);
      *at = row;
      ++count;
    }
  }

  void keep_last(const std::vector<ColumnPtr>& values, const std::vector<std::int64_t>& timestamps) {
    newest_.clear();
    for (std::size_t i = rows_.size(); i-- > 0;) {
      const std::uint32_t row = rows_[i];
      const std::uint32_t key = numbers_.number(key_bytes_, static_cast<std::uint32_t>(i));
      if (key == newest_.size()) newest_.push_back(INT64_MIN);
      if (timestamps[row] <= newest_[key]) {
        gone_[row] = 1;
      } else if (std::ranges::none_of(values, [row](const ColumnPtr& value) { return value->is_null(row); })) {
        newest_[key] = timestamps[row];
      }
    }
  }

  const std::size_t most_;
  const StoreKeys keys_;
  SortBytes order_;
  RowEvaluators last_;
  Sparing sparing_;

  // Scratch.
  std::vector<std::uint8_t> gone_;  // by row of the batch
  std::vector<std::uint32_t> kept_, rows_, places_, counts_;
  std::vector<std::int64_t> newest_;  // by key: of the rows behind that have all values
  KeyBuffer sorted_, key_bytes_;
  KeyNumbers numbers_;
};

}  // namespace

MadeOperator make_thin(const ThinNode& node, const LowerContext& lower) {
  return std::make_unique<Thin>(node, lower);
}

}  // namespace millrace::inline exec
