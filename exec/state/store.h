#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "exec/data/result.h"
#include "exec/log/log.h"

/// State of tasks (design.md §6). The log is the only thing that commits; what is here is a cache of it.
namespace millrace::inline exec {

class StateDb;  // the process's state RocksDB, exec/state/state_db.h
class StateFile;

/// Takes the changed keys of a store at commit.
class ChangelogSink {
 public:
  virtual ~ChangelogSink() = default;
  virtual Status put(std::string_view key, std::optional<std::string_view> value) = 0;
};

/// The committed rows of a range of keys as they were at one moment. Any thread, one at a time, while the store goes
/// on; the state database must outlive it.
class StoreScan {
 public:
  using Entries = std::vector<std::pair<std::string, std::string>>;
  virtual ~StoreScan() = default;
  /// Before the first `next`: the entries may come in any order, which can be had sooner.
  virtual void any_order() {}
  /// Adds the next entries in the order of their keys, at most `limit`; false when there are no more.
  virtual Result<bool> next(std::size_t limit, Entries& out) = 0;
};

/// What the runtime asks of every store, whatever its shape. All calls on the owning worker's thread.
///
/// Life of a change: made by an operator (dirty) → `begin_commit` writes it to the changelog (committing) →
/// `commit_done` makes it the committed value, or `roll_back` puts the last committed value back for everything dirty
/// and committing. One commit is under way at a time; operators go on making changes meanwhile. Outside readers see
/// committed values only.
class Store {
 public:
  /// Gets the store's key and value bytes as they stand in the changelog; returning false stops.
  using Visit = std::function<bool(std::string_view, std::string_view)>;
  virtual ~Store() = default;
  virtual Status begin_commit(ChangelogSink& changelog) = 0;
  /// `changelog_end`: offset in the changelog partition that the committed values now stand for.
  virtual void commit_done(std::int64_t changelog_end) = 0;
  virtual void roll_back() = 0;

  /// What is to be replayed is more than memory is to hold.
  virtual void expect_large_restore() = 0;
  /// Replays committed changelog records, in order, from the durable position; then `restored(end)`. `spill` may be
  /// called in between, nothing else.
  virtual Status restore(std::span<const RecordView> records) = 0;
  virtual Status restored(std::int64_t changelog_end) = 0;
  /// Forgets everything, RocksDB included, before anything was restored: the changelog is replayed from its beginning.
  virtual Status clear() = 0;
  /// Changelog offset that RocksDB stands for; 0 when it holds nothing.
  virtual std::int64_t durable_position() const = 0;
  /// When RocksDB came to stand for it, ms since the epoch; 0 when that is not known.
  virtual std::int64_t durable_time() const { return 0; }

  /// Committed changelog records before this offset are about expired windows only: whoever replays the rest has all
  /// that is to be had. 0 where nothing is known to be so.
  virtual std::int64_t expired_position() const { return 0; }

  /// Writes committed values that RocksDB lacks, together with the changelog position that they stand for. Stores share
  /// a file (spill_stores, spill.h), in the order of `file_order`; once it is in, `written` is called. Nothing else is
  /// called in between.
  virtual bool has_to_write() const = 0;
  virtual std::uint32_t file_order() const = 0;
  virtual Status write(StateFile& file) = 0;
  virtual void written() = 0;
  /// Drops from memory what RocksDB has too, as far as the budget asks.
  virtual void shrink(std::size_t target_memory_bytes) = 0;
  /// All of that for this store alone.
  virtual Status spill(std::size_t target_memory_bytes) = 0;
  virtual std::size_t memory_bytes() const = 0;
  virtual std::size_t dirty_bytes() const = 0;      // not yet committed
  virtual std::size_t undurable_bytes() const = 0;  // committed, not in RocksDB: what a crash would replay

  /// For pull queries: committed rows. The value of a key, window included where there is one.
  virtual Status get(std::string_view key, const Visit& visit) = 0;
  /// Keys in [from, to), ascending; an empty `to` means no upper bound.
  virtual Status scan(std::string_view from, std::string_view to, const Visit& visit) = 0;
  /// The same, to be read later. Takes time for what memory holds of the range, none for what RocksDB does.
  virtual Result<std::unique_ptr<StoreScan>> snapshot(std::string_view from, std::string_view to) = 0;
  /// All of them, in any order: where memory has the values, `visit` gets them as they lie there (values[i], in the
  /// store's layout, is that of keys[i]; good until it returns), a batch at most at a time. The others are in the
  /// scan; null: there are none.
  using VisitValues =
      std::function<Status(std::span<const std::string_view> keys, std::span<const std::byte* const> values)>;
  virtual Result<std::unique_ptr<StoreScan>> snapshot_values(const VisitValues& visit) {
    (void)visit;
    return snapshot({}, {});
  }
  /// Stands for the committed rows as they are: once they may be others it is another number, which no store of this
  /// process had before. 0: not known.
  virtual std::uint64_t version() const { return 0; }
  /// Windowed stores: the windows of one key (given without window) that start in [from, to], ascending. Other stores:
  /// as `get`.
  virtual Status get_windows(std::string_view key, std::int64_t from, std::int64_t to, const Visit& visit) = 0;
};

/// What an operator gets to make its store in: names, places and limits. The operator constructs a concrete store
/// (map_store.h, ordered_store.h, segment_store.h) and registers it with `attach`, which hands ownership to the task.
struct StoreSlot {
  StateDb* db = nullptr;  // null: memory only (transient queries, memory log)
  std::string prefix;     // `query | store | partition`, for keys in RocksDB
  bool changelog = true;
  std::optional<std::int64_t> retention_ms;
  std::function<Store*(std::unique_ptr<Store>)> attach;
  /// The same for a store that is made anew from this one: it takes part in commits, and has no changelog.
  std::function<Store*(std::unique_ptr<Store>)> attach_index = {};
  /// What all tasks of this process have in common under this store's name; the first who asks makes it. Null: this
  /// task shares nothing.
  std::function<std::shared_ptr<void>(const std::function<std::shared_ptr<void>()>& make)> common = {};
};

}  // namespace millrace::inline exec
