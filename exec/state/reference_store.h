#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "exec/state/index_store.h"
#include "exec/state/key_table.h"

namespace millrace::inline exec {

/// An index that finds pairs by their first alone. Memory holds all of it until it is to `shrink`, then what changed
/// since the last spill, RocksDB the rest.
///
/// In memory a pair is an entry of a hash table, in the list of those with its first; Entry's flags say what it is now,
/// before the last change and in the commit under way, and whether RocksDB has to hear of it.
class ReferenceStore final : public IndexStore {
 public:
  static Result<std::unique_ptr<ReferenceStore>> open(const StoreSlot& slot, const MapStore* of = nullptr);

  void add(std::string_view first, std::string_view second) { put(first, second, true); }
  void remove(std::string_view first, std::string_view second) { put(first, second, false); }
  /// As part of filling it: as if it had been committed before.
  Status load(std::string_view first, std::string_view second);
  /// The second of every pair with this first, ascending; `visit` must not change the store.
  using VisitSecond = std::function<Status(std::string_view second)>;
  Status visit(std::string_view first, const VisitSecond& visit) const;

  Status begin_commit(ChangelogSink&) override;
  void commit_done(std::int64_t) override;
  void roll_back() override;
  Status clear() override;
  Status write(StateFile& file) override;
  void written() override;
  void shrink(std::size_t target_memory_bytes) override;
  std::size_t memory_bytes() const override;
  std::size_t dirty_bytes() const override { return dirty_bytes_; }

 private:
  static constexpr int kKnown = Entry::kTouched;  // it was committed once, or is in RocksDB

  /// The value of a pair: its place among those with the same first.
  struct Link {
    Entry* before;
    Entry* next;
    Entry* home;  // in firsts_; the value there is the first in the list
  };
  static Link& link(Entry& pair) { return *reinterpret_cast<Link*>(pair.value()); }
  static const Link& link(const Entry& pair) { return *reinterpret_cast<const Link*>(pair.value()); }
  static Entry*& list(Entry& home) { return *reinterpret_cast<Entry**>(home.value()); }
  static std::string_view key(const Entry& pair) { return pair.key(sizeof(Link)); }
  static std::size_t bytes(const Entry& pair) { return sizeof(Entry) + sizeof(Link) + pair.key_size; }
  /// Whether it is there as far as commits that have ended say.
  static bool committed(const Entry& pair) {
    return pair.has(pair.has(Entry::kCommitting) ? Entry::kCommittedPresent
                    : pair.has(Entry::kDirty)    ? Entry::kBasePresent
                                                 : Entry::kPresent);
  }
  struct Second {
    std::string_view bytes;
    bool present;
  };

  ReferenceStore() = default;
  std::size_t unwritten_bytes() const override { return undurable_bytes_; }
  void put(std::string_view first, std::string_view second, bool present);
  Entry* find_or_make(std::string_view first, std::string_view second);
  void set_present(Entry& pair, bool present) { present ? pair.set(Entry::kPresent) : pair.clear(Entry::kPresent); }
  void to_write(Entry& pair);
  void drop(Entry& pair);
  void drop_if_useless(Entry& pair);
  void forget_all();
  Status visit_both(std::string_view first, std::span<const Second> seconds, const VisitSecond& visit) const;

  bool complete_ = true;  // memory has all pairs that are there
  KeyTable pairs_{sizeof(Link)}, firsts_{sizeof(Entry*)};
  std::vector<Entry*> dirty_, committing_, undurable_;
  std::size_t dirty_bytes_ = 0, undurable_bytes_ = 0;
  mutable std::vector<Second> seconds_;
  std::string key_;
};

}  // namespace millrace::inline exec
