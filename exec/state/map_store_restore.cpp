#include <algorithm>

#include "exec/state/map_store.h"
#include "exec/state/spill.h"

// A changelog is replayed into memory as long as memory suffices; from then on into sorted files, past the hash tables.
namespace millrace::inline exec {

Status MapStore::restore(std::span<const RecordView> records) {
  replaying_ = true;
  version_ = next_version();
  for (const RecordView& record : records) {
    committed_end_ = std::max(committed_end_, record.offset + 1);
    if (!record.key.has_value() || record.key->size() < options_.window_bytes) continue;
    const std::int64_t window = window_of(*record.key);
    if (options_.window_bytes != 0 && (segment_id(window) + 1) * span_ <= expired_) continue;
    if (db_ != nullptr) undurable_bytes_ += record.key->size() + (record.value.has_value() ? record.value->size() : 0);
    if (bulk_) {
      encoded_.clear();
      if (options_.window_bytes != 0) append_window(segment_id(window), encoded_);
      encoded_.append(*record.key);
      bulk_->add(encoded_, record.value);
      continue;
    }
    if (Status restored = restore(record, window); !restored) return restored;
  }
  return {};
}

Status MapStore::restore(const RecordView& record, std::int64_t window) {
  Segment& home = segment(window);
  const std::uint64_t hash = hash_key(*record.key);
  Entry* entry = home.table.find(hash, *record.key);
  if (entry == nullptr) entry = home.table.insert(hash, *record.key, window);
  if (entry->present()) drop_value(*entry);
  entry->clear(Entry::kPresent);
  if (record.value.has_value()) {
    if (!options_.layout->decode(*record.value, entry->value()))
      return Error{Fault::bug, "state " + name_ + ": a changelog record cannot be read"};
    entry->set(Entry::kPresent);
    if (!trivial_) heap_bytes_ += options_.layout->heap_bytes(entry->value());
  }
  if (db_ == nullptr) {
    drop_removed(*entry);
  } else if (!entry->has(Entry::kUndurable)) {
    entry->set(Entry::kUndurable);
    home.undurable.push_back(entry);
  }
  return {};
}

/// The rest of the changelog does not fit either: what memory has is durable and leaves.
void MapStore::begin_bulk() {
  for (auto& [id, segment] : segments_) evict(segment, SIZE_MAX);
  bulk_ = std::make_unique<BulkLoad>();
}

Status MapStore::write_bulk(StateFile& file) {
  std::vector<Segment*>& written = bulk_segments_;
  written.clear();
  return bulk_->visit_sorted([&](std::string_view key, std::optional<std::string_view> value) -> Status {
    const std::int64_t id = options_.window_bytes == 0 ? 0 : read_window(key.data());
    if (written.empty() || written.back()->id != id) {
      Segment& next = segment(id * span_);
      if (!written.empty() && (written.back()->in_db != next.in_db || &next == segments_.rbegin()->second.get()))
        if (Status done = file.cut(); !done) return done;
      written.push_back(&next);
    }
    if (value) return file.put(key, *value);
    return written.back()->in_db ? file.remove(key) : Status{};
  });
}

Status MapStore::restored(std::int64_t changelog_end) {
  committed_end_ = std::max(committed_end_, changelog_end);
  replaying_ = false;
  if (!segments_.empty()) newest_window_ = std::max(newest_window_, (segments_.rbegin()->first + 1) * span_ - 1);
  mark(committed_end_);
  if (!bulk_) return {};
  Store* self = this;
  if (Status spilled = spill_stores(*db_, {&self, 1}); !spilled) return spilled;
  bulk_.reset();
  return {};
}

Status MapStore::clear() {
  version_ = next_version();
  for (auto& [id, segment] : segments_) free_segment(*segment);
  segments_.clear();
  last_ = nullptr;
  unread_.clear();
  bulk_.reset();
  heap_bytes_ = dirty_heap_bytes_ = undurable_bytes_ = 0;
  committed_end_ = durable_end_ = expired_position_ = 0;
  marks_.clear();
  newest_window_ = INT64_MIN;
  return db_ != nullptr ? db_->clear(id_) : Status{};
}

}  // namespace millrace::inline exec
