#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "exec/log/embedded/frame.h"
#include "exec/log/local/storage.h"

namespace millrace::inline exec {

/// The directory of the embedded log. Thread-safe.
///
/// Batches are appended to segment files, which are the write-ahead log and the place where they stay: a byte is
/// written once. A RocksDB says where each batch lies and keeps the topics; it has no log of its own, since every
/// change to it stands in the segment files too and is repeated from the place that the index remembers. (RocksDB alone
/// would checksum and write each byte two to three times.)
///
/// A write that fails (disk full, directory read-only) leaves nothing behind and is an external error; reads go on, and
/// the next write tries again. Should the index fail, it is opened anew when the directory takes a probe file, at most
/// a few times a second.
class EmbeddedStore final : public LocalStorage {
 public:
  struct Options {
    bool sync = true;
    std::uint64_t segment_bytes = 64 << 20;
  };
  /// Creates the directory when it is missing. In use by another process: a user error that names the directory.
  static Result<std::unique_ptr<EmbeddedStore>> open(const std::string& directory, Options options);
  ~EmbeddedStore() override;

  Result<std::vector<StoredTopic>> topics() override;
  std::uint32_t next_topic_id() override;
  Status create(const StoredTopic& topic) override;
  Status erase(const StoredTopic& topic) override;
  Result<std::string> cluster_id() override;
  Status checkpoint(const std::string& directory) override;
  Status sync() override;
  Result<Log::Bounds> bounds(PartitionId partition) override;
  Status write(std::span<const PlacedBatch> batches) override;
  Result<std::vector<RecordBatchPtr>> read(PartitionId partition, std::int64_t from, std::int64_t until,
                                           std::size_t max_records) override;

  // For maintenance. Not synced by themselves: to lose them only means to do them again.
  /// Remembers the beginning and forgets the batches that lie wholly before it.
  Status drop_before(PartitionId partition, std::int64_t begin);
  struct Offsets {
    std::int64_t from, until;
  };
  /// Offset of the first batch of these that was appended at or after `time` (ms), or `until` when there is none.
  Result<std::int64_t> first_offset_since(PartitionId partition, Offsets among, std::int64_t time);
  Result<std::int64_t> compacted_to(PartitionId partition);
  Status set_compacted_to(PartitionId partition, std::int64_t offset);
  /// Replaces batches by others that hold what is left of them, in one step.
  Status replace(PartitionId partition, std::span<const std::int64_t> removed, std::span<const RecordBatchPtr> added);
  /// Deletes the segment files that hold nothing of the log any more, after moving the little that some still hold.
  Status reclaim();

 private:
  struct Index;
  struct Located;
  using Change = embedded::Change;
  EmbeddedStore(std::string directory, Options options);
  Error failure(std::string_view what, const std::string& reason) const;
  Result<std::string> get(std::string_view key);  // empty when there is none

  // Opening (embedded_recovery.cpp).
  Status open_index();
  Status forget_lost_batches();
  Status replay();
  using OnFrame = std::function<Status(const std::vector<embedded::Operation>& operations, SegmentPosition next)>;
  Result<bool> read_frame(SegmentPosition& at, const OnFrame& then);
  Result<bool> replay_frame(SegmentPosition& at);
  Status reopen_index();
  Status probe() const;

  // Writing.
  Status apply(bool sync, const std::function<void(Change&)>& build);
  Status apply_to_index(const std::vector<embedded::Operation>& operations, SegmentPosition next);

  // Reading.
  Result<std::vector<Located>> locate(PartitionId partition, std::int64_t from, std::int64_t until,
                                      std::size_t max_records);
  Result<bool> load(PartitionId partition, const std::vector<Located>& places, std::vector<RecordBatchPtr>& batches);

  // Freeing space (embedded_reclaim.cpp).
  struct LiveSegment;
  Result<std::vector<LiveSegment>> live_segments();
  Status move_batches(std::uint32_t segment);
  Status sync_files();

  const std::string directory_;
  const Options options_;
  const std::unique_ptr<Index> index_;
  std::unique_ptr<SegmentFiles> files_;
};

}  // namespace millrace::inline exec
