#include "exec/log/embedded/index.h"

#include <rocksdb/cache.h>
#include <rocksdb/listener.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>

namespace millrace::inline exec {

namespace {

constexpr std::size_t kWriteBuffer = 4 << 20;
constexpr std::size_t kBlockCache = 8 << 20;

rocksdb::Options index_options() {
  rocksdb::Options options;
  options.create_if_missing = true;
  options.max_background_jobs = 2;
  options.max_open_files = 64;
  options.max_file_opening_threads = 1;
  options.keep_log_file_num = 2;
  options.max_log_file_size = 1 << 20;
  options.info_log_level = rocksdb::WARN_LEVEL;
  options.stats_dump_period_sec = 0;
  options.stats_persist_period_sec = 0;
  // After an error the store opens the index anew, in its own order.
  options.max_bgerror_resume_count = 0;
  options.write_buffer_size = kWriteBuffer;
  options.compression = rocksdb::kNoCompression;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(kBlockCache, 0);
  table.checksum = rocksdb::kXXH3;
  options.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return options;
}

/// Whatever makes RocksDB write down what it has in memory, that is put aside first.
class BeforeFlush final : public rocksdb::EventListener {
 public:
  explicit BeforeFlush(std::function<void()> sync) : sync_(std::move(sync)) {}
  void OnMemTableSealed(const rocksdb::MemTableInfo&) override { sync_(); }

 private:
  const std::function<void()> sync_;
};

}  // namespace

rocksdb::Status EmbeddedStore::Index::open(const std::string& directory, std::function<void()> sync) {
  rocksdb::DB* opened = nullptr;
  rocksdb::Options options = index_options();
  options.listeners.push_back(std::make_shared<BeforeFlush>(std::move(sync)));
  const auto status = rocksdb::DB::Open(options, directory, &opened);
  if (status.ok()) db.reset(opened);
  return status;
}

void EmbeddedStore::Index::close() {
  if (!db) return;
  db->Close().PermitUncheckedError();
  db.reset();
}

rocksdb::Status EmbeddedStore::Index::write(rocksdb::WriteBatch& batch) {
  rocksdb::WriteOptions options;
  options.disableWAL = true;  // the segment files are the log
  return db->Write(options, &batch);
}

PartitionIterator::PartitionIterator(rocksdb::DB& db, PartitionId partition)
    : partition_(partition),
      lower_(embedded::batch_key(partition, 0)),
      upper_(embedded::batch_key(partition, embedded::kMaxOffset)),
      lower_slice_(lower_),
      upper_slice_(upper_) {
  rocksdb::ReadOptions options;
  options.iterate_lower_bound = &lower_slice_;
  options.iterate_upper_bound = &upper_slice_;
  iterator_.reset(db.NewIterator(options));
}

void PartitionIterator::seek(std::int64_t offset) {
  const std::string key = embedded::batch_key(partition_, offset);
  iterator_->SeekForPrev(key);
  if (iterator_->Valid()) {
    if (base() + location().span <= offset) iterator_->Next();
    return;
  }
  if (iterator_->status().ok()) iterator_->Seek(key);
}

}  // namespace millrace::inline exec
