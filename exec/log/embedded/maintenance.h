#pragma once

#include <condition_variable>
#include <cstdint>
#include <map>
#include <thread>

#include "exec/log/embedded/store.h"
#include "exec/log/local/log.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec {

/// What the embedded log does on the side: deletes truncated and expired batches, compacts compacted topics, frees
/// space. Errors are logged and tried again at the next round. One thread of its own, or stepped by tests.
class EmbeddedMaintenance {
 public:
  struct Limits {
    std::int64_t retention_ms = 7LL * 24 * 3600 * 1000;  // topics that name none
    std::int64_t tombstone_ms = 24LL * 3600 * 1000;
    std::uint64_t min_dirty_bytes = 64 << 20;  // appended before a partition is compacted again
    std::size_t max_keys = 1 << 20;            // held in memory by one pass of compaction
    std::uint64_t reclaim_bytes = 128 << 20;   // appended before dropped space is freed
  };
  EmbeddedMaintenance(LocalLog& log, EmbeddedStore& store, Limits limits);
  ~EmbeddedMaintenance();
  void start();
  /// One round as the thread does every few seconds; `now` in ms since the epoch. Not while the thread runs.
  Status run_once(std::int64_t now);

 private:
  struct Progress {
    std::uint64_t compacted_bytes = 0;  // appended_bytes when it was compacted last
    std::uint64_t live_bytes = 0;       // what that left
  };
  struct View {  // of a partition, taken under the log's lock
    std::int64_t begin, end;
    std::uint64_t appended;
    bool truncated, deleted;
  };
  void loop();
  View look(const LocalPartitionPtr& partition, bool take_truncated);
  Status maintain(const LocalTopic& topic, const LocalPartitionPtr& partition, std::int64_t now);
  Status expire(const LocalPartitionPtr& partition, std::int64_t retention_ms, std::int64_t now);
  Status drop_truncated(const LocalPartitionPtr& partition);
  Status compact(const LocalPartitionPtr& partition, std::int64_t now);

  LocalLog& log_;
  EmbeddedStore& store_;
  const Limits limits_;
  std::map<PartitionId, Progress> progress_;
  std::int64_t expired_at_ = 0;  // when expired batches were looked for last
  bool expiring_ = false;        // in this round
  std::uint64_t appended_ = 0;   // over all partitions, last round
  std::uint64_t reclaimed_ = 0;  // appended_ when space was freed last
  bool dropped_ = false;         // anything since then
  Mutex mutex_;
  std::condition_variable stopped_;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace millrace::inline exec
