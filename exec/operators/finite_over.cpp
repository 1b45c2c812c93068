#include <algorithm>
#include <vector>

#include "exec/data/footprint.h"
#include "exec/operators/batch_ops.h"
#include "exec/operators/finite.h"
#include "exec/operators/lower.h"
#include "exec/operators/over_values.h"
#include "exec/operators/picked_rows.h"
#include "exec/operators/ranked_rows.h"
#include "exec/operators/row_evaluators.h"
#include "exec/operators/row_order.h"
#include "exec/state/key_codec.h"
#include "exec/state/key_table.h"

namespace millrace::inline exec {
namespace {

/// Keeps batches as they are, sorts places in them by partition and order, and gives the batches with the values of the
/// calls.
class FiniteOver final : public Operator {
 public:
  FiniteOver(const FiniteOverNode& node, const LowerContext& lower)
      : context_(lower.context),
        order_(node.order),
        partition_(node.partition, *node.input),
        keys_(expressions_of(node.order), *node.input),
        over_{.input = node.input, .order = node.order, .calls = node.calls, .row_key = {}, .exact = true},
        values_(over_, true),
        used_(node.input->schema.size()) {
    for_each_expression(lower.node, [this](const ExprPtr& expr) { collect_columns(*expr, used_); });
  }

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
    held_ += footprint(in) + 2 * footprint(sorted_by_.back()) + in.rows * (sizeof(Place) + sizeof(std::int64_t));
    for (std::size_t c = 0; c < used_.size(); ++c)
      if (used_[c]) held_ += footprint(*in.columns[c]);  // put in order at the end, as is what that goes by
    return check_memory(context_, held_bytes());
  }

  Status on_commit(Emitter& out) override {
    if (places_.empty()) return {};
    std::sort(places_.begin(), places_.end(), [this](const Place& a, const Place& b) { return before(a, b); });
    std::vector<ColumnPtr> values;
    if (Status done = compute(values); !done) return done;
    std::vector<std::vector<Pick>> back;
    for (const Batch& batch : batches_) back.emplace_back(batch.rows);
    for (std::uint32_t i = 0; i < places_.size(); ++i) back[places_[i].row.source][places_[i].row.row] = {0, i};
    for (std::size_t b = 0; b < batches_.size(); ++b) {
      for (const ColumnPtr& column : values) {
        const Column* source = column.get();
        batches_[b].columns.push_back(interleave(column->type, {&source, 1}, back[b]));
      }
      if (Status given = out.batch(std::move(batches_[b])); !given) return given;
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

  /// The values of the calls, for the rows as they stand in order.
  Status compute(std::vector<ColumnPtr>& values) {
    const Batch rows = in_order();
    std::vector<ColumnPtr> sorted_by;
    for (std::size_t k = 0; k < order_.size(); ++k)
      sorted_by.push_back(put_in_order(order_[k].expr->type, [&](std::size_t b) { return sorted_by_[b][k].get(); }));
    KeyBuffer bytes;
    encode_sorted(sorted_by, order_, all_rows(rows.rows), bytes);
    std::vector<std::string_view> order;
    for (std::size_t i = 0; i < rows.rows; ++i) order.push_back(bytes[i]);
    std::vector<WindowRows::Part> parts;
    for (std::uint32_t i = 0; i < places_.size(); ++i) {
      if (i == 0 || places_[i - 1].partition != places_[i].partition) parts.push_back({i, i, i, i});
      parts.back().end = parts.back().to = i + 1;
    }
    RowErrors errors;
    if (Status done = values_.evaluate(rows, order, parts, errors, values); !done) return done;
    if (errors.count != 0) context_.report(errors, rows);
    return {};
  }
  /// What calls read of the rows; other columns are absent.
  Batch in_order() const {
    Batch made;
    made.rows = places_.size();
    made.columns.resize(used_.size());
    for (std::size_t c = 0; c < used_.size(); ++c)
      if (used_[c])
        made.columns[c] = put_in_order(over_.input->schema.columns[c].type,
                                       [&](std::size_t b) { return batches_[b].columns[c].get(); });
    auto timestamps = std::make_shared<std::vector<std::int64_t>>();
    for (const Place& place : places_) timestamps->push_back((*batches_[place.row.source].timestamps)[place.row.row]);
    made.timestamps = std::move(timestamps);
    return made;
  }
  template <class ColumnOf>
  ColumnPtr put_in_order(const Type& type, ColumnOf column_of) const {
    std::vector<const Column*> sources;
    for (std::size_t b = 0; b < batches_.size(); ++b) sources.push_back(column_of(b));
    std::vector<Pick> picks;
    for (const Place& place : places_) picks.push_back(place.row);
    return interleave(type, sources, picks);
  }

  OperatorContext& context_;
  const std::vector<SortKey> order_;
  RowEvaluators partition_, keys_;
  const OverNode over_;
  OverValues values_;
  std::vector<bool> used_;                   // columns that the calls read
  KeyTable numbers_{sizeof(std::uint64_t)};  // of partitions
  std::vector<Batch> batches_;
  std::vector<std::vector<ColumnPtr>> sorted_by_;  // per batch
  std::vector<Place> places_;
  std::size_t held_ = 0;
};

}  // namespace

MadeOperator make_finite_over(const FiniteOverNode& node, const LowerContext& lower) {
  return std::make_unique<FiniteOver>(node, lower);
}

}  // namespace millrace::inline exec
