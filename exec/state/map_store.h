#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "exec/state/bulk_load.h"
#include "exec/state/key_codec.h"
#include "exec/state/key_table.h"
#include "exec/state/state_db.h"
#include "exec/state/store.h"
#include "exec/state/value_layout.h"

namespace millrace::inline exec {

struct MapStoreOptions {
  std::shared_ptr<const ValueLayout> layout = {};
  /// Keys end with these bytes of window; the first eight decide the segment (start of a time window, end of a
  /// session).
  std::size_t window_bytes = 0;
  std::int64_t advance_ms = 1;    // windowed: distance of window starts
  std::int64_t retention_ms = 0;  // windowed: with the advance decides the length of a segment
  /// Windowed: in how many segments a retention is cut, at most, so that tiny windows do not make tiny tables.
  std::int64_t most_segments = 2048;
};

/// Map from key to one fixed-layout value: aggregates and tables. Keys are those of key_codec.h. Windowed stores keep
/// one hash table per segment of time: young windows stay in the processor's cache and old ones leave as a whole.
///
/// RocksDB is asked for a key only when its segment has data there that memory lacks; a batch's misses are looked up
/// together. Entry pointers stay good until the next call of commit_done, roll_back, spill or restore. One thread.
class MapStore final : public Store {
 public:
  static Result<std::unique_ptr<MapStore>> open(const StoreSlot& slot, MapStoreOptions options);
  ~MapStore() override;

  /// out[i] is the entry of keys[i], made without a value where there is none. `out.size() == keys.size()`.
  Status find_or_create(const KeyBuffer& keys, std::span<Entry*> out);
  /// As find_or_create, but RocksDB is not asked yet: an entry that memory lacks has no value, and what is put there
  /// counts as what has come since, until `read_unread`. For values that can be merged. A store whose keys are found so
  /// is changed in no other way.
  Status find_or_create_unread(const KeyBuffer& keys, std::span<Entry*> out);
  /// Reads what RocksDB has of such entries, in key order: the later, the more of them lie together. `merge` adds to
  /// the value there what has come since. Before the changes are looked at, and before begin_commit.
  using Merge = std::function<Status(std::byte* into, const std::byte* later)>;
  Status read_unread(const Merge& merge);
  /// The entry of a key that is known to have no value in RocksDB, or only one that memory has too: RocksDB is not
  /// asked.
  Entry* make(std::string_view key);
  /// As find_or_create, but null where there is no value.
  Status find(const KeyBuffer& keys, std::span<Entry*> out);

  /// Call before changing a value in place. The value is raw bytes when the entry is not present: make one, then
  /// `entry.set(Entry::kPresent)`.
  void change(Entry& entry) {
    if (!entry.has(Entry::kDirty)) begin_change(entry, true);
  }
  /// Gives raw bytes for a new value; the old one is put aside or destroyed. The entry is present afterwards.
  std::byte* replace(Entry& entry);
  void remove(Entry& entry);
  /// Stores of rows (row_layout): the entry's row becomes a copy of `bytes`.
  void put_row(Entry& entry, std::int64_t timestamp, std::string_view bytes);
  /// The value as of the last begin_commit; null when there was none.
  const std::byte* before(const Entry& entry) const;
  std::string_view key(const Entry& entry) const { return entry.key(value_size_); }
  /// Entries changed since the last begin_commit, in the order of their first change. Removed ones included.
  std::span<Entry* const> changed() const { return dirty_; }

  /// Counts what is behind the values that have been made in entries of changed() from `from` on.
  void count_made(std::size_t from);

  /// Present entries with a window in [from, to), RocksDB included; in no order.
  Status collect_windows(std::int64_t from, std::int64_t to, std::vector<Entry*>& out);
  /// The same by window, then by key.
  Status collect_windows_in_order(std::int64_t from, std::int64_t to, std::vector<Entry*>& out);
  /// The value of `from`, a present entry, goes over to `to`, which has none; `from` is removed.
  void move_value(Entry& from, Entry& to);
  /// Present entries whose key is `prefix` and a window in [from, to), RocksDB included; only from segments that memory
  /// has not all of. One seek for each of them, of a cursor that is made where there is none: for a row of such calls
  /// without a change in between.
  using Cursor = std::unique_ptr<StateDb::Cursor>;
  Status load_windows(std::string_view prefix, std::int64_t from, std::int64_t to, Cursor& cursor,
                      std::vector<Entry*>& out);
  /// No look-up of windows from here on will have to ask RocksDB.
  std::int64_t complete_from() const;
  /// Calls `visit` for every present entry with a window in [from, to), in no order. What memory lacks is read from
  /// RocksDB and not kept: `entry` is null then, and `stored` the value as in the changelog.
  using VisitWindow = std::function<void(std::string_view key, const Entry* entry, std::string_view stored)>;
  Status visit_windows(std::int64_t from, std::int64_t to, const VisitWindow& visit);
  /// Where the first segment ends that may have windows from `window` on; nothing where there is none.
  std::optional<std::int64_t> segment_end(std::int64_t window) const;
  /// Keys in memory.
  std::size_t size() const;
  /// Changelog offset that the committed values stand for: what durable_position() is once they are written.
  std::int64_t committed_position() const { return committed_end_; }
  /// What is replayed goes past memory.
  bool in_bulk() const { return bulk_ != nullptr; }
  /// Calls `visit` on every entry in memory, present or not.
  template <class Visitor>
  void for_each(Visitor visit) const {
    for (const auto& [id, segment] : segments_) segment->table.for_each(visit);
  }
  /// `hook` is called for entries that leave memory though nobody removed them (evicted, expired).
  using DropHook = std::function<void(std::span<Entry* const>)>;
  void on_drop(DropHook hook) { on_drop_ = std::move(hook); }
  /// Windows (their first eight bytes) before `bound` are of no more interest; they are dropped once this is committed.
  void expire_before(std::int64_t bound) { expire_dirty_ = std::max(expire_dirty_, bound); }
  /// As part of restoring: what lies before `bound` was dropped before.
  void expired_before(std::int64_t bound);

  Status begin_commit(ChangelogSink& changelog) override;
  void commit_done(std::int64_t changelog_end) override;
  void roll_back() override;
  void expect_large_restore() override {
    if (db_ != nullptr && !bulk_ && !replaying_) begin_bulk();
  }
  Status restore(std::span<const RecordView> records) override;
  Status restored(std::int64_t changelog_end) override;
  Status clear() override;
  std::int64_t durable_position() const override { return durable_end_; }
  std::int64_t durable_time() const override { return durable_time_; }
  std::int64_t expired_position() const override { return expired_position_; }
  bool has_to_write() const override;
  std::uint32_t file_order() const override { return id_; }
  Status write(StateFile& file) override;
  void written() override;
  void shrink(std::size_t target_memory_bytes) override;
  Status spill(std::size_t target_memory_bytes) override;
  std::size_t memory_bytes() const override;
  std::size_t dirty_bytes() const override { return dirty_.size() * (value_size_ + 64) + dirty_heap_bytes_; }
  std::size_t undurable_bytes() const override { return undurable_bytes_; }
  Status get(std::string_view key, const Visit& visit) override;
  Status scan(std::string_view from, std::string_view to, const Visit& visit) override;
  Result<std::unique_ptr<StoreScan>> snapshot(std::string_view from, std::string_view to) override;
  Result<std::unique_ptr<StoreScan>> snapshot_values(const VisitValues& visit) override;
  std::uint64_t version() const override { return version_; }
  Status get_windows(std::string_view key, std::int64_t from, std::int64_t to, const Visit& visit) override;

 private:
  struct Segment {
    Segment(std::int64_t segment_id, std::size_t value_size, std::size_t expected_keys = 0)
        : id(segment_id), table(value_size, expected_keys) {}
    std::int64_t id;
    KeyTable table;
    std::vector<Entry*> undurable;
    std::size_t hand = 0;  // where the next eviction begins
    bool in_db = false;    // RocksDB has data of it
    bool complete = true;  // memory has all of it
  };

  MapStore(const StoreSlot& slot, MapStoreOptions options);
  std::int64_t span_of(std::int64_t most_segments) const;
  Status load_segments();
  Status load_span(bool holds_data);
  std::int64_t window_of(std::string_view key) const {
    return options_.window_bytes == 0 ? 0 : read_window(key.data() + key.size() - options_.window_bytes);
  }
  std::int64_t segment_id(std::int64_t window) const {
    return window >= 0 ? window / span_ : -((-window + span_ - 1) / span_);
  }
  Segment& segment(std::int64_t window);
  Segment* find_segment(std::int64_t window);
  enum class Miss { leave, read, make_unread };  // what becomes of a key that memory lacks
  Status probe(const KeyBuffer& keys, std::span<Entry*> out, Miss miss);
  Status load_missing(std::vector<Entry*>& missing);
  Status read_stored(std::vector<Entry*>& entries, const StateDb::Found& found);
  Status merge_stored(Entry& entry, std::string_view stored, const Merge& merge);
  void forget_unread();
  void begin_change(Entry& entry, bool keep);
  void restore_image(Entry& entry, std::byte* image);
  void drop_value(Entry& entry);
  std::byte* new_image(Segment& segment) { return static_cast<std::byte*>(segment.table.slab().allocate(value_size_)); }
  void free_image(Segment& segment, std::byte* image, bool destroy);
  void drop_images_if_done(Entry& entry);
  void drop_removed(Entry& entry);
  void expire(std::int64_t bound);
  static std::uint64_t next_version();
  void mark(std::int64_t position);
  void free_segment(Segment& segment);

  /// What readers see of an entry; null: nothing.
  const std::byte* committed(const Entry& entry) const;
  std::string db_key(const Segment& segment, std::string_view key) const;
  std::string segment_prefix(std::int64_t id) const;
  /// The keys of a segment in RocksDB from `from` on, and where those up to `to` end.
  std::pair<std::string, std::string> db_range(const Segment& segment, std::string_view from,
                                               std::string_view to) const;
  Status write_segments(StateFile& file);
  Status write_segment(Segment& segment, StateFile& file);
  void sort_by_key(std::vector<Entry*>& entries) const;
  Status restore(const RecordView& record, std::int64_t window);
  void begin_bulk();
  Status write_bulk(StateFile& file);
  void evict(std::size_t target);
  void evict(std::unique_ptr<Segment>& segment, std::size_t bytes);
  void evict_round(std::unique_ptr<Segment>& segment, std::size_t bytes);
  class Snapshot;
  void add_to(Snapshot& scan, const Segment& segment, std::string_view from, std::string_view to);
  Status scan_segment(Segment& segment, std::string_view from, std::string_view to, const Visit& visit);
  Status visit_key(Segment& segment, std::string_view key, const Visit& visit, bool& go_on);

  MapStoreOptions options_;
  std::size_t value_size_;
  bool trivial_;
  std::int64_t span_ = 1;  // ms of windows in a segment
  StateDb* db_;
  std::string name_;
  bool changelog_;
  std::uint32_t id_ = 0;
  std::map<std::int64_t, std::unique_ptr<Segment>> segments_;
  Segment* last_ = nullptr;  // the segment used last

  DropHook on_drop_;
  std::vector<Entry*> dirty_, committing_;
  std::vector<Entry*> unread_;
  std::int64_t committed_end_ = 0, durable_end_ = 0;
  std::int64_t durable_time_ = 0;  // as it was opened
  // Behind values and images; behind values of dirty entries, as they were when the change began, or were made.
  // What grows in place is known at the next commit.
  std::size_t heap_bytes_ = 0, dirty_heap_bytes_ = 0;
  std::size_t committing_bytes_ = 0, undurable_bytes_ = 0;
  std::int64_t expire_dirty_ = INT64_MIN, expire_committing_ = INT64_MIN, expired_ = INT64_MIN;
  /// Changelog records before `position` are of windows up to `newest`; the first of these since the mark before.
  struct Mark {
    std::int64_t position, first, newest;
  };
  std::deque<Mark> marks_;
  std::int64_t newest_window_ = INT64_MIN, newest_committing_ = INT64_MIN, expired_position_ = 0;
  bool committing_now_ = false;
  std::uint64_t version_ = next_version();
  bool replaying_ = false;
  std::vector<Segment*> bulk_segments_;  // written last
  std::unique_ptr<BulkLoad> bulk_;       // while a changelog is replayed that memory cannot hold

  // Scratch of look-ups.
  std::vector<std::uint64_t> hashes_;
  std::vector<Segment*> probe_segments_;
  std::vector<Entry*> missing_;
  KeyBuffer stored_keys_;
  std::string encoded_;
};

}  // namespace millrace::inline exec
