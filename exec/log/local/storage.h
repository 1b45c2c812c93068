#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "exec/log/log.h"
#include "exec/log/record_batch.h"

namespace millrace::inline exec {

struct StoredTopic {
  std::uint32_t id = 0;  // never used again, also when the name is
  std::string name;
  TopicConfig config;
};

/// A partition by number.
struct PartitionId {
  std::uint32_t topic = 0;
  std::int32_t partition = 0;
  friend auto operator<=>(const PartitionId&, const PartitionId&) = default;
};

struct PlacedBatch {
  PartitionId partition;
  RecordBatchPtr batch;
};

/// What a local log keeps beyond its process. Thread-safe; `write` is called by one thread at a time.
class LocalStorage {
 public:
  virtual ~LocalStorage() = default;
  virtual Result<std::vector<StoredTopic>> topics() = 0;
  /// Greater than the id of every topic that ever was.
  virtual std::uint32_t next_topic_id() = 0;
  virtual Status create(const StoredTopic& topic) = 0;
  virtual Status erase(const StoredTopic& topic) = 0;
  virtual Result<std::string> cluster_id() = 0;
  /// As Log::checkpoint.
  virtual Status checkpoint(const std::string& directory) = 0;
  /// As Log::sync.
  virtual Status sync() = 0;
  virtual Result<Log::Bounds> bounds(PartitionId partition) = 0;
  /// All or nothing; durable on return when the log is synced. After a failure none of it will ever be read.
  virtual Status write(std::span<const PlacedBatch> batches) = 0;
  /// Batches in offset order from the one that holds `from` or the next after it, below `until`: about `max_records`,
  /// at least one batch when there is any.
  virtual Result<std::vector<RecordBatchPtr>> read(PartitionId partition, std::int64_t from, std::int64_t until,
                                                   std::size_t max_records) = 0;
};

}  // namespace millrace::inline exec
