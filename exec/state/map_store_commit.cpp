#include <algorithm>
#include <atomic>
#include <cstring>

#include "exec/state/map_store.h"
#include "parser/error/ensure.h"

namespace millrace::inline exec {
namespace {

constexpr std::int64_t kMarksPerRetention = 16;

}  // namespace

Status MapStore::begin_commit(ChangelogSink& changelog) {
  ensure(!committing_now_ && unread_.empty());
  if (changelog_) {
    for (const Entry* entry : dirty_) {
      std::optional<std::string_view> value;
      if (entry->present()) {
        encoded_.clear();
        options_.layout->encode(entry->value(), encoded_);
        value = encoded_;
      } else if (!entry->has(Entry::kBasePresent)) {
        continue;  // made and removed in between
      }
      committing_bytes_ += entry->key_size + encoded_.size();
      newest_committing_ = std::max(newest_committing_, entry->window);
      if (Status put = changelog.put(key(*entry), value); !put) return put;
    }
  }
  committing_now_ = true;
  for (Entry* entry : dirty_) {
    if (entry->images != nullptr) entry->images->committed = std::exchange(entry->images->base, nullptr);
    const bool had = entry->has(Entry::kBasePresent);
    if (!trivial_ && entry->present()) heap_bytes_ += options_.layout->heap_bytes(entry->value());
    entry->clear(Entry::kDirty | Entry::kBasePresent | Entry::kCommittedPresent);
    entry->set(Entry::kCommitting | (had ? Entry::kCommittedPresent : 0));
  }
  committing_.swap(dirty_);
  dirty_.clear();
  dirty_heap_bytes_ = 0;
  expire_committing_ = std::max(expire_committing_, expire_dirty_);
  return {};
}

std::uint64_t MapStore::next_version() {
  static std::atomic<std::uint64_t> last{0};
  return ++last;
}

void MapStore::commit_done(std::int64_t changelog_end) {
  if (!committing_.empty()) version_ = next_version();
  for (Entry* entry : committing_) {
    if (entry->has(Entry::kCommittedPresent)) {
      free_image(segment(entry->window), std::exchange(entry->images->committed, nullptr), true);
    }
    entry->clear(Entry::kCommitting | Entry::kCommittedPresent);
    if (db_ != nullptr && !entry->has(Entry::kUndurable)) {
      Segment& home = segment(entry->window);
      if (entry->present() || entry->has(Entry::kDirty) || home.in_db) {
        entry->set(Entry::kUndurable);
        home.undurable.push_back(entry);
      }
    }
    drop_images_if_done(*entry);
    drop_removed(*entry);
  }
  committing_.clear();
  committing_now_ = false;
  // Where nothing could be replayed, commits are counted: what the database lacks is to be known there too.
  committed_end_ = changelog_ ? std::max(committed_end_, changelog_end) : committed_end_ + 1;
  if (db_ != nullptr) undurable_bytes_ += committing_bytes_;
  committing_bytes_ = 0;
  newest_window_ = std::max(newest_window_, std::exchange(newest_committing_, INT64_MIN));
  mark(committed_end_);
  expire(expire_committing_);
}

/// Notes up to which window the changelog goes there. A few marks per retention suffice.
void MapStore::mark(std::int64_t position) {
  if (options_.window_bytes == 0 || !changelog_ || newest_window_ == INT64_MIN) return;
  const std::int64_t step = std::max(span_, options_.retention_ms / kMarksPerRetention);
  if (marks_.empty() || newest_window_ - marks_.back().first >= step) {
    marks_.push_back({position, newest_window_, newest_window_});
  } else {
    marks_.back().position = position;
    marks_.back().newest = newest_window_;
  }
}

void MapStore::roll_back() {
  forget_unread();
  for (Entry* entry : dirty_) {
    std::byte* base = entry->has(Entry::kBasePresent) ? std::exchange(entry->images->base, nullptr) : nullptr;
    if (entry->present()) drop_value(*entry);
    entry->clear(Entry::kDirty | Entry::kBasePresent | Entry::kPresent);
    restore_image(*entry, base);
  }
  dirty_heap_bytes_ = 0;
  for (Entry* entry : committing_) {
    std::byte* image =
        entry->has(Entry::kCommittedPresent) ? std::exchange(entry->images->committed, nullptr) : nullptr;
    entry->clear(Entry::kCommitting | Entry::kCommittedPresent);
    restore_image(*entry, image);
  }
  // An entry may stand in both lists: free only when both are through.
  for (Entry* entry : committing_) drop_images_if_done(*entry);
  for (Entry* entry : dirty_) drop_images_if_done(*entry);
  std::vector<Entry*> all(std::move(committing_));
  all.insert(all.end(), dirty_.begin(), dirty_.end());
  std::sort(all.begin(), all.end());
  all.erase(std::unique(all.begin(), all.end()), all.end());
  committing_.clear();
  dirty_.clear();
  for (Entry* entry : all) drop_removed(*entry);
  committing_bytes_ = 0;
  newest_committing_ = INT64_MIN;
  committing_now_ = false;
  expire_dirty_ = expire_committing_ = expired_;
}

/// Puts `image` (null: no value) in the place of the value.
void MapStore::restore_image(Entry& entry, std::byte* image) {
  if (entry.present()) drop_value(entry);
  entry.clear(Entry::kPresent);
  if (image == nullptr) return;
  std::memcpy(entry.value(), image, value_size_);
  entry.set(Entry::kPresent);
  free_image(segment(entry.window), image, false);
}

void MapStore::free_image(Segment& segment, std::byte* image, bool destroy) {
  if (destroy && !trivial_) {
    heap_bytes_ -= std::min(heap_bytes_, options_.layout->heap_bytes(image));
    options_.layout->destroy(image);
  }
  segment.table.slab().release(image, value_size_);
}

void MapStore::drop_images_if_done(Entry& entry) {
  if (entry.images == nullptr || entry.images->base != nullptr || entry.images->committed != nullptr) return;
  segment(entry.window).table.slab().release(entry.images, sizeof(Entry::Images));
  entry.images = nullptr;
}

/// A key without a value need not stay, unless its removal still has to reach RocksDB or it is part of a change.
void MapStore::drop_removed(Entry& entry) {
  if (entry.present() || entry.has(Entry::kDirty) || entry.has(Entry::kCommitting) || entry.has(Entry::kUndurable))
    return;
  segment(entry.window).table.erase(&entry);
}

void MapStore::expired_before(std::int64_t bound) {
  expire_dirty_ = std::max(expire_dirty_, bound);
  expire_committing_ = std::max(expire_committing_, bound);
  expire(bound);
}

void MapStore::expire(std::int64_t bound) {
  if (options_.window_bytes == 0 || bound <= expired_) return;
  const auto newest = [&](std::int64_t id) { return (id + 1) * span_; };
  while (!segments_.empty() && newest(segments_.begin()->first) <= bound) {
    Segment& segment = *segments_.begin()->second;
    const auto inside = [&](const Entry* entry) { return segment_id(entry->window) == segment.id; };
    if (std::any_of(dirty_.begin(), dirty_.end(), inside)) return;  // next time
    if (segment.in_db) {
      const std::string from = segment_prefix(segment.id), to = segment_prefix(segment.id + 1);
      if (!db_->drop_range(id_, from, to)) return;
    }
    if (on_drop_) {
      std::vector<Entry*> gone;
      segment.table.for_each([&gone](Entry& entry) { gone.push_back(&entry); });
      on_drop_(gone);
    }
    free_segment(segment);
    version_ = next_version();
    if (last_ == &segment) last_ = nullptr;
    segments_.erase(segments_.begin());
  }
  expired_ = bound;
  for (; !marks_.empty() && newest(segment_id(marks_.front().newest)) <= bound; marks_.pop_front())
    expired_position_ = marks_.front().position;
}

/// Destroys what the values own; the memory itself goes with the segment.
void MapStore::free_segment(Segment& segment) {
  if (trivial_) return;
  segment.table.for_each([&](Entry& entry) {
    if (entry.present()) drop_value(entry);
    if (entry.images == nullptr) return;
    for (std::byte* image : {entry.images->base, entry.images->committed}) {
      if (image == nullptr) continue;
      heap_bytes_ -= std::min(heap_bytes_, options_.layout->heap_bytes(image));
      options_.layout->destroy(image);
    }
  });
}

}  // namespace millrace::inline exec
