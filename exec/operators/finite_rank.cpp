#include <algorithm>
#include <vector>

#include "exec/data/footprint.h"
#include "exec/operators/batch_ops.h"
#include "exec/operators/finite.h"
#include "exec/operators/lower.h"
#include "exec/operators/picked_rows.h"
#include "exec/operators/row_evaluators.h"
#include "exec/operators/row_order.h"
#include "exec/state/key_codec.h"
#include "exec/state/key_table.h"

namespace millrace::inline exec {
namespace {

/// Keeps batches as they are, sorts places in them by partition and order, and gives the batches with the ranks.
class FiniteRank final : public Operator {
 public:
  FiniteRank(const FiniteRankNode& node, const LowerContext& lower)
      : context_(lower.context),
        order_(node.order),
        rank_(node.rank),
        partition_(node.partition, *node.input, lower.context.parameters()),
        keys_(expressions_of(node.order), *node.input, lower.context.parameters()) {}

  Status on_batch(int, const Batch& in, Emitter&) override {
    RowErrors errors;
    const std::vector<ColumnPtr> parts = partition_.evaluate(in, std::nullopt, errors);
    sorted_by_.push_back(keys_.evaluate(in, std::nullopt, errors));
    if (errors.count != 0) context_.report(errors, in);
    const std::vector<std::uint32_t> rows = all_rows(in.rows);
    KeyBuffer encoded;
    encode_keys(parts, rows, {}, encoded);
    const auto batch = static_cast<std::uint32_t>(batches_.size());
    for (const std::uint32_t row : rows) places_.push_back({partition_of(encoded[row]), {batch, row}});
    batches_.push_back(share(in));
    held_ += footprint(in) + footprint(sorted_by_.back()) + in.rows * (sizeof(Place) + sizeof(std::int64_t));
    return check_memory(context_, held_bytes());
  }

  Status on_commit(Emitter& out) override {
    std::sort(places_.begin(), places_.end(), [this](const Place& a, const Place& b) { return before(a, b); });
    std::vector<std::shared_ptr<Column>> ranks;
    for (const Batch& batch : batches_) ranks.push_back(make_column(Type::bigint(), batch.rows));
    std::int64_t number = 0, rank = 0, dense = 0;
    for (std::size_t i = 0; i < places_.size(); ++i) {
      const bool first = i == 0 || places_[i - 1].partition != places_[i].partition;
      const bool peer = !first && compare(places_[i - 1], places_[i]) == 0;
      number = first ? 1 : number + 1;
      dense = first ? 1 : peer ? dense : dense + 1;
      rank = peer ? rank : number;
      ranks[places_[i].row.source]->values_mut<std::int64_t>()[places_[i].row.row] =
          rank_ == RankFunction::row_number ? number
          : rank_ == RankFunction::rank     ? rank
                                            : dense;
    }
    for (std::size_t i = 0; i < batches_.size(); ++i) {
      Batch& batch = batches_[i];
      batch.columns.push_back(std::move(ranks[i]));
      if (Status given = out.batch(std::move(batch)); !given) return given;
    }
    return {};
  }

  std::size_t held_bytes() const override { return held_ + numbers_.memory(); }

 private:
  struct Place {
    std::uint32_t partition;
    Pick row;
  };

  /// Partitions by the order in which they came.
  std::uint32_t partition_of(std::string_view key) {
    const std::uint64_t hash = hash_key(key);
    Entry* entry = numbers_.find(hash, key);
    if (entry == nullptr) {
      entry = numbers_.insert(hash, key, 0);
      *reinterpret_cast<std::uint64_t*>(entry->value()) = numbers_.size() - 1;
    }
    return static_cast<std::uint32_t>(*reinterpret_cast<const std::uint64_t*>(entry->value()));
  }
  int compare(const Place& a, const Place& b) const {
    return compare_rows(order_, sorted_by_[a.row.source], a.row.row, sorted_by_[b.row.source], b.row.row);
  }
  bool before(const Place& a, const Place& b) const {
    if (a.partition != b.partition) return a.partition < b.partition;
    const int order = compare(a, b);
    if (order != 0) return order < 0;
    return a.row.source != b.row.source ? a.row.source < b.row.source : a.row.row < b.row.row;
  }

  OperatorContext& context_;
  const std::vector<SortKey> order_;
  const RankFunction rank_;
  RowEvaluators partition_, keys_;
  KeyTable numbers_{sizeof(std::uint64_t)};  // of partitions
  std::vector<Batch> batches_;
  std::vector<std::vector<ColumnPtr>> sorted_by_;  // per batch
  std::vector<Place> places_;
  std::size_t held_ = 0;
};

}  // namespace

MadeOperator make_finite_rank(const FiniteRankNode& node, const LowerContext& lower) {
  return std::make_unique<FiniteRank>(node, lower);
}

}  // namespace millrace::inline exec
