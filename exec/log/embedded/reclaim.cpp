#include <spdlog/spdlog.h>

#include <algorithm>
#include <map>

#include "exec/log/embedded/index.h"
#include "parser/error/mutex.h"

/// Freeing the space of segments that little or nothing lies in.
namespace millrace::inline exec {

namespace {

// A segment with less than a quarter left is emptied: that costs at most a third of what it frees.
constexpr std::uint64_t kMoveBelow = 4;

}  // namespace

struct EmbeddedStore::LiveSegment {
  std::uint32_t segment;
  std::uint64_t bytes;
};

/// What is left in each segment but the last. Takes no lock for long: what moves in meanwhile goes to the last one.
Result<std::vector<EmbeddedStore::LiveSegment>> EmbeddedStore::live_segments() {
  std::map<std::uint32_t, std::uint64_t> live;
  for (const std::uint32_t segment : files_->segments()) live[segment] = 0;
  live.erase(std::prev(live.end()));
  ReadLock lock(index_->mutex);
  if (!index_->db) return failure("reading", "the log is closed after an error");
  std::unique_ptr<rocksdb::Iterator> iterator(index_->db->NewIterator({}));
  for (iterator->Seek("i"); iterator->Valid() && iterator->key().starts_with("i"); iterator->Next()) {
    const auto location = embedded::parse_location(iterator->value().ToStringView());
    const auto found = live.find(location.at.segment);
    if (found != live.end()) found->second += location.size;
  }
  if (!iterator->status().ok()) return failure("reading", iterator->status().ToString());
  std::vector<LiveSegment> list;
  for (const auto& [segment, bytes] : live) list.push_back({segment, bytes});
  return list;
}

Status EmbeddedStore::reclaim() {
  const auto live = live_segments();
  if (!live) return live.error();
  std::vector<std::uint32_t> removable;
  for (const auto& [segment, bytes] : *live) {
    const auto size = files_->size(segment);
    if (!size) return size.error();
    if (bytes * kMoveBelow >= *size && bytes != 0) continue;
    if (bytes != 0) {
      if (Status moved = move_batches(segment); !moved) return moved;
    }
    removable.push_back(segment);
  }
  if (removable.empty()) return {};
  // Only when the index on disk does not need them: neither to find a batch nor to be brought up to date.
  if (Status synced = sync_files(); !synced) return synced;
  {
    ReadLock lock(index_->mutex);
    if (!index_->db) return failure("writing the index", "the log is closed after an error");
    const auto status = index_->db->Flush({});
    if (!status.ok()) return failure("writing the index", status.ToString());
  }
  for (const std::uint32_t segment : removable)
    if (Status removed = files_->remove(segment); !removed) return removed;
  return {};
}

/// Appends once more what a segment still holds.
Status EmbeddedStore::move_batches(std::uint32_t segment) {
  std::vector<std::pair<PartitionId, Located>> found;
  {
    ReadLock lock(index_->mutex);
    if (!index_->db) return failure("reading", "the log is closed after an error");
    std::unique_ptr<rocksdb::Iterator> iterator(index_->db->NewIterator({}));
    for (iterator->Seek("i"); iterator->Valid() && iterator->key().starts_with("i"); iterator->Next()) {
      const auto location = embedded::parse_location(iterator->value().ToStringView());
      if (location.at.segment != segment) continue;
      const char* key = iterator->key().data() + 1;
      const PartitionId partition{embedded::get_u32(key), static_cast<std::int32_t>(embedded::get_u32(key + 4))};
      found.emplace_back(partition, Located{embedded::base_offset(iterator->key().ToStringView()), location});
    }
    if (!iterator->status().ok()) return failure("reading", iterator->status().ToString());
  }
  for (const auto& [partition, place] : found) {
    std::vector<RecordBatchPtr> batches;
    const auto loaded = load(partition, {place}, batches);
    if (!loaded) return loaded.error();
    if (!*loaded) return failure("reading", fmt::format("segment {} is missing", segment));
    if (Status moved = replace(partition, {}, batches); !moved) return moved;
  }
  return {};
}

Status EmbeddedStore::sync_files() {
  const MutexLock write_lock(index_->write_mutex);
  if (Status synced = files_->sync(); !synced) return failure("writing", synced.error().message);
  return {};
}

}  // namespace millrace::inline exec
