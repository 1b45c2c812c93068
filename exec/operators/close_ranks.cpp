#include <algorithm>

#include "exec/operators/batch_ops.h"
#include "exec/operators/held_rows.h"
#include "exec/operators/ranked_rows.h"
#include "exec/operators/table_side.h"

namespace millrace::inline exec {
namespace {

/// Keeps the first rows of each group, in order, as one value of a store whose key ends with the time at which they are
/// complete.
class CloseRanks final : public Operator {
 public:
  CloseRanks(const CloseRanksNode& node, const LowerContext& lower, MapStore& store)
      : node_(node),
        context_(lower.context),
        keys_(*node.input),
        codec_(node.input->schema),
        order_(node.order, *node.input),
        most_(static_cast<std::size_t>(node.most)),
        store_(store) {}

  Status on_batch(int, const Batch& in, Emitter&) override {
    RowErrors errors;
    order_.encode(in, errors, sorted_);
    if (errors.count != 0) context_.report(errors, in);
    find_open(in);
    entries_.resize(rows_.size());
    if (Status found = store_.find_or_create(key_bytes_, entries_); !found) return found;
    if (Status encoded = codec_.encode(in, encoded_); !encoded) return encoded;
    for (std::size_t i = 0; i < rows_.size(); ++i)
      if (Status taken = take(rows_[i], (*in.timestamps)[rows_[i]], *entries_[i]); !taken) return taken;
    return {};
  }
  Status on_time(int, std::int64_t time, Emitter& out) override {
    if (time > closed_)
      if (Status given = close(time, out); !given) return given;
    return out.time(time);
  }
  Status on_commit(Emitter&) override {
    store_.expire_before(closed_ + 1);
    return {};
  }
  void save(std::string& bytes) const override { save_number(closed_, bytes); }
  Status load(std::string_view bytes) override {
    closed_ = load_number(bytes, -1);
    store_.expired_before(closed_ + 1);
    return {};
  }

 private:
  /// Rows of groups that are not complete, and what they are stored under.
  void find_open(const Batch& in) {
    rows_.clear();
    ends_.clear();
    const auto bounds = in.columns[static_cast<std::size_t>(node_.closing_key)]->values<std::int64_t>();
    for (std::uint32_t row = 0; row < in.rows; ++row) {
      const std::int64_t end = bounds[row] + node_.closes_after;
      if (end <= closed_) continue;
      rows_.push_back(row);
      ends_.push_back(end);
    }
    if (const std::size_t late = in.rows - rows_.size(); late != 0) context_.late_rows(late);
    const std::span<const std::int64_t> ends(ends_);
    encode_keys({in.columns.data(), keys_.columns()}, rows_, {&ends, 1}, key_bytes_);
  }

  Status take(std::uint32_t row, std::int64_t timestamp, Entry& entry) {
    if (!read(entry)) return Error{Fault::bug, "kept rows cannot be read"};
    const std::size_t place = place_of(kept_, sorted_[row], {});
    kept_.insert(kept_.begin() + static_cast<std::ptrdiff_t>(place),
                 RankedRow{sorted_[row], {}, timestamp, encoded_.row(row)});
    kept_.resize(count_first(kept_, node_.rank, most_));
    if (place >= kept_.size()) return {};
    written_.clear();
    write_rows(kept_, written_);
    store_.put_row(entry, timestamp, written_);
    return {};
  }
  bool read(Entry& entry) {
    return read_rows(entry.present() ? row_value(entry.value()).bytes() : std::string_view(), kept_);
  }

  /// Groups that are complete at a time, by time, then by key.
  Status close(std::int64_t time, Emitter& out) {
    std::vector<Entry*> groups;
    const std::int64_t from = closed_ + 1;
    closed_ = time;
    if (Status found = store_.collect_windows_in_order(from, time + 1, groups); !found) return found;
    for (Entry* group : groups) {
      if (!read(*group)) return Error{Fault::bug, "kept rows cannot be read"};
      const std::string_view key = store_.key(*group);
      for (std::size_t i = 0; i < kept_.size(); ++i) add(key.substr(0, key.size() - kWindowBytes), i);
      if (given_keys_.size() < kMaxBatchRows) continue;
      if (Status given = give(out); !given) return given;
    }
    return give(out);
  }
  void add(std::string_view key, std::size_t i) {
    const bool tie = i > 0 && kept_[i].order == kept_[i - 1].order;
    const auto place = static_cast<std::int64_t>(i + 1);
    if (i == 0)
      rank_ = 1;
    else if (node_.rank == RankFunction::row_number || (node_.rank == RankFunction::rank && !tie))
      rank_ = place;
    else if (!tie)
      ++rank_;
    given_keys_.push_back(key);
    given_rows_.emplace_back(kept_[i].row);
    times_.push_back(kept_[i].timestamp);
    ranks_.push_back(rank_);
  }
  Status give(Emitter& out) {
    if (given_keys_.empty()) return {};
    auto rows = stored_rows(keys_, codec_, given_keys_, given_rows_, std::move(times_));
    if (!rows) return rows.error();
    if (node_.numbered()) {
      auto numbers = make_column(Type::bigint(), ranks_.size());
      std::ranges::copy(ranks_, numbers->data.as<std::int64_t>());
      rows->columns.insert(rows->columns.begin(), std::move(numbers));
    }
    given_keys_.clear();
    given_rows_.clear();
    times_.clear();
    ranks_.clear();
    return out.batch(std::move(*rows));
  }

  const CloseRanksNode& node_;
  OperatorContext& context_;
  const StoreKeys keys_;
  RowCodec codec_;
  SortBytes order_;
  const std::size_t most_;
  MapStore& store_;
  std::int64_t closed_ = -1;  // groups that are complete at this time have been given out

  // Scratch.
  std::vector<std::uint32_t> rows_;
  std::vector<std::int64_t> ends_;
  KeyBuffer key_bytes_, sorted_;
  std::vector<Entry*> entries_;
  Encoded encoded_;
  RankedRows kept_;
  std::string written_;
  std::vector<std::string_view> given_keys_;
  std::vector<std::optional<std::string_view>> given_rows_;
  std::vector<std::int64_t> times_, ranks_;
  std::int64_t rank_ = 0;
};

}  // namespace

MadeOperator make_close_ranks(const CloseRanksNode& node, const LowerContext& lower) {
  const auto store = open_rows(lower.store("rows"), {.window_bytes = kWindowBytes, .retention_ms = node.closing_size});
  if (!store) return store.error();
  return std::make_unique<CloseRanks>(node, lower, **store);
}

}  // namespace millrace::inline exec
