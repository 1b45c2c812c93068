#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "exec/state/map_store.h"

namespace millrace::inline exec {

/// Per key a list of values that each span some time: sessions. Kept in a MapStore under `key | end | start`, so
/// changes, commits, spills and expiry (by end) are its own; here is the list of each key. One thread.
class OrderedStore final : public Store {
 public:
  struct Options {
    std::shared_ptr<const ValueLayout> layout;
    std::int64_t advance_ms = 1;  // with the retention decides the length of a segment
    std::int64_t retention_ms = 0;
  };
  struct Item {
    std::int64_t start, end;
    Entry* entry;
  };
  /// Present items of a key by end, then start.
  using List = std::vector<Item>;

  static Result<std::unique_ptr<OrderedStore>> open(const StoreSlot& slot, Options options);

  /// The list of each key (without window). What ends at `from[i]` or later is in it, RocksDB included; earlier items
  /// may lack. Lists stay good until the next call of anything but change, insert and erase; those keep them up to
  /// date.
  Status lists(const KeyBuffer& keys, std::span<const std::int64_t> from, std::vector<List*>& out);
  /// The same to read only: a key of which there is nothing takes no memory.
  Status find_lists(const KeyBuffer& keys, std::span<const std::int64_t> from, std::vector<const List*>& out);
  /// An entry without a value for (key, start, end), in the list. The caller makes the value at once. Precondition: it
  /// is not in the list.
  Entry* insert(List& list, std::string_view key, std::int64_t start, std::int64_t end);
  /// Into whatever is there of the key's list. Precondition: the store has no such item.
  Entry* insert(std::string_view key, std::int64_t start, std::int64_t end);
  /// Takes the item out of its list and removes its value.
  void erase(List& list, std::size_t item);
  /// The value of an item goes over to `to`, an entry fresh from `insert`; the item is erased.
  void move(List& list, std::size_t item, Entry& to);

  MapStore& map() { return *map_; }
  const MapStore& map() const { return *map_; }
  static std::int64_t start_of(std::string_view key) { return read_window(key.data() + key.size() - 8); }
  static std::int64_t end_of(std::string_view key) { return read_window(key.data() + key.size() - 16); }

  Status begin_commit(ChangelogSink& changelog) override { return map_->begin_commit(changelog); }
  void commit_done(std::int64_t changelog_end) override { map_->commit_done(changelog_end); }
  void roll_back() override {
    map_->roll_back();
    forget();
  }
  void expect_large_restore() override { map_->expect_large_restore(); }
  Status restore(std::span<const RecordView> records) override {
    forget();
    return map_->restore(records);
  }
  Status restored(std::int64_t changelog_end) override { return map_->restored(changelog_end); }
  Status clear() override {
    forget();
    return map_->clear();
  }
  std::int64_t durable_position() const override { return map_->durable_position(); }
  std::int64_t durable_time() const override { return map_->durable_time(); }
  std::int64_t expired_position() const override { return map_->expired_position(); }
  bool has_to_write() const override { return map_->has_to_write(); }
  std::uint32_t file_order() const override { return map_->file_order(); }
  Status write(StateFile& file) override { return map_->write(file); }
  void written() override { map_->written(); }
  void shrink(std::size_t target_memory_bytes) override { map_->shrink(target_memory_bytes); }
  Status spill(std::size_t target_memory_bytes) override { return map_->spill(target_memory_bytes); }
  std::size_t memory_bytes() const override {
    return map_->memory_bytes() + lists_.size() * kListBytes + map_->size() * 2 * sizeof(Item);
  }
  std::size_t dirty_bytes() const override { return map_->dirty_bytes(); }
  std::size_t undurable_bytes() const override { return map_->undurable_bytes(); }
  Status get(std::string_view key, const Visit& visit) override { return map_->get(key, visit); }
  Status scan(std::string_view from, std::string_view to, const Visit& visit) override {
    return map_->scan(from, to, visit);
  }
  Result<std::unique_ptr<StoreScan>> snapshot(std::string_view from, std::string_view to) override {
    return map_->snapshot(from, to);
  }
  Status get_windows(std::string_view key, std::int64_t from, std::int64_t to, const Visit& visit) override;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view key) const { return hash_key(key); }
  };
  struct Known {
    List list;
    std::int64_t whole_from = INT64_MAX;  // RocksDB holds nothing that ends later and is not in the list
    std::uint64_t dropped = 0;            // number of the last drop that it was cleared of
  };

  static constexpr std::size_t kListBytes = 160;  // with its key and its place in the table

  OrderedStore() = default;
  void forget();
  void prepare();
  Known& known(std::string_view key);
  Status load(Known& known, std::string_view key, std::int64_t from, MapStore::Cursor& cursor);
  void drop_empty();
  void rebuild();
  void dropped(std::span<Entry* const> entries);

  std::unique_ptr<MapStore> map_;
  std::unordered_map<std::string, Known, Hash, std::equal_to<>> lists_;
  const List none_;
  std::string full_key_;
  std::vector<Entry*> loaded_;
  std::uint64_t drops_ = 0;
  std::size_t drop_empty_at_ = 1 << 12;  // lists
  bool current_ = true;                  // lists_ know all that is in memory
};

}  // namespace millrace::inline exec
