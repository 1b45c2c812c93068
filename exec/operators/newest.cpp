#include <algorithm>

#include "exec/operators/batch_ops.h"
#include "exec/operators/store_keys.h"
#include "exec/operators/table_side.h"
#include "exec/operators/windows.h"

namespace millrace::inline exec {
namespace {

/// Lets rows of a table through that are not older than what has gone through of their key. Rows that are there keep
/// their time; removals keep theirs for as long as the table keeps versions.
class Newest final : public Operator {
 public:
  Newest(const NewestNode& node, const LowerContext& lower, MapStore& times, OrderedStore& removals)
      : keys_(lower.node), times_(times), removals_(removals), history_ms_(node.history_ms) {}

  Status on_batch(int, const Batch& in, Emitter& out) override {
    const std::vector<std::uint32_t> rows = TableSide::news(in);
    if (rows.empty()) return {};
    keys_.encode(in, rows, key_bytes_);
    entries_.resize(rows.size());
    from_.assign(rows.size(), 0);
    if (Status found = times_.find_or_create(key_bytes_, entries_); !found) return found;
    if (Status found = removals_.lists(key_bytes_, from_, lists_); !found) return found;
    passed_.clear();
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const bool gone = is_gone(in, rows[i]);
      if (take(i, (*in.timestamps)[rows[i]], gone)) passed_.push_back(rows[i]);
    }
    if (passed_.empty()) return {};
    return out.batch(is_all(passed_, in.rows) ? share(in) : gather(in, passed_));
  }
  Status on_commit(Emitter&) override {
    removals_.map().expire_before(forgotten_before());
    return {};
  }
  void save(std::string& bytes) const override { save_number(newest_, bytes); }
  Status load(std::string_view bytes) override {
    newest_ = load_number(bytes, -1);
    removals_.map().expired_before(forgotten_before());
    return {};
  }

 private:
  std::int64_t forgotten_before() const { return newest_ - history_ms_; }

  bool take(std::size_t i, std::int64_t time, bool gone) {
    newest_ = std::max(newest_, time);
    OrderedStore::List& removals = *lists_[i];
    const bool removed_later =
        !removals.empty() && removals.back().end > time && removals.back().end >= forgotten_before();
    if (removed_later || (entries_[i]->present() && value_timestamp(entries_[i]->value()) > time)) return false;
    if (!gone) {
      times_.put_row(*entries_[i], time, {});
      return true;
    }
    if (entries_[i]->present()) times_.remove(*entries_[i]);
    if (removals.empty() || removals.back().end < time)
      removals_.map().put_row(*removals_.insert(removals, key_bytes_[i], time, time), time, {});
    return true;
  }

  const StoreKeys keys_;
  MapStore& times_;
  OrderedStore& removals_;
  const std::int64_t history_ms_;
  std::int64_t newest_ = -1;  // time of a row of the table

  // Scratch.
  KeyBuffer key_bytes_;
  std::vector<Entry*> entries_;
  std::vector<std::int64_t> from_;
  std::vector<OrderedStore::List*> lists_;
  std::vector<std::uint32_t> passed_;
};

}  // namespace

MadeOperator make_newest(const NewestNode& node, const LowerContext& lower) {
  const auto times = open_rows(lower.store("times"));
  if (!times) return times.error();
  const auto removals = open_lists(lower.store("removals"), std::max<std::int64_t>(node.history_ms, 1));
  if (!removals) return removals.error();
  return std::make_unique<Newest>(node, lower, **times, **removals);
}

}  // namespace millrace::inline exec
