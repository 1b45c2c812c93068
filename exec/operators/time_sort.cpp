#include <algorithm>

#include "exec/operators/held_rows.h"
#include "exec/operators/windows.h"
#include "exec/state/key_codec.h"

namespace millrace::inline exec {
namespace {

/// Keeps rows under `number | time` until their time is over. What is kept of a row: whether it has a key and a value,
/// its key, its ROW bytes.
class TimeSort final : public Operator {
 public:
  TimeSort(const TimeSortNode& node, const LowerContext& lower, MapStore& store)
      : context_(lower.context), keys_(*node.input), codec_(node.input->schema), store_(store), grace_(node.grace_ms) {}

  Status on_batch(int, const Batch& in, Emitter& out) override {
    rows_.clear();
    for (std::uint32_t row = 0; row < in.rows; ++row) {
      stream_time_ = std::max(stream_time_, (*in.timestamps)[row]);
      if ((*in.timestamps)[row] >= over()) rows_.push_back(row);
    }
    if (const std::size_t late = in.rows - rows_.size(); late != 0) context_.late_rows(late);
    if (Status kept = keep(in); !kept) return kept;
    return give(out);
  }
  Status on_time(int, std::int64_t time, Emitter& out) override {
    stream_time_ = std::max(stream_time_, time);
    return give(out);
  }
  Status on_commit(Emitter&) override {
    store_.expire_before(over());
    return {};
  }
  void save(std::string& bytes) const override {
    for (const std::int64_t number : {stream_time_, next_}) save_number(number, bytes);
  }
  Status load(std::string_view bytes) override {
    stream_time_ = load_number(bytes, INT64_MIN);
    next_ = load_number(bytes, 0);
    given_ = std::max<std::int64_t>(over(), 0);
    store_.expired_before(over());
    return {};
  }

 private:
  static constexpr char kNoKey = 1, kNoValue = 2;

  /// Rows up to this time go out; those before it have gone.
  std::int64_t over() const { return stream_time_ == INT64_MIN ? INT64_MIN : stream_time_ - grace_; }

  Status keep(const Batch& in) {
    if (rows_.empty()) return {};
    keys_.encode(in, rows_, row_keys_);
    if (Status encoded = codec_.encode(in, encoded_); !encoded) return encoded;
    places_.clear();
    for (const std::uint32_t row : rows_) {
      append_window(next_++, places_.bytes);
      append_window((*in.timestamps)[row], places_.bytes);
      places_.ends.push_back(static_cast<std::uint32_t>(places_.bytes.size()));
    }
    entries_.resize(rows_.size());
    if (Status found = store_.find_or_create(places_, entries_); !found) return found;
    for (std::size_t i = 0; i < rows_.size(); ++i) {
      const std::uint32_t row = rows_[i];
      std::string value(
          1, static_cast<char>((in.null_keys.test(row) ? kNoKey : 0) | (in.null_values.test(row) ? kNoValue : 0)));
      append_window(static_cast<std::int64_t>(row_keys_[i].size()), value);
      value.append(row_keys_[i]).append(encoded_.row(row));
      store_.put_row(*entries_[i], (*in.timestamps)[row], value);
    }
    return {};
  }

  /// By time, and as they came.
  Status give(Emitter& out) {
    if (stream_time_ == INT64_MIN) return {};
    std::vector<Entry*> entries;
    if (Status found = store_.collect_windows(given_, over() + 1, entries); !found) return found;
    given_ = std::max(given_, over());
    std::sort(entries.begin(), entries.end(), [&](const Entry* a, const Entry* b) {
      return a->window != b->window ? a->window < b->window : store_.key(*a) < store_.key(*b);
    });
    for (std::size_t at = 0; at < entries.size(); at += kMaxBatchRows) {
      const auto part = std::span(entries).subspan(at, std::min(kMaxBatchRows, entries.size() - at));
      if (Status given = give_rows(part, out); !given) return given;
    }
    for (Entry* entry : entries) store_.remove(*entry);
    return {};
  }

  Status give_rows(std::span<Entry* const> entries, Emitter& out) {
    std::vector<std::string_view> keys;
    std::vector<std::optional<std::string_view>> rows;
    std::vector<std::int64_t> timestamps;
    Bitmap no_keys, no_values;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const std::string_view stored = row_value(entries[i]->value()).bytes();
      const auto key_size = static_cast<std::size_t>(read_window(stored.data() + 1));
      if ((stored[0] & kNoKey) != 0) no_keys.set(i, entries.size());
      if ((stored[0] & kNoValue) != 0) no_values.set(i, entries.size());
      keys.push_back(stored.substr(1 + kWindowBytes, key_size));
      rows.emplace_back(stored.substr(1 + kWindowBytes + key_size));
      timestamps.push_back(value_timestamp(entries[i]->value()));
    }
    Result<Batch> batch = stored_rows(keys_, codec_, keys, rows, std::move(timestamps));
    if (!batch) return batch.error();
    batch->null_keys = std::move(no_keys);
    batch->null_values = std::move(no_values);
    return out.batch(std::move(*batch));
  }

  OperatorContext& context_;
  StoreKeys keys_;
  RowCodec codec_;
  MapStore& store_;
  const std::int64_t grace_;
  std::int64_t stream_time_ = INT64_MIN;
  std::int64_t next_ = 0;   // numbers rows
  std::int64_t given_ = 0;  // what is kept has at least this time

  // Scratch.
  std::vector<std::uint32_t> rows_;
  KeyBuffer row_keys_, places_;
  Encoded encoded_;
  std::vector<Entry*> entries_;
};

}  // namespace

MadeOperator make_time_sort(const TimeSortNode& node, const LowerContext& lower) {
  Result<StoreSlot> slot = lower.store("rows");
  if (!slot) return slot.error();
  MapStoreOptions options{.layout = std::shared_ptr<const ValueLayout>(&row_layout(), [](const ValueLayout*) {}),
                          .window_bytes = kWindowBytes};
  options.advance_ms = std::max<std::int64_t>(node.grace_ms / 64, 1);
  options.retention_ms = std::max<std::int64_t>(node.grace_ms, 1);
  Result<std::unique_ptr<MapStore>> store = MapStore::open(*slot, options);
  if (!store) return store.error();
  auto* attached = static_cast<MapStore*>(slot->attach(std::move(*store)));
  return std::make_unique<TimeSort>(node, lower, *attached);
}

}  // namespace millrace::inline exec
