#include <algorithm>
#include <cstring>
#include <vector>

#include "exec/data/footprint.h"
#include "exec/operators/batch_ops.h"
#include "exec/operators/finite.h"
#include "exec/operators/lower.h"
#include "exec/operators/picked_rows.h"
#include "exec/operators/store_keys.h"
#include "exec/state/key_table.h"

namespace millrace::inline exec {
namespace {

/// Keeps batches as they are, and for each key the place of its newest row.
class LatestOperator final : public Operator {
 public:
  LatestOperator(const LatestNode& node, const LowerContext& lower)
      : context_(lower.context), keys_(*node.input), batches_(node.input->schema), places_(sizeof(Pick)) {}

  Status on_batch(int, const Batch& in, Emitter&) override {
    rows_.clear();
    for (std::uint32_t row = 0; row < in.rows; ++row)
      if (!in.null_keys.test(row) && in.kind(row) != RowKind::update_before) rows_.push_back(row);
    keys_.encode(in, rows_, encoded_);
    const std::uint32_t batch = batches_.add(in);
    held_ += footprint(in);
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const bool gone = is_gone(in, rows_[i]);
      const Pick place{gone ? Pick::kNull : batch, rows_[i]};
      std::memcpy(entry_of(encoded_[i])->value(), &place, sizeof place);
    }
    return check_memory(context_, held_bytes());
  }

  Status on_commit(Emitter& out) override {
    std::vector<Pick> picks;
    for (const Entry* entry : order_) {
      Pick place;
      std::memcpy(&place, entry->value(), sizeof place);
      if (place.source != Pick::kNull) picks.push_back(place);
    }
    for (std::size_t from = 0; from < picks.size(); from += kMaxBatchRows) {
      const std::size_t count = std::min(kMaxBatchRows, picks.size() - from);
      if (Status given = out.batch(batches_.rows(std::span(picks).subspan(from, count))); !given) return given;
    }
    return {};
  }

  std::size_t held_bytes() const override { return held_ + places_.memory() + order_.size() * sizeof(Entry*); }

 private:
  Entry* entry_of(std::string_view key) {
    const std::uint64_t hash = hash_key(key);
    if (Entry* found = places_.find(hash, key)) return found;
    order_.push_back(places_.insert(hash, key, 0));
    return order_.back();
  }

  OperatorContext& context_;
  const StoreKeys keys_;
  KeptBatches batches_;
  KeyTable places_;
  std::vector<Entry*> order_;
  std::size_t held_ = 0;

  // Scratch.
  std::vector<std::uint32_t> rows_;
  KeyBuffer encoded_;
};

}  // namespace

MadeOperator make_latest(const LatestNode& node, const LowerContext& lower) {
  return std::make_unique<LatestOperator>(node, lower);
}

}  // namespace millrace::inline exec
