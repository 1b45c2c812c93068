#include <algorithm>

#include "exec/operators/batch_ops.h"
#include "exec/operators/lower.h"
#include "exec/operators/store_keys.h"
#include "exec/operators/table_side.h"
#include "exec/operators/windows.h"
#include "planner/logical/window_trace.h"

namespace millrace::inline exec {
namespace {

/// Lets the first of rows with one key through that lie near each other in time. What went through is kept, by time.
class Dedup final : public Operator {
 public:
  Dedup(const DedupNode& node, const LowerContext& lower, OrderedStore& store)
      : node_(node), context_(lower.context), keys_(*node.input), store_(store), aligned_(time_is_told(*node.input)) {}

  Status on_batch(int, const Batch& in, Emitter& out) override {
    rows_.clear();
    from_.clear();
    for (std::uint32_t row = 0; row < in.rows; ++row) {
      if (in.null_values.test(row)) continue;
      rows_.push_back(row);
      from_.push_back((*in.timestamps)[row] - node_.within_ms);
    }
    if (rows_.empty()) return {};
    keys_.encode(in, rows_, key_bytes_);
    if (Status found = store_.lists(key_bytes_, from_, lists_); !found) return found;
    late_.clear();
    passed_.clear();
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const std::int64_t timestamp = (*in.timestamps)[rows_[i]];
      if (!aligned_) stream_time_ = std::max(stream_time_, timestamp);
      if (const std::int64_t closed = stream_time_ - node_.grace_ms; timestamp < closed) {
        late_.push_back({rows_[i], closed - timestamp});
      } else if (!is_near(*lists_[i], timestamp)) {
        Entry* entry = store_.insert(*lists_[i], key_bytes_[i], timestamp, timestamp);
        store_.map().put_row(*entry, timestamp, {});
        passed_.push_back(rows_[i]);
      }
    }
    if (Status told = context_.late_rows(in, late_); !told) return told;
    if (passed_.empty()) return {};
    return out.batch(is_all(passed_, in.rows) ? share(in) : gather(in, passed_));
  }
  Status on_time(int, std::int64_t time, Emitter& out) override {
    if (aligned_) stream_time_ = std::max(stream_time_, time);
    return out.time(time);
  }
  Status on_commit(Emitter&) override {
    store_.map().expire_before(expired_before());
    return {};
  }
  void save(std::string& bytes) const override { save_number(stream_time_, bytes); }
  Status load(std::string_view bytes) override {
    stream_time_ = load_number(bytes, -1);
    store_.map().expired_before(expired_before());
    return {};
  }

 private:
  std::int64_t expired_before() const { return stream_time_ - node_.retention_ms(); }
  bool is_near(const OrderedStore::List& list, std::int64_t timestamp) const {
    return std::ranges::any_of(list, [&](const OrderedStore::Item& item) {
      return item.end >= timestamp - node_.within_ms && item.end <= timestamp + node_.within_ms;
    });
  }

  const DedupNode& node_;
  OperatorContext& context_;
  const StoreKeys keys_;
  OrderedStore& store_;
  const bool aligned_;  // rows do not move stream time
  std::int64_t stream_time_ = -1;

  // Scratch.
  std::vector<std::uint32_t> rows_, passed_;
  std::vector<std::int64_t> from_;
  std::vector<LateRow> late_;
  KeyBuffer key_bytes_;
  std::vector<OrderedStore::List*> lists_;
};

}  // namespace

MadeOperator make_dedup(const DedupNode& node, const LowerContext& lower) {
  const auto store = open_lists(lower.store("passed"), node.retention_ms());
  if (!store) return store.error();
  return std::make_unique<Dedup>(node, lower, **store);
}

}  // namespace millrace::inline exec
