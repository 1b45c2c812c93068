#pragma once

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <chrono>
#include <functional>
#include <set>
#include <string>

#include "exec/log/embedded/keys.h"
#include "exec/log/embedded/store.h"
#include "parser/error/mutex.h"

/// What embedded_*.cpp share; the only header here that includes RocksDB.
namespace millrace::inline exec {

struct EmbeddedStore::Index {
  ~Index() { close(); }
  /// `sync`: called before what was written so far may reach the disk: the index must never know what the files could
  /// still lose.
  rocksdb::Status open(const std::string& directory, std::function<void()> sync) REQUIRES(mutex);
  void close() REQUIRES(mutex);
  rocksdb::Status write(rocksdb::WriteBatch& batch) REQUIRES_SHARED(mutex);

  /// Exclusive: opening and closing. Shared: every use of `db`.
  SharedMutex mutex;
  std::unique_ptr<rocksdb::DB> db GUARDED_BY(mutex);

  /// Serialises writers. Taken before `mutex`.
  Mutex write_mutex;
  bool failing GUARDED_BY(write_mutex) = false;  // the last append to the files failed
  bool broken GUARDED_BY(write_mutex) = false;   // the index failed
  std::string broken_reason GUARDED_BY(write_mutex);
  std::chrono::steady_clock::time_point next_attempt GUARDED_BY(write_mutex){};
  /// Topics deleted since the start: maintenance under way must not bring batches back.
  std::set<std::uint32_t> erased GUARDED_BY(write_mutex);
  std::uint32_t flushed_segment GUARDED_BY(write_mutex) = 0;

  int lock_file = -1;
};

/// A batch in the index.
struct EmbeddedStore::Located {
  std::int64_t base = 0;
  embedded::BatchLocation location;
  std::int64_t next() const { return base + location.span; }
};

/// Iterates over the index entries of one partition.
class PartitionIterator {
 public:
  PartitionIterator(rocksdb::DB& db, PartitionId partition);
  /// To the batch that holds `offset`, else to the first one after it.
  void seek(std::int64_t offset);
  void seek_last() { iterator_->SeekToLast(); }
  bool valid() const { return iterator_->Valid(); }
  void next() { iterator_->Next(); }
  std::int64_t base() const { return embedded::base_offset(iterator_->key().ToStringView()); }
  embedded::BatchLocation location() const { return embedded::parse_location(iterator_->value().ToStringView()); }
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

}  // namespace millrace::inline exec
