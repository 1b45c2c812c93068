#include <algorithm>

#include "exec/operators/batch_ops.h"
#include "exec/operators/group_values.h"
#include "exec/operators/sparing.h"
#include "exec/state/key_table.h"

namespace millrace::inline exec {
namespace {

constexpr std::size_t kMaxBytes = 16 << 20;  // of groups, before they are given out early
// What a row may add behind each state that is not trivial, on average: its hash, in a table that is half empty.
constexpr std::size_t kBytesBehind = 24;
constexpr std::size_t kFewGroups = 1024;  // too few to tell whether summing up is worth it

/// Sums rows up by key until the commit (or until they need too much memory). Nothing is left at a commit, so there is
/// nothing to store, and going back means to forget.
class Combine final : public Operator {
 public:
  Combine(const CombineNode& node, const LowerContext& lower)
      : context_(lower.context),
        layout_(node.calls, true),
        arguments_(node.calls, *node.input),
        schema_(node.input->schema),
        keys_(*node.input),
        groups_(layout_.size()) {
    for (std::size_t c = 0; c < layout_.calls(); ++c)
      if (!layout_.aggregate(c).layout().trivial) bytes_behind_ += kBytesBehind;
  }
  ~Combine() override { forget(); }

  Status on_batch(int, const Batch& in, Emitter& out) override {
    if (const auto rows = countable_rows(in, false)) return rows->empty() ? Status{} : take_in(gather(in, *rows), out);
    return take_in(in, out);
  }
  Status on_commit(Emitter& out) override { return give(out); }
  Status on_time(int, std::int64_t time, Emitter& out) override {
    const Status given = give(out);
    return given ? out.time(time) : given;
  }
  std::size_t held_bytes() const override { return order_.empty() ? 0 : memory(); }
  Status load(std::string_view) override {
    forget();
    return {};
  }

 private:
  Status take_in(const Batch& in, Emitter& out) {
    if (sparing_.lets_by(in.rows)) return let_by(in, out);
    RowErrors errors;
    arguments_.evaluate(in, errors);
    if (errors.count != 0) context_.report(errors, in);
    if (rows_.size() != in.rows) rows_ = all_rows(in.rows);
    keys_.encode(in, rows_, key_bytes_);
    find_groups(*in.timestamps);
    if (Status added = arguments_.apply(layout_, values_, rows_, false); !added) return added;
    taken_ += in.rows;
    return memory() < kMaxBytes ? Status{} : give(out);
  }
  std::size_t memory() const { return groups_.memory() + taken_ * bytes_behind_; }

  Status let_by(const Batch& in, Emitter& out) {
    Batch same = share(in);
    same.columns.push_back(make_null_column(Type::bytes(), in.rows));
    return out.batch(std::move(same));
  }

  /// The groups of the rows into values_, made where they are new. Three passes, so that cache misses overlap.
  void find_groups(const std::vector<std::int64_t>& timestamps) {
    const std::size_t rows = key_bytes_.size();
    hashes_.resize(rows);
    values_.resize(rows);
    constexpr std::size_t kBlock = 64;
    for (std::size_t from = 0; from < rows; from += kBlock) {
      const std::size_t to = std::min(from + kBlock, rows);
      for (std::size_t i = from; i < to; ++i) {
        hashes_[i] = hash_key(key_bytes_[i]);
        groups_.prefetch_slot(hashes_[i]);
      }
      for (std::size_t i = from; i < to; ++i) groups_.prefetch_entry(hashes_[i]);
      for (std::size_t i = from; i < to; ++i) {
        values_[i] = group(hashes_[i], key_bytes_[i]);
        value_timestamp(values_[i]) = std::max(value_timestamp(values_[i]), timestamps[i]);
      }
    }
  }

  std::byte* group(std::uint64_t hash, std::string_view key) {
    Entry* entry = groups_.find(hash, key);
    if (entry == nullptr) {
      entry = groups_.insert(hash, key, 0);
      layout_.init(entry->value());
      order_.push_back(entry);
    }
    return entry->value();
  }

  Status give(Emitter& out) {
    if (order_.empty()) return {};
    if (order_.size() >= kFewGroups) sparing_.saw(taken_, order_.size());
    for (std::size_t from = 0; from < order_.size(); from += kMaxBatchRows) {
      const std::span<Entry* const> part(order_.data() + from, std::min(kMaxBatchRows, order_.size() - from));
      if (Status given = out.batch(sums(part)); !given) return given;
    }
    forget();
    return {};
  }

  Batch sums(std::span<Entry* const> groups) const {
    Batch made;
    made.rows = groups.size();
    for (std::size_t c = schema_.key_count(); c < schema_.size(); ++c)
      made.columns.push_back(make_null_column(schema_.columns[c].type, made.rows));
    made.columns.push_back(states(groups));
    auto timestamps = std::make_shared<std::vector<std::int64_t>>();
    std::vector<std::string_view> keys;
    keys.reserve(groups.size());
    timestamps->reserve(groups.size());
    for (const Entry* entry : groups) {
      keys.push_back(entry->key(layout_.size()));
      timestamps->push_back(value_timestamp(entry->value()));
    }
    keys_.decode(keys, made);
    made.timestamps = std::move(timestamps);
    return made;
  }

  ColumnPtr states(std::span<Entry* const> groups) const {
    auto bytes = std::make_shared<std::string>();
    std::vector<std::size_t> ends;
    ends.reserve(groups.size());
    for (const Entry* entry : groups) {
      layout_.encode_states(entry->value(), *bytes);
      ends.push_back(bytes->size());
    }
    auto column = make_column(Type::bytes(), groups.size());
    auto* views = column->values_mut<std::string_view>();
    for (std::size_t i = 0, from = 0; i < ends.size(); from = ends[i++])
      views[i] = {bytes->data() + from, ends[i] - from};
    column->keep.push_back(std::move(bytes));
    return column;
  }

  void forget() {
    if (order_.empty()) return;
    if (!layout_.trivial())
      for (Entry* entry : order_) layout_.destroy(entry->value());
    groups_ = KeyTable(layout_.size(), order_.size());
    order_.clear();
    taken_ = 0;
  }

  OperatorContext& context_;
  GroupLayout layout_;
  GroupArguments arguments_;
  const Schema& schema_;  // of the input
  StoreKeys keys_;
  KeyTable groups_;
  std::size_t bytes_behind_ = 0;  // for each row, what states may hold in memory of their own
  std::vector<Entry*> order_;     // all groups, as they came
  std::size_t taken_ = 0;         // rows in them
  Sparing sparing_;

  // Scratch.
  std::vector<std::uint32_t> rows_;
  KeyBuffer key_bytes_;
  std::vector<std::uint64_t> hashes_;
  std::vector<std::byte*> values_;
};

}  // namespace

MadeOperator make_combine(const CombineNode& node, const LowerContext& lower) {
  return std::make_unique<Combine>(node, lower);
}

}  // namespace millrace::inline exec
