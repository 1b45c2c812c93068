#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

#include "exec/state/slab.h"

namespace millrace::inline exec {

/// One key of a store and its value, in one piece of memory: this header, the value, the key bytes.
struct Entry {
  enum Flag : std::uint16_t {
    kPresent = 1,            // the key has a value now
    kDirty = 2,              // changed since the last begin_commit
    kBasePresent = 4,        // it had a value then (images->base)
    kCommitting = 8,         // changed in the commit under way
    kCommittedPresent = 16,  // it had a value before that (images->committed)
    kUndurable = 32,         // RocksDB does not have the committed value
    kTouched = 64,           // used since the last eviction pass
    kLoading = 128,          // within a look-up: RocksDB is still to be asked
    kUnread = 256,           // made without asking RocksDB: the value is only what has come since
  };
  struct Images {
    std::byte* base = nullptr;
    std::byte* committed = nullptr;
  };

  std::uint64_t hash;
  Images* images;
  std::int64_t window;  // start; 0 in stores without windows
  std::uint32_t key_size;
  std::uint16_t flags;
  std::uint16_t mark;  // free for the operator: which run of rows saw it last

  bool present() const { return (flags & kPresent) != 0; }
  bool has(Flag flag) const { return (flags & flag) != 0; }
  void set(int flag) { flags = static_cast<std::uint16_t>(flags | flag); }
  void clear(int flag) { flags = static_cast<std::uint16_t>(flags & ~flag); }
  std::byte* value() { return reinterpret_cast<std::byte*>(this + 1); }
  const std::byte* value() const { return reinterpret_cast<const std::byte*>(this + 1); }
  std::string_view key(std::size_t value_size) const {
    return {reinterpret_cast<const char*>(value() + value_size), key_size};
  }
};
static_assert(sizeof(Entry) == 32);

std::uint64_t hash_key(std::string_view key);

/// Open addressing over entries: a slot is 16 bits of the hash and 48 bits of pointer, so most wrong entries are never
/// looked at. Owns entries' memory, not what their values own. One thread.
class KeyTable {
 public:
  /// Room for about `expected_keys` is made at once.
  explicit KeyTable(std::size_t value_size, std::size_t expected_keys = 0)
      : value_size_(value_size), slots_(std::max(kFirstSlots, std::bit_ceil(expected_keys * 4 / 3))) {}

  std::size_t size() const { return size_; }
  std::size_t memory() const { return slab_.used() + slots_.size() * sizeof(std::uint64_t); }
  std::size_t value_size() const { return value_size_; }
  Slab& slab() { return slab_; }

  void prefetch_slot(std::uint64_t hash) const { __builtin_prefetch(&slots_[hash & mask()]); }
  /// After prefetch_slot: brings the entry that probably is the key's.
  void prefetch_entry(std::uint64_t hash) const {
    const std::uint64_t slot = slots_[hash & mask()];
    if (slot != 0 && tag(slot) == tag(hash)) {
      const auto* at = reinterpret_cast<const char*>(pointer(slot));
      __builtin_prefetch(at);
      __builtin_prefetch(at + 64);
    }
  }
  Entry* find(std::uint64_t hash, std::string_view key) const {
    for (std::size_t i = hash & mask();; i = (i + 1) & mask()) {
      const std::uint64_t slot = slots_[i];
      if (slot == 0) return nullptr;
      if (tag(slot) == tag(hash) && matches(*pointer(slot), key)) return pointer(slot);
    }
  }
  /// Precondition: the key is not there. The entry has no flags and no value.
  Entry* insert(std::uint64_t hash, std::string_view key, std::int64_t window) {
    if ((size_ + 1) * 4 > slots_.size() * 3) grow();
    auto* entry = static_cast<Entry*>(slab_.allocate(sizeof(Entry) + value_size_ + key.size()));
    *entry = Entry{hash, nullptr, window, static_cast<std::uint32_t>(key.size()), 0, 0};
    if (!key.empty()) std::memcpy(entry->value() + value_size_, key.data(), key.size());
    place(entry);
    ++size_;
    return entry;
  }
  /// Frees the entry's memory. Its value must be destroyed and its images freed before.
  void erase(Entry* entry);

  template <class Visit>
  void for_each(Visit visit) const {
    constexpr std::size_t kAhead = 16;
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      if (i + kAhead < slots_.size()) __builtin_prefetch(pointer(slots_[i + kAhead]));
      if (slots_[i] != 0) visit(*pointer(slots_[i]));
    }
  }
  /// Calls `visit` on entries from slot `from` on, around the end, until it returns false or all were visited; returns
  /// where to go on.
  template <class Visit>
  std::size_t visit_from(std::size_t from, Visit visit) const {
    constexpr std::size_t kAhead = 16;
    for (std::size_t i = 0; i < slots_.size(); ++i) {
      const std::size_t at = (from + i) & mask();
      __builtin_prefetch(pointer(slots_[(at + kAhead) & mask()]));
      if (slots_[at] != 0 && !visit(*pointer(slots_[at]))) return at;
    }
    return from;
  }
  /// What an entry takes, without what its value owns and its images.
  std::size_t bytes_of(const Entry& entry) const { return Slab::taken(sizeof(Entry) + value_size_ + entry.key_size); }

 private:
  static constexpr std::size_t kFirstSlots = 16;
  static constexpr std::uint64_t kPointerMask = (std::uint64_t{1} << 48) - 1;
  static std::uint64_t tag(std::uint64_t bits) { return bits >> 48; }
  static Entry* pointer(std::uint64_t slot) { return reinterpret_cast<Entry*>(slot & kPointerMask); }
  std::size_t mask() const { return slots_.size() - 1; }
  bool matches(const Entry& entry, std::string_view key) const {
    return entry.key_size == key.size() &&
           (key.empty() || std::memcmp(entry.value() + value_size_, key.data(), key.size()) == 0);
  }
  void place(Entry* entry) {
    std::size_t i = entry->hash & mask();
    while (slots_[i] != 0) i = (i + 1) & mask();
    slots_[i] = (entry->hash & ~kPointerMask) | reinterpret_cast<std::uint64_t>(entry);
  }
  void grow();

  std::size_t value_size_;
  std::vector<std::uint64_t> slots_;  // a power of two of them, at most three quarters full
  std::size_t size_ = 0;
  Slab slab_;
};

}  // namespace millrace::inline exec
