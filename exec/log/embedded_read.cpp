#include <algorithm>

#include "exec/log/embedded_database.h"

/// Reading batches from the embedded log's RocksDB, and dropping and replacing old ones.
namespace millrace {

using ReadLock = std::shared_lock<std::shared_mutex>;

namespace {

constexpr std::size_t kMaxReadBytes = 1 << 20;

}  // namespace

Result<std::vector<RecordBatchPtr>> EmbeddedStore::read(PartitionId partition, std::int64_t from, std::int64_t until,
                                                        std::size_t max_records) {
  std::vector<RecordBatchPtr> batches;
  std::size_t records = 0;
  std::size_t bytes = 0;
  const Status scanned = scan(partition, from, until, [&](const RecordBatchPtr& batch) -> Result<bool> {
    records += batch->count();
    bytes += batch->bytes().size();
    batches.push_back(batch);
    return records < max_records && bytes < kMaxReadBytes;
  });
  if (!scanned) return scanned.error();
  return batches;
}

Status EmbeddedStore::scan(PartitionId partition, std::int64_t from, std::int64_t until,
                           const std::function<Result<bool>(const RecordBatchPtr&)>& visit) {
  ReadLock lock(database_->mutex);
  if (!database_->db) return failure("reading", "the log is closed after an error");
  PartitionIterator iterator(*database_->db, database_->batches, partition);
  for (iterator.seek(from); iterator.valid() && iterator.base_offset() < until; iterator.next()) {
    const RecordBatchPtr batch = iterator.batch();
    if (!batch) return failure("reading", "a batch was written by another version of Millrace");
    const auto more = visit(batch);
    if (!more) return more.error();
    if (!*more) return {};
  }
  if (!iterator.status().ok()) return failure("reading", iterator.status().ToString());
  return {};
}

Status EmbeddedStore::drop_before(PartitionId partition, std::int64_t begin) {
  std::int64_t first_kept = begin;
  {
    ReadLock lock(database_->mutex);
    if (!database_->db) return failure("reading", "the log is closed after an error");
    PartitionIterator iterator(*database_->db, database_->batches, partition);
    iterator.seek(begin);
    if (iterator.valid()) first_kept = std::min(begin, iterator.base_offset());
    if (!iterator.status().ok()) return failure("reading", iterator.status().ToString());
  }
  return apply(false, [&](Change& change) {
    if (database_->erased.contains(partition.topic)) return;
    change.batch.Put(database_->meta, embedded::meta_key('b', partition), embedded::offset_value(begin));
    change.batch.DeleteRange(database_->batches, embedded::batch_key(partition, 0),
                             embedded::batch_key(partition, first_kept));
  });
}

Result<std::int64_t> EmbeddedStore::first_offset_since(PartitionId partition, std::int64_t time, std::int64_t from,
                                                       std::int64_t until) {
  std::int64_t found = until;
  const Status scanned = scan(partition, from, until, [&](const RecordBatchPtr& batch) -> Result<bool> {
    if (batch->append_time() < time) return true;
    found = std::max(from, batch->base_offset());
    return false;
  });
  if (!scanned) return scanned.error();
  return found;
}

Result<std::int64_t> EmbeddedStore::compacted_to(PartitionId partition) {
  ReadLock lock(database_->mutex);
  if (!database_->db) return failure("reading", "the log is closed after an error");
  std::string value;
  const auto status = database_->db->Get({}, database_->meta, embedded::meta_key('k', partition), &value);
  if (status.IsNotFound()) return 0;
  if (!status.ok()) return failure("reading", status.ToString());
  return static_cast<std::int64_t>(embedded::get_u64(value.data()));
}

Status EmbeddedStore::set_compacted_to(PartitionId partition, std::int64_t offset) {
  return apply(false, [&](Change& change) {
    if (database_->erased.contains(partition.topic)) return;
    change.batch.Put(database_->meta, embedded::meta_key('k', partition), embedded::offset_value(offset));
  });
}

Status EmbeddedStore::replace(PartitionId partition, std::span<const std::int64_t> removed,
                              std::span<const RecordBatchPtr> added) {
  return apply(false, [&](Change& change) {
    if (database_->erased.contains(partition.topic)) return;
    for (const std::int64_t base : removed)
      change.batch.Delete(database_->batches, embedded::batch_key(partition, base));
    for (const RecordBatchPtr& batch : added)
      change.batch.Put(database_->batches, embedded::batch_key(partition, batch->base_offset()), slice(batch->bytes()));
  });
}

Status EmbeddedStore::reclaim() {
  ReadLock lock(database_->mutex);
  if (!database_->db) return failure("reading", "the log is closed after an error");
  const auto status = database_->db->CompactRange({}, database_->batches, nullptr, nullptr);
  if (!status.ok()) return failure("compacting", status.ToString());
  return {};
}

}  // namespace millrace
