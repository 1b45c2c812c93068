#pragma once

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <chrono>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <string>
#include <vector>

#include "exec/log/embedded_keys.h"
#include "exec/log/embedded_store.h"

/// What embedded_*.cpp share; the only header here that includes RocksDB.
namespace millrace {

struct EmbeddedStore::Database {
  ~Database() { close(); }
  rocksdb::Status open(const std::string& directory);
  void close();

  /// Exclusive: opening and closing. Shared: every use.
  std::shared_mutex mutex;
  rocksdb::DB* db = nullptr;
  rocksdb::ColumnFamilyHandle* meta = nullptr;
  rocksdb::ColumnFamilyHandle* batches = nullptr;

  /// Serialises writers and guards what follows. Taken before `mutex`.
  std::mutex write_mutex;
  bool broken = false;
  std::string broken_reason;
  std::vector<rocksdb::WriteBatch> undo;  // deletes what failed writes may have left behind; oldest first
  std::chrono::steady_clock::time_point next_attempt{};
  std::set<std::uint32_t> erased;  // topics deleted since the start: maintenance under way must not bring batches back

  int lock_file = -1;
};

/// One atomic change, and how to take it back should its write fail half way.
struct EmbeddedStore::Change {
  explicit Change(std::size_t expected_bytes) : batch(expected_bytes) {}
  rocksdb::WriteBatch batch;
  rocksdb::WriteBatch undo;
  std::vector<std::pair<PartitionId, std::int64_t>> undone_from;  // also delete the batches from these offsets on
};

/// Iterates over the batches of one partition. Holds the database open: keep it short.
class PartitionIterator {
 public:
  /// `lock` must hold the database's mutex shared for the iterator's life; db not null.
  PartitionIterator(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* batches, PartitionId partition);
  /// To the batch that holds `offset`, else to the first one after it.
  void seek(std::int64_t offset);
  void seek_first() { iterator_->Seek(lower_); }
  void seek_last() { iterator_->SeekToLast(); }
  bool valid() const { return iterator_->Valid(); }
  void next() { iterator_->Next(); }
  std::int64_t base_offset() const { return embedded::base_offset(iterator_->key().ToStringView()); }
  /// Null: not a batch of a version that we read.
  std::shared_ptr<RecordBatch> batch() const {
    return RecordBatch::from_bytes(base_offset(), iterator_->value().ToStringView());
  }
  std::string_view value() const { return iterator_->value().ToStringView(); }
  rocksdb::Status status() const { return iterator_->status(); }

 private:
  const PartitionId partition_;
  const std::string lower_;
  const std::string upper_;
  const rocksdb::Slice lower_slice_;
  const rocksdb::Slice upper_slice_;
  std::unique_ptr<rocksdb::Iterator> iterator_;
};

inline rocksdb::Slice slice(std::string_view bytes) {
  return {bytes.data(), bytes.size()};
}

}  // namespace millrace
