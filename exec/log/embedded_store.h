#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "exec/log/local_storage.h"

namespace millrace {

/// The RocksDB below the embedded log. Thread-safe.
///
/// A write that fails (disk full, directory read-only) leaves the store refusing writes with external errors while
/// reads go on. Each later write tries again, at most a few times a second: when the directory takes a probe file, the
/// database is opened anew, and what a failed write may have left in its write-ahead log is deleted before anything
/// else is written.
class EmbeddedStore final : public LocalStorage {
 public:
  /// Creates the directory when it is missing. In use by another process: a user error that names the directory.
  static Result<std::unique_ptr<EmbeddedStore>> open(const std::string& directory, bool sync);
  ~EmbeddedStore() override;

  Result<std::vector<StoredTopic>> topics() override;
  std::uint32_t next_topic_id() override;
  Status create(const StoredTopic& topic) override;
  Status erase(const StoredTopic& topic) override;
  Result<std::string> cluster_id() override;
  Result<Log::Bounds> bounds(PartitionId partition) override;
  Status write(std::span<const PlacedBatch> batches) override;
  Result<std::vector<RecordBatchPtr>> read(PartitionId partition, std::int64_t from, std::int64_t until,
                                           std::size_t max_records) override;

  // For maintenance. None of these is synced: to lose them only means to do them again.
  /// Remembers the beginning and deletes the batches that lie wholly before it.
  Status drop_before(PartitionId partition, std::int64_t begin);
  /// Offset of the first batch that was appended at or after `time` (ms), or `until` when there is none before.
  Result<std::int64_t> first_offset_since(PartitionId partition, std::int64_t time, std::int64_t from,
                                          std::int64_t until);
  Result<std::int64_t> compacted_to(PartitionId partition);
  Status set_compacted_to(PartitionId partition, std::int64_t offset);
  /// Replaces batches by others that hold what is left of them, in one step.
  Status replace(PartitionId partition, std::span<const std::int64_t> removed, std::span<const RecordBatchPtr> added);
  /// Calls `visit` for each batch of [from, until) in order, with no lock that writers need; false stops.
  Status scan(PartitionId partition, std::int64_t from, std::int64_t until,
              const std::function<Result<bool>(const RecordBatchPtr&)>& visit);
  /// Frees the disk space of what was dropped. Slow; the log stays usable.
  Status reclaim();

 private:
  struct Database;
  struct Change;
  EmbeddedStore(std::string directory, bool sync);
  Status open_database();
  Status finish_deletions();
  Status ensure_cluster_id();
  Status erase_batches(std::uint32_t topic);
  /// Writes what `build` puts into the change, after recovery from an earlier failure if need be.
  Status apply(bool sync, const std::function<void(Change&)>& build, std::size_t expected_bytes = 0);
  Status recover();
  Status probe() const;
  Error failure(std::string_view what, const std::string& reason) const;

  const std::string directory_;
  const bool sync_;
  const std::unique_ptr<Database> database_;
};

}  // namespace millrace
