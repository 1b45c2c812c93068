#include "exec/state/map_store.h"

#include <algorithm>

namespace millrace::inline exec {
namespace {

constexpr std::size_t kBlock = 64;  // keys prefetched together

}  // namespace

MapStore::MapStore(const StoreSlot& slot, MapStoreOptions options)
    : options_(std::move(options)),
      value_size_((options_.layout->size() + 7) / 8 * 8),
      trivial_(options_.layout->trivial()),
      db_(slot.db),
      name_(slot.prefix),
      changelog_(slot.changelog) {
  if (options_.window_bytes != 0) span_ = span_of(options_.most_segments);
}

std::int64_t MapStore::span_of(std::int64_t most_segments) const {
  const std::int64_t advance = std::max<std::int64_t>(options_.advance_ms, 1);
  const std::int64_t windows = std::max<std::int64_t>(options_.retention_ms / advance, 1);
  return advance * ((windows + most_segments - 1) / most_segments);
}

Result<std::unique_ptr<MapStore>> MapStore::open(const StoreSlot& slot, MapStoreOptions options) {
  std::unique_ptr<MapStore> store(new MapStore(slot, std::move(options)));
  if (store->db_ != nullptr)
    if (Status loaded = store->load_segments(); !loaded) return loaded.error();
  return store;
}

MapStore::~MapStore() {
  for (auto& [id, segment] : segments_) free_segment(*segment);
}

MapStore::Segment& MapStore::segment(std::int64_t window) {
  const std::int64_t id = segment_id(window);
  if (last_ != nullptr && last_->id == id) return *last_;
  // The newest window will probably hold about as many keys as the one before it.
  const bool newest = !segments_.empty() && id > segments_.rbegin()->first;
  const std::size_t expected = newest ? segments_.rbegin()->second->table.size() : 0;
  std::unique_ptr<Segment>& found = segments_[id];
  if (found == nullptr) found = std::make_unique<Segment>(id, value_size_, expected);
  last_ = found.get();
  return *last_;
}

MapStore::Segment* MapStore::find_segment(std::int64_t window) {
  const std::int64_t id = segment_id(window);
  if (last_ != nullptr && last_->id == id) return last_;
  const auto found = segments_.find(id);
  if (found == segments_.end()) return nullptr;
  last_ = found->second.get();
  return last_;
}

Status MapStore::find_or_create(const KeyBuffer& keys, std::span<Entry*> out) {
  return probe(keys, out, Miss::read);
}

Status MapStore::find_or_create_unread(const KeyBuffer& keys, std::span<Entry*> out) {
  return probe(keys, out, Miss::make_unread);
}

Entry* MapStore::make(std::string_view key) {
  KeyTable& table = segment(window_of(key)).table;
  const std::uint64_t hash = hash_key(key);
  Entry* entry = table.find(hash, key);
  if (entry == nullptr) entry = table.insert(hash, key, window_of(key));
  entry->set(Entry::kTouched);
  return entry;
}

Status MapStore::find(const KeyBuffer& keys, std::span<Entry*> out) {
  if (Status probed = probe(keys, out, Miss::leave); !probed) return probed;
  for (Entry*& entry : out)
    if (entry != nullptr && !entry->present()) entry = nullptr;
  return {};
}

/// Blocks of keys go through three passes (hash and fetch the slot, fetch the entry, compare), so that cache misses
/// overlap.
Status MapStore::probe(const KeyBuffer& keys, std::span<Entry*> out, Miss miss) {
  const bool create = miss != Miss::leave;
  missing_.clear();
  hashes_.resize(kBlock);
  probe_segments_.resize(kBlock);
  for (std::size_t from = 0; from < keys.size(); from += kBlock) {
    const std::size_t count = std::min(kBlock, keys.size() - from);
    for (std::size_t i = 0; i < count; ++i) {
      const std::string_view key = keys[from + i];
      Segment* segment = create ? &this->segment(window_of(key)) : find_segment(window_of(key));
      probe_segments_[i] = segment;
      hashes_[i] = hash_key(key);
      if (segment != nullptr) segment->table.prefetch_slot(hashes_[i]);
    }
    for (std::size_t i = 0; i < count; ++i)
      if (probe_segments_[i] != nullptr) probe_segments_[i]->table.prefetch_entry(hashes_[i]);
    for (std::size_t i = 0; i < count; ++i) {
      Segment* segment = probe_segments_[i];
      if (segment == nullptr) {
        out[from + i] = nullptr;
        continue;
      }
      const std::string_view key = keys[from + i];
      Entry* entry = segment->table.find(hashes_[i], key);
      if (entry == nullptr && (create || !segment->complete)) {
        entry = segment->table.insert(hashes_[i], key, window_of(key));
        if (!segment->complete) {
          entry->set(miss == Miss::make_unread ? Entry::kUnread : Entry::kLoading);
          (miss == Miss::make_unread ? unread_ : missing_).push_back(entry);
        }
      }
      if (entry != nullptr) entry->set(Entry::kTouched);
      out[from + i] = entry;
    }
  }
  return missing_.empty() ? Status{} : load_missing(missing_);
}

Status MapStore::load_missing(std::vector<Entry*>& missing) {
  Status read = read_stored(missing, [&](std::size_t place, std::string_view stored) -> Status {
    Entry& entry = *missing[place];
    if (!options_.layout->decode(stored, entry.value()))
      return Error{Fault::bug, "state " + name_ + ": a stored value cannot be read"};
    entry.set(Entry::kPresent);
    if (!trivial_) heap_bytes_ += options_.layout->heap_bytes(entry.value());
    return {};
  });
  for (Entry* entry : missing) {
    entry->clear(Entry::kLoading);
    if (read) continue;
    if (entry->present()) drop_value(*entry);
    segment(entry->window).table.erase(entry);  // unknown is not absent
  }
  return read;
}

/// Puts the entries in the order of RocksDB.
Status MapStore::read_stored(std::vector<Entry*>& entries, const StateDb::Found& found) {
  sort_by_key(entries);
  if (options_.window_bytes != 0)
    std::stable_sort(entries.begin(), entries.end(),
                     [this](const Entry* a, const Entry* b) { return segment_id(a->window) < segment_id(b->window); });
  constexpr std::size_t kAtOnce = 8192;
  for (std::size_t from = 0; from < entries.size(); from += kAtOnce) {
    const std::size_t to = std::min(entries.size(), from + kAtOnce);
    stored_keys_.clear();
    for (std::size_t i = from; i < to; ++i) {
      if (options_.window_bytes != 0) append_window(segment_id(entries[i]->window), stored_keys_.bytes);
      stored_keys_.bytes.append(key(*entries[i]));
      stored_keys_.ends.push_back(static_cast<std::uint32_t>(stored_keys_.bytes.size()));
    }
    Status read = db_->look_up(id_, stored_keys_,
                               [&](std::size_t place, std::string_view stored) { return found(from + place, stored); });
    if (!read) return read;
  }
  return {};
}

Status MapStore::read_unread(const Merge& merge) {
  if (unread_.empty()) return {};
  Status read = read_stored(unread_, [&](std::size_t place, std::string_view stored) {
    return merge_stored(*unread_[place], stored, merge);
  });
  if (read)
    for (Entry* entry : unread_) entry->clear(Entry::kUnread);
  std::erase_if(unread_, [](const Entry* entry) { return !entry->has(Entry::kUnread); });
  return read;
}

Status MapStore::merge_stored(Entry& entry, std::string_view stored, const Merge& merge) {
  entry.clear(Entry::kUnread);
  const auto unreadable = [this] { return Error{Fault::bug, "state " + name_ + ": a stored value cannot be read"}; };
  Segment& home = segment(entry.window);
  if (!entry.has(Entry::kDirty)) {
    if (!options_.layout->decode(stored, entry.value())) return unreadable();
    entry.set(Entry::kPresent);
    if (!trivial_) heap_bytes_ += options_.layout->heap_bytes(entry.value());
    return {};
  }
  std::byte* base = new_image(home);
  if (!options_.layout->decode(stored, base)) {
    free_image(home, base, false);
    return unreadable();
  }
  if (entry.images == nullptr) entry.images = new (home.table.slab().allocate(sizeof(Entry::Images))) Entry::Images{};
  entry.images->base = base;
  entry.set(Entry::kBasePresent);
  std::byte* value = new_image(home);
  if (trivial_) {
    std::memcpy(value, base, value_size_);
  } else {
    options_.layout->copy(base, value);
    heap_bytes_ += options_.layout->heap_bytes(base);
  }
  const Status merged = merge(value, entry.value());
  drop_value(entry);
  std::memcpy(entry.value(), value, value_size_);
  free_image(home, value, false);
  if (!trivial_) dirty_heap_bytes_ += options_.layout->heap_bytes(entry.value());
  return merged;
}

/// As part of going back: what was changed is dealt with as all changes are, the others are not known.
void MapStore::forget_unread() {
  for (Entry* entry : unread_) {
    entry->clear(Entry::kUnread);
    if (!entry->has(Entry::kDirty)) segment(entry->window).table.erase(entry);
  }
  unread_.clear();
}

void MapStore::begin_change(Entry& entry, bool keep) {
  entry.set(Entry::kDirty);
  dirty_.push_back(&entry);
  if (!entry.present()) return;
  Segment& home = segment(entry.window);
  if (entry.images == nullptr) entry.images = new (home.table.slab().allocate(sizeof(Entry::Images))) Entry::Images{};
  entry.images->base = new_image(home);
  entry.set(Entry::kBasePresent);
  if (trivial_ || !keep) {
    std::memcpy(entry.images->base, entry.value(), value_size_);
  } else {
    options_.layout->copy(entry.value(), entry.images->base);
    dirty_heap_bytes_ += options_.layout->heap_bytes(entry.images->base);
  }
}

std::byte* MapStore::replace(Entry& entry) {
  if (!entry.has(Entry::kDirty)) {
    begin_change(entry, false);
  } else if (entry.present()) {
    drop_value(entry);
  }
  entry.set(Entry::kPresent);
  return entry.value();
}

void MapStore::remove(Entry& entry) {
  if (!entry.has(Entry::kDirty)) {
    begin_change(entry, false);
  } else if (entry.present()) {
    drop_value(entry);
  }
  entry.clear(Entry::kPresent);
}

void MapStore::put_row(Entry& entry, std::int64_t timestamp, std::string_view bytes) {
  make_row_value(replace(entry), timestamp, bytes);
  dirty_heap_bytes_ += options_.layout->heap_bytes(entry.value());
}

void MapStore::count_made(std::size_t from) {
  if (trivial_) return;
  for (std::size_t i = from; i < dirty_.size(); ++i)
    if (dirty_[i]->present() && !dirty_[i]->has(Entry::kBasePresent))
      dirty_heap_bytes_ += options_.layout->heap_bytes(dirty_[i]->value());
}

void MapStore::drop_value(Entry& entry) {
  if (trivial_) return;
  std::size_t& counted = entry.has(Entry::kDirty) ? dirty_heap_bytes_ : heap_bytes_;
  counted -= std::min(counted, options_.layout->heap_bytes(entry.value()));
  options_.layout->destroy(entry.value());
}

const std::byte* MapStore::before(const Entry& entry) const {
  if (!entry.has(Entry::kDirty)) return entry.present() ? entry.value() : nullptr;
  return entry.has(Entry::kBasePresent) ? entry.images->base : nullptr;
}

void MapStore::move_value(Entry& from, Entry& to) {
  change(to);
  change(from);
  std::memcpy(to.value(), from.value(), value_size_);
  from.clear(Entry::kPresent);
  to.set(Entry::kPresent);
}

std::size_t MapStore::size() const {
  std::size_t keys = 0;
  for (const auto& [id, segment] : segments_) keys += segment->table.size();
  return keys;
}

std::int64_t MapStore::complete_from() const {
  for (auto it = segments_.rbegin(); it != segments_.rend(); ++it)
    if (!it->second->complete) return (it->first + 1) * span_;
  return INT64_MIN;
}

Status MapStore::load_windows(std::string_view prefix, std::int64_t from, std::int64_t to, Cursor& cursor,
                              std::vector<Entry*>& out) {
  const std::int64_t first = std::max<std::int64_t>(from, 0);
  KeyBuffer keys;
  for (auto it = segments_.lower_bound(segment_id(first)); it != segments_.end() && it->first * span_ < to; ++it) {
    if (it->second->complete) continue;
    std::string begin = segment_prefix(it->first);
    const std::size_t head = begin.size();
    begin.append(prefix);
    const std::size_t suffix = begin.size();
    append_window(first, begin);
    if (!cursor) cursor = db_->cursor(id_, {}, {});
    for (cursor->seek(begin); cursor->valid(); cursor->next()) {
      const std::string_view key = cursor->key();
      if (!key.starts_with(std::string_view(begin).substr(0, suffix))) break;
      if (key.size() != suffix + options_.window_bytes) continue;
      if (window_of(key) >= to) break;
      keys.bytes.append(key.substr(head));
      keys.ends.push_back(static_cast<std::uint32_t>(keys.bytes.size()));
    }
    if (Status read = cursor->status(); !read) return read;
  }
  std::vector<Entry*> found(keys.size());
  if (Status looked_up = find(keys, found); !looked_up) return looked_up;
  for (Entry* entry : found)
    if (entry != nullptr) out.push_back(entry);
  return {};
}

std::optional<std::int64_t> MapStore::segment_end(std::int64_t window) const {
  const auto found = segments_.lower_bound(segment_id(std::max<std::int64_t>(window, 0)));
  if (found == segments_.end()) return std::nullopt;
  return (found->first + 1) * span_;
}

Status MapStore::visit_windows(std::int64_t from, std::int64_t to, const VisitWindow& visit) {
  if (from >= to || segments_.empty()) return {};
  const auto within = [&](std::int64_t window) { return window >= from && window < to; };
  for (auto it = segments_.lower_bound(segment_id(from)); it != segments_.end() && it->first * span_ < to; ++it) {
    const Segment& segment = *it->second;
    segment.table.for_each([&](const Entry& entry) {
      if (entry.present() && within(entry.window)) visit(key(entry), &entry, {});
    });
    if (segment.complete) continue;
    const std::string head = segment_prefix(segment.id);
    Status scanned =
        db_->scan(id_, head, segment_prefix(segment.id + 1), [&](std::string_view full, std::string_view value) {
          const std::string_view key = full.substr(head.size());
          if (within(window_of(key)) && segment.table.find(hash_key(key), key) == nullptr) visit(key, nullptr, value);
          return true;
        });
    if (!scanned) return scanned;
  }
  return {};
}

Status MapStore::collect_windows(std::int64_t from, std::int64_t to, std::vector<Entry*>& out) {
  if (from >= to || segments_.empty()) return {};
  for (auto it = segments_.lower_bound(segment_id(from)); it != segments_.end() && it->first <= segment_id(to - 1);
       ++it) {
    Segment& segment = *it->second;
    if (!segment.complete) {
      KeyBuffer keys;
      const std::string prefix = segment_prefix(segment.id), end = segment_prefix(segment.id + 1);
      Status scanned = db_->scan(id_, prefix, end, [&](std::string_view key, std::string_view) {
        keys.bytes.append(key.substr(prefix.size()));
        keys.ends.push_back(static_cast<std::uint32_t>(keys.bytes.size()));
        return true;
      });
      if (!scanned) return scanned;
      std::vector<Entry*> loaded(keys.size());
      if (Status found = probe(keys, loaded, Miss::leave); !found) return found;
      segment.complete = true;
    }
    segment.table.for_each([&](Entry& entry) {
      if (entry.present() && entry.window >= from && entry.window < to) out.push_back(&entry);
    });
  }
  return {};
}

Status MapStore::collect_windows_in_order(std::int64_t from, std::int64_t to, std::vector<Entry*>& out) {
  Status found = collect_windows(from, to, out);
  std::sort(out.begin(), out.end(), [this](const Entry* a, const Entry* b) {
    return a->window != b->window ? a->window < b->window : key(*a) < key(*b);
  });
  return found;
}

std::size_t MapStore::memory_bytes() const {
  std::size_t bytes = heap_bytes_ + dirty_heap_bytes_ + (bulk_ ? bulk_->memory_bytes() : 0) +
                      (dirty_.capacity() + committing_.capacity() + unread_.capacity()) * sizeof(Entry*);
  for (const auto& [id, segment] : segments_)
    bytes += segment->table.memory() + segment->undurable.capacity() * sizeof(Entry*) + sizeof(Segment);
  return bytes;
}

}  // namespace millrace::inline exec
