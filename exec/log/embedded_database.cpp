#include "exec/log/embedded_database.h"

#include <rocksdb/cache.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <unistd.h>

#include "exec/log/record_batch.h"

namespace millrace {

namespace {

constexpr std::size_t kWriteBuffer = 32 << 20;
constexpr std::size_t kBlockCache = 4 << 20;
constexpr std::uint64_t kMaxWal = 96 << 20;
constexpr std::uint64_t kMinBlob = 512;

rocksdb::DBOptions database_options() {
  rocksdb::DBOptions options;
  options.create_if_missing = true;
  options.create_missing_column_families = true;
  options.max_background_jobs = 2;
  options.max_open_files = 256;
  options.max_file_opening_threads = 1;
  options.max_total_wal_size = kMaxWal;
  options.keep_log_file_num = 2;
  options.max_log_file_size = 1 << 20;
  options.info_log_level = rocksdb::WARN_LEVEL;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  // After an error the store opens the database anew, in its own order.
  options.max_bgerror_resume_count = 0;
  return options;
}

rocksdb::ColumnFamilyOptions family_options(bool with_blobs) {
  rocksdb::ColumnFamilyOptions options;
  options.compression = rocksdb::kNoCompression;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(kBlockCache, 0);
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  if (!with_blobs) {
    options.write_buffer_size = 1 << 20;
    return options;
  }
  options.write_buffer_size = kWriteBuffer;
  // Batches go to blob files once: merging tables moves keys and references only.
  options.enable_blob_files = true;
  options.min_blob_size = kMinBlob;
  options.enable_blob_garbage_collection = true;
  options.blob_garbage_collection_age_cutoff = 0.5;
  options.blob_garbage_collection_force_threshold = 0.5;
  return options;
}

}  // namespace

rocksdb::Status EmbeddedStore::Database::open(const std::string& directory) {
  std::vector<rocksdb::ColumnFamilyDescriptor> families{{rocksdb::kDefaultColumnFamilyName, family_options(false)},
                                                        {"batches", family_options(true)}};
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  const auto status = rocksdb::DB::Open(database_options(), directory, families, &handles, &db);
  if (!status.ok()) {
    db = nullptr;
    return status;
  }
  meta = handles[0];
  batches = handles[1];
  return status;
}

void EmbeddedStore::Database::close() {
  if (!db) return;
  db->DestroyColumnFamilyHandle(meta).PermitUncheckedError();
  db->DestroyColumnFamilyHandle(batches).PermitUncheckedError();
  db->Close().PermitUncheckedError();
  delete db;
  db = nullptr;
}

PartitionIterator::PartitionIterator(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* batches, PartitionId partition)
    : partition_(partition),
      lower_(embedded::batch_key(partition, 0)),
      upper_(embedded::batch_key(partition, embedded::kMaxOffset)),
      lower_slice_(lower_),
      upper_slice_(upper_) {
  rocksdb::ReadOptions options;
  options.fill_cache = false;
  options.iterate_lower_bound = &lower_slice_;
  options.iterate_upper_bound = &upper_slice_;
  iterator_.reset(db.NewIterator(options, batches));
}

void PartitionIterator::seek(std::int64_t offset) {
  const std::string key = embedded::batch_key(partition_, offset);
  iterator_->SeekForPrev(key);
  if (iterator_->Valid()) {
    const auto found = batch();
    if (found && found->next_offset() <= offset) iterator_->Next();
    return;
  }
  if (iterator_->status().ok()) iterator_->Seek(key);
}

}  // namespace millrace
