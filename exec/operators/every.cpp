#include <algorithm>
#include <set>

#include "exec/data/wall_clock.h"
#include "exec/operators/held_rows.h"
#include "exec/operators/lower.h"
#include "exec/operators/windows.h"

namespace millrace::inline exec {
namespace {

/// Keeps what has become of each key since the interval began, under the key and the end of the interval: the row that
/// was given last, and the one that there is.
class Every final : public Operator {
 public:
  Every(const EveryNode& node, MapStore& store)
      : keys_(*node.input), codec_(node.input->schema), store_(store), every_(node.every_ms) {}

  Status on_batch(int, const Batch& in, Emitter& out) override {
    const std::int64_t now = wall_clock_ms();
    if (Status given = give_due(now, out); !given) return given;
    const std::int64_t end = std::max(floor_of(now), given_) + every_;
    rows_ = all_rows(in.rows);
    keys_.encode(in, rows_, row_keys_);
    if (Status encoded = codec_.encode(in, encoded_); !encoded) return encoded;
    places_.clear();
    for (const std::uint32_t row : rows_) {
      places_.bytes.append(row_keys_[row]);
      append_window(end, places_.bytes);
      places_.ends.push_back(static_cast<std::uint32_t>(places_.bytes.size()));
    }
    entries_.resize(rows_.size());
    if (Status found = store_.find_or_create(places_, entries_); !found) return found;
    ends_.insert(end);
    for (const std::uint32_t row : rows_)
      if (Status noted = note(in, row); !noted) return noted;
    return {};
  }
  std::optional<std::int64_t> clock_due() const override {
    return ends_.empty() ? std::nullopt : std::optional(*ends_.begin());
  }
  Status on_clock(std::int64_t now, Emitter& out) override { return give_due(now, out); }
  /// Rows wait for the clock: their times say nothing to those above.
  Status on_time(int, std::int64_t, Emitter&) override { return {}; }
  Status on_commit(Emitter&) override {
    store_.expire_before(given_ + 1);
    return {};
  }
  void save(std::string& bytes) const override {
    save_number(given_, bytes);
    for (const std::int64_t end : ends_) save_number(end, bytes);
  }
  Status load(std::string_view bytes) override {
    given_ = load_number(bytes, 0);
    ends_.clear();
    while (!bytes.empty()) ends_.insert(load_number(bytes, 0));
    store_.expired_before(given_ + 1);
    return {};
  }

 private:
  static constexpr char kHad = 1, kHas = 2;
  /// A key in an interval, as it is stored.
  struct Pending {
    char flags;
    std::string_view old, now;
  };
  static Pending read(std::string_view stored) {
    const auto size = static_cast<std::size_t>(read_window(stored.data() + 1));
    return {stored[0], stored.substr(1 + kWindowBytes, size), stored.substr(1 + kWindowBytes + size)};
  }
  static std::string write(char flags, std::string_view old, std::string_view now) {
    std::string stored(1, flags);
    append_window(static_cast<std::int64_t>(old.size()), stored);
    return stored.append(old).append(now);
  }
  std::int64_t floor_of(std::int64_t now) const { return now / every_ * every_; }

  Status note(const Batch& in, std::uint32_t row) {
    Entry& entry = *entries_[row];
    const RowKind kind = in.kind(row);
    const bool before = kind == RowKind::update_before || kind == RowKind::remove;
    std::string stored;
    if (entry.present()) {
      const std::string held(row_value(entry.value()).bytes());
      const Pending pending = read(held);
      const char had = static_cast<char>(pending.flags & kHad);
      stored =
          before ? write(had, pending.old, {}) : write(static_cast<char>(had | kHas), pending.old, encoded_.row(row));
    } else {
      stored = before ? write(kHad, encoded_.row(row), {}) : write(kHas, {}, encoded_.row(row));
    }
    std::int64_t timestamp = (*in.timestamps)[row];
    if (entry.present()) timestamp = std::max(timestamp, value_timestamp(entry.value()));
    store_.put_row(entry, timestamp, stored);
    return {};
  }

  /// What has changed in the intervals that are over, by interval and key.
  Status give_due(std::int64_t now, Emitter& out) {
    if (ends_.empty() || *ends_.begin() > now) return {};
    std::vector<Entry*> entries;
    if (Status found = store_.collect_windows_in_order(*ends_.begin(), now + 1, entries); !found) return found;
    for (std::size_t at = 0; at < entries.size(); at += kMaxBatchRows) {
      const auto part = std::span(entries).subspan(at, std::min(kMaxBatchRows, entries.size() - at));
      if (Status given = give(part, out); !given) return given;
    }
    for (Entry* entry : entries) store_.remove(*entry);
    ends_.erase(ends_.begin(), ends_.upper_bound(now));
    given_ = std::max(given_, floor_of(now));
    return {};
  }

  Status give(std::span<Entry* const> entries, Emitter& out) {
    std::vector<std::string_view> keys;
    std::vector<std::optional<std::string_view>> rows;
    std::vector<std::int64_t> timestamps;
    std::vector<RowKind> kinds;
    for (Entry* entry : entries) {
      const Pending pending = read(row_value(entry->value()).bytes());
      const bool had = (pending.flags & kHad) != 0, has = (pending.flags & kHas) != 0;
      if (had == has && pending.old == pending.now) continue;
      const std::string_view key = store_.key(*entry);
      keys.push_back(key.substr(0, key.size() - kWindowBytes));
      rows.push_back(has ? std::optional(pending.now) : std::nullopt);
      timestamps.push_back(value_timestamp(entry->value()));
      kinds.push_back(has ? RowKind::update_after : RowKind::remove);
    }
    if (keys.empty()) return {};
    Result<Batch> batch = stored_rows(keys_, codec_, keys, rows, std::move(timestamps));
    if (!batch) return batch.error();
    batch->kinds = std::move(kinds);
    return out.batch(std::move(*batch));
  }

  StoreKeys keys_;
  RowCodec codec_;
  MapStore& store_;
  const std::int64_t every_;
  std::int64_t given_ = 0;       // intervals up to this end have been given out
  std::set<std::int64_t> ends_;  // of intervals with changes

  // Scratch.
  std::vector<std::uint32_t> rows_;
  KeyBuffer row_keys_, places_;
  Encoded encoded_;
  std::vector<Entry*> entries_;
};

}  // namespace

MadeOperator make_every(const EveryNode& node, const LowerContext& lower) {
  const std::int64_t every = std::max<std::int64_t>(node.every_ms, 1);
  const auto store =
      open_rows(lower.store("rows"), {.window_bytes = kWindowBytes, .advance_ms = every, .retention_ms = every});
  if (!store) return store.error();
  return std::make_unique<Every>(node, **store);
}

}  // namespace millrace::inline exec
