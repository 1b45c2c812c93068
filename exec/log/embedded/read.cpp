#include <algorithm>

#include "exec/log/embedded/index.h"
#include "parser/error/mutex.h"

/// Reading batches of the embedded log; dropping and replacing old ones.
namespace millrace::inline exec {

namespace {

constexpr std::size_t kMaxReadBytes = 1 << 20;
constexpr std::size_t kSmallBatch = 8 * 1024;
constexpr std::size_t kWindow = 64 * 1024;
constexpr int kAttempts = 5;

/// Reads small batches that lie close together with one call.
class Window {
 public:
  explicit Window(SegmentFiles& files) : files_(files) {}

  /// Empty: the segment is gone. The bytes live until the next call.
  Result<std::optional<std::string_view>> get(const embedded::BatchLocation& location, SegmentPosition read_until) {
    if (location.at.segment != begin_.segment || location.at.offset < begin_.offset ||
        location.at.offset + location.size > begin_.offset + bytes_.size()) {
      std::uint64_t wanted = location.size;
      if (location.size < kSmallBatch && read_until.segment == location.at.segment &&
          read_until.offset > location.at.offset)
        wanted =
            std::max<std::uint64_t>(wanted, std::min<std::uint64_t>(kWindow, read_until.offset - location.at.offset));
      begin_ = location.at;
      bytes_.resize(wanted);
      const auto read = files_.read(location.at, bytes_);
      if (!read) return read.error();
      if (!*read) {
        bytes_.clear();
        return std::optional<std::string_view>{};
      }
    }
    return std::optional<std::string_view>(
        std::string_view(bytes_).substr(location.at.offset - begin_.offset, location.size));
  }

 private:
  SegmentFiles& files_;
  SegmentPosition begin_{0, 0};
  std::string bytes_;
};

}  // namespace

Result<std::vector<RecordBatchPtr>> EmbeddedStore::read(PartitionId partition, std::int64_t from, std::int64_t until,
                                                        std::size_t max_records) {
  std::vector<RecordBatchPtr> batches;
  // Between look-up and reading a batch may move and its old segment go.
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    batches.clear();
    const auto places = locate(partition, from, until, max_records);
    if (!places) return places.error();
    const auto loaded = load(partition, *places, batches);
    if (!loaded) return loaded.error();
    if (*loaded) return batches;
  }
  return failure("reading", fmt::format("the segment of a batch at or after offset {} is missing", from));
}

Result<std::vector<EmbeddedStore::Located>> EmbeddedStore::locate(PartitionId partition, std::int64_t from,
                                                                  std::int64_t until, std::size_t max_records) {
  std::vector<Located> places;
  std::size_t records = 0;
  std::size_t bytes = 0;
  ReadLock lock(index_->mutex);
  if (!index_->db) return failure("reading", "the log is closed after an error");
  PartitionIterator iterator(*index_->db, partition);
  for (iterator.seek(from); iterator.valid() && iterator.base() < until; iterator.next()) {
    places.push_back({iterator.base(), iterator.location()});
    records += places.back().location.span;
    bytes += places.back().location.size;
    if (records >= max_records || bytes >= kMaxReadBytes) break;
  }
  if (!iterator.status().ok()) return failure("reading", iterator.status().ToString());
  return places;
}

/// False: a segment is gone.
Result<bool> EmbeddedStore::load(PartitionId partition, const std::vector<Located>& places,
                                 std::vector<RecordBatchPtr>& batches) {
  if (places.empty()) return true;
  const auto& last = places.back().location;
  const SegmentPosition end{last.at.segment, last.at.offset + last.size};
  Window window(*files_);
  for (const Located& place : places) {
    const auto bytes = window.get(place.location, end);
    if (!bytes) return bytes.error();
    if (!*bytes) return false;
    auto batch =
        embedded::hash_batch(**bytes) == place.location.hash ? RecordBatch::from_bytes(place.base, **bytes) : nullptr;
    if (!batch)
      return failure("reading", fmt::format("topic {} partition {}: the batch at offset {} is damaged", partition.topic,
                                            partition.partition, place.base));
    batches.push_back(std::move(batch));
  }
  return true;
}

Status EmbeddedStore::drop_before(PartitionId partition, std::int64_t begin) {
  std::int64_t first_kept = begin;
  {
    ReadLock lock(index_->mutex);
    if (!index_->db) return failure("reading", "the log is closed after an error");
    PartitionIterator iterator(*index_->db, partition);
    iterator.seek(begin);
    if (iterator.valid()) first_kept = std::min(begin, iterator.base());
    if (!iterator.status().ok()) return failure("reading", iterator.status().ToString());
  }
  return apply(false, [&](Change& change) REQUIRES(index_->write_mutex) {
    if (!index_->erased.contains(partition.topic)) change.drop_before(partition, begin, first_kept);
  });
}

Result<std::int64_t> EmbeddedStore::first_offset_since(PartitionId partition, Offsets among, std::int64_t time) {
  ReadLock lock(index_->mutex);
  if (!index_->db) return failure("reading", "the log is closed after an error");
  PartitionIterator iterator(*index_->db, partition);
  for (iterator.seek(among.from); iterator.valid() && iterator.base() < among.until; iterator.next())
    if (iterator.location().append_time >= time) return std::max(among.from, iterator.base());
  if (!iterator.status().ok()) return failure("reading", iterator.status().ToString());
  return among.until;
}

Result<std::int64_t> EmbeddedStore::compacted_to(PartitionId partition) {
  const auto value = get(embedded::meta_key('k', partition));
  if (!value) return value.error();
  return value->size() == 8 ? static_cast<std::int64_t>(embedded::get_u64(value->data())) : 0;
}

Status EmbeddedStore::set_compacted_to(PartitionId partition, std::int64_t offset) {
  return apply(false, [&](Change& change) REQUIRES(index_->write_mutex) {
    if (!index_->erased.contains(partition.topic))
      change.put_meta(embedded::meta_key('k', partition), embedded::offset_value(offset));
  });
}

Status EmbeddedStore::replace(PartitionId partition, std::span<const std::int64_t> removed,
                              std::span<const RecordBatchPtr> added) {
  return apply(false, [&](Change& change) REQUIRES(index_->write_mutex) {
    if (index_->erased.contains(partition.topic)) return;
    for (const std::int64_t base : removed) change.delete_batch(partition, base);
    for (const RecordBatchPtr& batch : added) change.put_batch(partition, *batch);
  });
}

}  // namespace millrace::inline exec
