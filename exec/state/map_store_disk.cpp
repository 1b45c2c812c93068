#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#include "exec/state/map_store.h"
#include "exec/state/spill.h"

namespace millrace::inline exec {
namespace {

constexpr std::size_t kAhead = 16;  // entries on their way from memory while others are worked on

void prefetch(const Entry& entry) {
  const auto* at = reinterpret_cast<const char*>(&entry);
  __builtin_prefetch(at);
  __builtin_prefetch(at + 64);
}

}  // namespace

std::string MapStore::segment_prefix(std::int64_t id) const {
  std::string out;
  if (options_.window_bytes != 0) append_window(id, out);
  return out;
}

std::string MapStore::db_key(const Segment& segment, std::string_view key) const {
  return segment_prefix(segment.id).append(key);
}

/// Which segments RocksDB holds, found by leaping from one to the next.
Status MapStore::load_segments() {
  const Result<std::uint32_t> id = db_->id(name_);
  if (!id) return id.error();
  id_ = *id;
  const Result<std::int64_t> position = db_->position(id_);
  if (!position) return position.error();
  durable_end_ = committed_end_ = *position;
  const Result<std::int64_t> time = db_->position_time(id_);
  if (!time) return time.error();
  durable_time_ = *time;
  std::string from;
  for (;;) {
    const Result<std::optional<std::string>> key = db_->seek(id_, from);
    if (!key) return key.error();
    if (from.empty())
      if (Status loaded = load_span(key->has_value()); !loaded) return loaded;
    if (!key->has_value()) return {};
    const std::int64_t segment_id = options_.window_bytes == 0 ? 0 : read_window((*key)->data());
    auto segment = std::make_unique<Segment>(segment_id, value_size_);
    segment->in_db = true;
    segment->complete = false;
    segments_.emplace(segment_id, std::move(segment));
    if (options_.window_bytes == 0) return {};
    from = segment_prefix(segment_id + 1);
  }
}

/// Keys on disk stand under their segments, so those stay as long as they were when the first was written. Stores of
/// earlier builds do not tell; theirs is what it was by default.
Status MapStore::load_span(bool holds_data) {
  if (options_.window_bytes == 0) return {};
  const Result<std::int64_t> span = db_->segment_span(id_);
  if (!span) return span.error();
  if (*span == 0 && !holds_data) return db_->set_segment_span(id_, span_);
  span_ = *span != 0 ? *span : span_of(MapStoreOptions{}.most_segments);
  return {};
}

bool MapStore::has_to_write() const {
  if (db_ == nullptr) return false;
  return committed_end_ > durable_end_ || (bulk_ && !bulk_->empty());
}

Status MapStore::write(StateFile& file) {
  if (Status begun = file.begin(id_, committed_end_, undurable_bytes_); !begun) return begun;
  return bulk_ ? write_bulk(file) : write_segments(file);
}

void MapStore::shrink(std::size_t target_memory_bytes) {
  if (db_ == nullptr || bulk_ || memory_bytes() <= target_memory_bytes) return;
  if (replaying_) {
    begin_bulk();
  } else {
    evict(target_memory_bytes);
  }
}

Status MapStore::spill(std::size_t target_memory_bytes) {
  if (db_ == nullptr) return {};
  Store* self = this;
  if (Status spilled = spill_stores(*db_, {&self, 1}); !spilled) return spilled;
  shrink(target_memory_bytes);
  return {};
}

/// By the first sixteen bytes as numbers, which decides nearly always, then by the whole key.
void MapStore::sort_by_key(std::vector<Entry*>& entries) const {
  struct Item {
    std::uint64_t high, low;
    Entry* entry;
  };
  const auto number = [](std::string_view bytes) {
    std::uint64_t bits = 0;
    std::memcpy(&bits, bytes.data(), std::min<std::size_t>(bytes.size(), sizeof(bits)));
    if constexpr (std::endian::native == std::endian::little) bits = __builtin_bswap64(bits);
    return bits;
  };
  std::vector<Item> items;
  items.reserve(entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (i + kAhead < entries.size()) prefetch(*entries[i + kAhead]);
    const std::string_view bytes = key(*entries[i]);
    items.push_back({number(bytes), bytes.size() > 8 ? number(bytes.substr(8)) : 0, entries[i]});
  }
  std::sort(items.begin(), items.end(), [this](const Item& a, const Item& b) {
    if (a.high != b.high) return a.high < b.high;
    if (a.low != b.low) return a.low < b.low;
    return key(*a.entry) < key(*b.entry);
  });
  for (std::size_t i = 0; i < items.size(); ++i) entries[i] = items[i].entry;
}

Status MapStore::write_segment(Segment& segment, StateFile& file) {
  sort_by_key(segment.undurable);
  std::string full = segment_prefix(segment.id);
  const std::size_t prefix = full.size();
  const auto& entries = segment.undurable;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (i + kAhead < entries.size()) prefetch(*entries[i + kAhead]);
    const std::byte* value = committed(*entries[i]);
    if (value == nullptr && !segment.in_db) continue;
    encoded_.clear();
    if (value != nullptr) options_.layout->encode(value, encoded_);
    full.resize(prefix);
    full.append(key(*entries[i]));
    if (Status put = value != nullptr ? file.put(full, encoded_) : file.remove(full); !put) return put;
  }
  return {};
}

Status MapStore::write_segments(StateFile& file) {
  // Windows that RocksDB has not seen lie apart from those it knows, and from the newest, of which more will come.
  const Segment* previous = nullptr;
  for (auto& [id, segment] : segments_) {
    if (segment->undurable.empty()) continue;
    if (previous != nullptr && (previous->in_db != segment->in_db || segment == segments_.rbegin()->second))
      if (Status done = file.cut(); !done) return done;
    if (Status done = write_segment(*segment, file); !done) return done;
    previous = segment.get();
  }
  return {};
}

void MapStore::written() {
  durable_end_ = committed_end_;
  undurable_bytes_ = 0;
  if (bulk_) {
    bulk_->reset();
    for (Segment* segment : std::exchange(bulk_segments_, {})) {
      segment->in_db = true;
      segment->complete = false;
    }
    return;
  }
  for (auto& [id, segment] : segments_) {
    std::vector<Entry*> done;
    done.swap(segment->undurable);
    if (!done.empty()) segment->in_db = true;
    for (std::size_t i = 0; i < done.size(); ++i) {
      if (i + kAhead < done.size()) __builtin_prefetch(done[i + kAhead], 1);
      done[i]->clear(Entry::kUndurable);
      drop_removed(*done[i]);
    }
  }
}

/// Oldest segments first and as wholes; a store without windows lets go of as much as is asked.
void MapStore::evict(std::size_t target) {
  const bool windowed = options_.window_bytes != 0;
  std::size_t memory = memory_bytes();
  for (auto& [id, segment] : segments_) {
    if (memory <= target) return;
    const std::size_t held = segment->table.memory() + heap_bytes_;
    evict(segment, windowed ? SIZE_MAX : memory - target);
    const std::size_t left = segment->table.memory() + heap_bytes_;
    memory -= std::min(memory, held - std::min(held, left));
  }
}

/// Where not all are to leave, what was used since the hand last came by stays for another round.
void MapStore::evict(std::unique_ptr<Segment>& segment, std::size_t bytes) {
  for (int round = 0; round < 2 && bytes != 0; ++round) {
    const std::size_t held = segment->table.memory() + heap_bytes_;
    evict_round(segment, bytes);
    const std::size_t left = segment->table.memory() + heap_bytes_;
    bytes = bytes == SIZE_MAX ? 0 : bytes - std::min(bytes, held - std::min(held, left));
  }
}

void MapStore::evict_round(std::unique_ptr<Segment>& segment, std::size_t bytes) {
  constexpr int kPinned = Entry::kDirty | Entry::kCommitting | Entry::kUndurable | Entry::kLoading | Entry::kUnread;
  std::vector<Entry*> victims;
  std::size_t found = 0;
  segment->hand = segment->table.visit_from(segment->hand, [&](Entry& entry) {
    if ((entry.flags & kPinned) != 0) return true;
    const bool used = entry.has(Entry::kTouched);
    entry.clear(Entry::kTouched);
    if (used && bytes != SIZE_MAX) return true;
    victims.push_back(&entry);
    found += segment->table.bytes_of(entry);
    if (!trivial_ && entry.present()) found += options_.layout->heap_bytes(entry.value());
    return found < bytes;
  });
  if (victims.empty()) return;
  if (segment->in_db) segment->complete = false;
  if (on_drop_) on_drop_(victims);
  if (!trivial_)
    for (Entry* entry : victims)
      if (entry->present()) drop_value(*entry);
  if (victims.size() != segment->table.size()) {
    for (Entry* entry : victims) segment->table.erase(entry);
    return;
  }
  auto fresh = std::make_unique<Segment>(segment->id, value_size_);  // gives the memory back as a whole
  fresh->in_db = segment->in_db;
  fresh->complete = segment->complete;
  if (last_ == segment.get()) last_ = nullptr;
  segment = std::move(fresh);
}

const std::byte* MapStore::committed(const Entry& entry) const {
  if (entry.has(Entry::kCommitting)) return entry.has(Entry::kCommittedPresent) ? entry.images->committed : nullptr;
  return before(entry);
}

Status MapStore::visit_key(Segment& segment, std::string_view key, const Visit& visit, bool& go_on) {
  const Entry* entry = segment.table.find(hash_key(key), key);
  if (entry != nullptr && !entry->has(Entry::kUnread)) {
    if (const std::byte* value = committed(*entry)) {
      std::string bytes;
      options_.layout->encode(value, bytes);
      go_on = visit(key, bytes);
    }
    return {};
  }
  if (segment.complete) return {};
  std::vector<std::optional<std::string>> values;
  const std::string full = db_key(segment, key);
  if (Status read = db_->multi_get(id_, {&full, 1}, values); !read) return read;
  if (values[0].has_value()) go_on = visit(key, *values[0]);
  return {};
}

Status MapStore::get(std::string_view key, const Visit& visit) {
  if (key.size() < options_.window_bytes) return {};
  Segment* segment = find_segment(window_of(key));
  bool go_on = true;
  return segment == nullptr ? Status{} : visit_key(*segment, key, visit, go_on);
}

Status MapStore::get_windows(std::string_view key, std::int64_t from, std::int64_t to, const Visit& visit) {
  if (options_.window_bytes == 0) return get(key, visit);
  from = std::max<std::int64_t>(from, 0);
  if (segments_.empty() || from > to) return {};
  const std::int64_t advance = options_.advance_ms;
  bool go_on = true;
  for (auto it = segments_.lower_bound(segment_id(from)); it != segments_.end() && go_on; ++it) {
    const std::int64_t first = std::max(from, it->first * span_), last = std::min(to, (it->first + 1) * span_ - 1);
    if (first > to) break;
    for (std::int64_t start = (first + advance - 1) / advance * advance; start <= last && go_on; start += advance) {
      std::string full(key);
      append_window(start, full);
      if (Status visited = visit_key(*it->second, full, visit, go_on); !visited) return visited;
    }
  }
  return {};
}

Status MapStore::scan(std::string_view from, std::string_view to, const Visit& visit) {
  if (options_.window_bytes == 0) {
    const auto only = segments_.find(0);
    return only == segments_.end() ? Status{} : scan_segment(*only->second, from, to, visit);
  }
  std::vector<std::pair<std::string, std::string>> rows;  // segments interleave in key order
  for (auto& [id, segment] : segments_) {
    Status scanned = scan_segment(*segment, from, to, [&](std::string_view key, std::string_view value) {
      rows.emplace_back(key, value);
      return true;
    });
    if (!scanned) return scanned;
  }
  std::sort(rows.begin(), rows.end());
  for (const auto& [key, value] : rows)
    if (!visit(key, value)) break;
  return {};
}

/// Memory's entries in key order merged with RocksDB's; memory wins.
Status MapStore::scan_segment(Segment& segment, std::string_view from, std::string_view to, const Visit& visit) {
  std::vector<const Entry*> mine;
  segment.table.for_each([&](const Entry& entry) {
    if (!entry.has(Entry::kUnread) && key(entry) >= from && (to.empty() || key(entry) < to)) mine.push_back(&entry);
  });
  std::sort(mine.begin(), mine.end(), [this](const Entry* a, const Entry* b) { return key(*a) < key(*b); });
  std::size_t next = 0;
  bool go_on = true;
  std::string bytes;
  const auto give = [&](const Entry& entry) {
    const std::byte* value = committed(entry);
    if (value == nullptr) return true;
    bytes.clear();
    options_.layout->encode(value, bytes);
    return visit(key(entry), bytes);
  };
  if (!segment.complete) {
    const std::size_t prefix = segment_prefix(segment.id).size();
    const auto [first, last] = db_range(segment, from, to);
    Status scanned = db_->scan(id_, first, last, [&](std::string_view full, std::string_view value) {
      const std::string_view stored = full.substr(prefix);
      while (go_on && next < mine.size() && key(*mine[next]) < stored) go_on = give(*mine[next++]);
      if (go_on && next < mine.size() && key(*mine[next]) == stored) {
        go_on = give(*mine[next++]);
      } else if (go_on) {
        go_on = visit(stored, value);
      }
      return go_on;
    });
    if (!scanned) return scanned;
  }
  while (go_on && next < mine.size()) go_on = give(*mine[next++]);
  return {};
}

}  // namespace millrace::inline exec
