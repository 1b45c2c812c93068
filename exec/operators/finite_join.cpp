#include <algorithm>
#include <optional>
#include <vector>

#include "exec/data/footprint.h"
#include "exec/operators/batch_ops.h"
#include "exec/operators/finite.h"
#include "exec/operators/lower.h"
#include "exec/operators/picked_rows.h"
#include "exec/operators/ranked_rows.h"
#include "exec/operators/side_values.h"
#include "exec/state/key_table.h"

namespace millrace::inline exec {
namespace {

/// Batches of one input, and which of their rows have equal values.
class JoinInput {
 public:
  JoinInput(const PlanNode& input, const std::vector<ExprPtr>& values, std::size_t first,
            const ParameterRow* parameters)
      : first_(first), values_(values, parameters) {
    for (const ColumnDef& column : input.schema.columns) types_.push_back(column.type);
  }

  Status add(const Batch& in, OperatorContext& context) {
    std::vector<std::uint32_t> rows;
    for (std::uint32_t row = 0; row < in.rows; ++row)
      if (!in.null_values.test(row)) rows.push_back(row);
    if (rows.empty()) return {};
    Batch over = share(in);
    over.columns.insert(over.columns.begin(), first_, nullptr);
    RowErrors errors;
    std::vector<std::uint8_t> whole;
    KeyBuffer keys;
    values_.encode(over, rows, errors, keys, whole);
    if (errors.count != 0) context.report(errors, in);
    const auto batch = static_cast<std::uint32_t>(batches_.size());
    for (std::size_t i = 0; i < rows.size(); ++i) {
      rows_.push_back({batch, rows[i]});
      whole_.push_back(whole[i]);
      bytes_.append(keys[i]);
      ends_.push_back(bytes_.size());
    }
    batches_.push_back(share(in));
    held_ += footprint(in) + rows.size() * (sizeof(Pick) + sizeof(std::size_t) + 1) + keys.bytes.size();
    return {};
  }

  std::size_t size() const { return rows_.size(); }
  std::size_t held() const { return held_; }
  bool is_whole(std::size_t row) const { return whole_[row] != 0; }
  std::string_view value(std::size_t row) const {
    const std::size_t from = row == 0 ? 0 : ends_[row - 1];
    return std::string_view(bytes_).substr(from, ends_[row] - from);
  }
  std::int64_t timestamp(std::size_t row) const { return (*batches_[rows_[row].source].timestamps)[rows_[row].row]; }
  /// Adds the columns of these rows; kNobody: all NULL.
  void columns(std::span<const std::uint32_t> rows, std::vector<ColumnPtr>& out) const {
    std::vector<Pick> picks(rows.size());
    for (std::size_t i = 0; i < rows.size(); ++i)
      if (rows[i] != kNobody) picks[i] = rows_[rows[i]];
    std::vector<const Column*> sources(batches_.size());
    for (std::size_t c = 0; c < types_.size(); ++c) {
      for (std::size_t b = 0; b < batches_.size(); ++b) sources[b] = batches_[b].columns[c].get();
      out.push_back(interleave(types_[c], sources, picks));
    }
  }
  static constexpr std::uint32_t kNobody = UINT32_MAX;

 private:
  std::size_t first_;  // of its columns among those of the join
  SideValues values_;
  std::vector<Type> types_;
  std::vector<Batch> batches_;
  std::vector<Pick> rows_;
  std::vector<std::uint8_t> whole_;  // none of its values is NULL
  std::string bytes_;                // the values of all rows
  std::vector<std::size_t> ends_;
  std::size_t held_ = 0;
};

/// Keeps both inputs until they end, then looks for the partners of each left row in a table of the right ones.
class FiniteJoin final : public Operator {
 public:
  FiniteJoin(const FiniteJoinNode& node, const LowerContext& lower)
      : context_(lower.context),
        mark_(node.mark),
        single_(node.single),
        keeps_left_(node.type == JoinType::left || node.type == JoinType::full || mark_ || single_),
        keeps_right_(node.type == JoinType::right || node.type == JoinType::full),
        left_(*node.left, node.left_values, 0, lower.context.parameters()),
        right_(*node.right, node.right_values, node.left->schema.size(), lower.context.parameters()) {
    if (node.condition) condition_.emplace(node.condition, lower.context.parameters());
    if (!node.nearest.empty()) nearest_.emplace(node.nearest, lower.node);
  }

  Status on_batch(int input, const Batch& in, Emitter&) override {
    if (Status added = (input == 0 ? left_ : right_).add(in, context_); !added) return added;
    return check_memory(context_, held_bytes());
  }

  Status on_commit(Emitter& out) override {
    arrange_right();
    if (Status fits = check_memory(context_, held_bytes()); !fits) return fits;
    for (std::uint32_t row = 0; row < left_.size(); ++row) {
      const Chain* chain = left_.is_whole(row) ? partners_of(row) : nullptr;
      std::uint32_t other = chain != nullptr ? chain->first : kNobody;
      do {
        const std::uint32_t next = other == kNobody || (mark_ && !condition_) ? kNobody : next_[other];
        pairs_.push_back({row, other, next == kNobody});
        other = next;
        if (pairs_.size() < kMaxBatchRows) continue;
        if (Status met = meet(out); !met) return met;
      } while (other != kNobody);
    }
    if (Status met = meet(out); !met) return met;
    if (Status rest = keeps_right_ ? give_lonely(out) : Status{}; !rest) return rest;
    return give(out);
  }

  std::size_t held_bytes() const override {
    return left_.held() + right_.held() + by_value_.memory() + next_.size() * sizeof(std::uint32_t);
  }

 private:
  static constexpr std::uint32_t kNobody = JoinInput::kNobody;
  struct Chain {
    std::uint32_t first, last;
  };
  /// `last`: no further partner of the left row follows.
  struct Pair {
    std::uint32_t left, right;
    bool last;
  };

  void arrange_right() {
    next_.assign(right_.size(), kNobody);
    met_.assign(keeps_right_ ? right_.size() : 0, 0);
    for (std::uint32_t row = 0; row < right_.size(); ++row) {
      if (!right_.is_whole(row)) continue;
      const std::uint64_t hash = hash_key(right_.value(row));
      Entry* entry = by_value_.find(hash, right_.value(row));
      if (entry == nullptr) {
        *chain_of(by_value_.insert(hash, right_.value(row), 0)) = {row, row};
        continue;
      }
      Chain& chain = *chain_of(entry);
      next_[chain.last] = row;
      chain.last = row;
    }
  }
  const Chain* partners_of(std::uint32_t row) const {
    Entry* entry = by_value_.find(hash_key(left_.value(row)), left_.value(row));
    return entry != nullptr ? chain_of(entry) : nullptr;
  }
  static Chain* chain_of(Entry* entry) { return reinterpret_cast<Chain*>(entry->value()); }

  /// Which of the pairs that have come together are partners.
  Status meet(Emitter& out) {
    choose();
    for (std::size_t i = 0; i < pairs_.size(); ++i) {
      const Pair& pair = pairs_[i];
      if (chosen_[i] != 0 && nearest_) {
        keep_nearest(pair, sorted_[places_[i]]);
      } else if (chosen_[i] != 0 && !mark_) {
        if (single_ && has_partner_) return user_error("A subquery used as a value gave more than one row.");
        add(pair.left, pair.right, true);
        if (keeps_right_) met_[pair.right] = 1;
      }
      has_partner_ = has_partner_ || chosen_[i] != 0;
      if (!pair.last) continue;
      if (nearest_ && has_partner_) add(pair.left, best_, true);
      if (mark_ || (keeps_left_ && !has_partner_)) add(pair.left, kNobody, has_partner_);
      has_partner_ = false;
    }
    pairs_.clear();
    return rows_[0].size() < kMaxBatchRows ? Status{} : give(out);
  }

  void keep_nearest(const Pair& pair, std::string_view order) {
    if (has_partner_ && order >= best_order_) return;
    best_ = pair.right;
    best_order_ = order;
  }

  void choose() {
    chosen_.assign(pairs_.size(), 0);
    places_.assign(pairs_.size(), 0);
    if (!condition_) {
      for (std::size_t i = 0; i < pairs_.size(); ++i) chosen_[i] = pairs_[i].right != kNobody ? 1 : 0;
      return;
    }
    std::vector<std::uint32_t> sides[2], places;
    for (std::uint32_t i = 0; i < pairs_.size(); ++i) {
      if (pairs_[i].right == kNobody) continue;
      places_[i] = static_cast<std::uint32_t>(places.size());
      places.push_back(i);
      sides[0].push_back(pairs_[i].left);
      sides[1].push_back(pairs_[i].right);
    }
    if (places.empty()) return;
    const Batch both = batch_of(sides[0], sides[1]);
    RowErrors errors;
    condition_->select(both, errors, selected_);
    if (nearest_) nearest_->encode(both, errors, sorted_);
    if (errors.count != 0) context_.report(errors, both);
    for (const std::uint32_t row : selected_) chosen_[places[row]] = 1;
  }

  Status give_lonely(Emitter& out) {
    for (std::uint32_t row = 0; row < right_.size(); ++row) {
      if (met_[row] != 0) continue;
      add(kNobody, row, false);
      if (rows_[0].size() < kMaxBatchRows) continue;
      if (Status given = give(out); !given) return given;
    }
    return {};
  }

  void add(std::uint32_t left, std::uint32_t right, bool partner) {
    rows_[0].push_back(left);
    rows_[1].push_back(right);
    partner_.push_back(partner ? 1 : 0);
  }

  Status give(Emitter& out) {
    if (rows_[0].empty()) return {};
    Batch batch = batch_of(rows_[0], rows_[1]);
    if (mark_ || single_) {
      auto column = make_column(Type::boolean(), partner_.size());
      std::copy(partner_.begin(), partner_.end(), column->values_mut<std::uint8_t>());
      batch.columns.push_back(std::move(column));
    }
    for (auto& rows : rows_) rows.clear();
    partner_.clear();
    return out.batch(std::move(batch));
  }

  Batch batch_of(std::span<const std::uint32_t> left, std::span<const std::uint32_t> right) const {
    Batch made;
    made.rows = left.size();
    left_.columns(left, made.columns);
    right_.columns(right, made.columns);
    auto timestamps = std::make_shared<std::vector<std::int64_t>>(left.size());
    for (std::size_t i = 0; i < left.size(); ++i) {
      std::int64_t& time = (*timestamps)[i];
      if (left[i] != kNobody) time = left_.timestamp(left[i]);
      if (right[i] != kNobody)
        time = left[i] == kNobody ? right_.timestamp(right[i]) : std::max(time, right_.timestamp(right[i]));
    }
    made.timestamps = std::move(timestamps);
    return made;
  }

  OperatorContext& context_;
  const bool mark_, single_;
  const bool keeps_left_, keeps_right_;  // rows without a partner
  JoinInput left_, right_;
  std::optional<Evaluator> condition_;
  std::optional<SortBytes> nearest_;
  KeyTable by_value_{sizeof(Chain)};  // right rows
  std::vector<std::uint32_t> next_;   // right rows of the same value
  std::vector<std::uint8_t> met_;     // right rows that have a partner
  bool has_partner_ = false;          // the left row at hand
  std::uint32_t best_ = kNobody;      // its nearest partner so far
  std::string best_order_;

  std::vector<Pair> pairs_;
  std::vector<std::uint8_t> chosen_;
  std::vector<std::uint32_t> selected_;
  std::vector<std::uint32_t> places_;   // of the pairs, among those that the condition is asked for
  KeyBuffer sorted_;                    // of these
  std::vector<std::uint32_t> rows_[2];  // to be given
  std::vector<std::uint8_t> partner_;
};

}  // namespace

MadeOperator make_finite_join(const FiniteJoinNode& node, const LowerContext& lower) {
  return std::make_unique<FiniteJoin>(node, lower);
}

}  // namespace millrace::inline exec
