#include "exec/log/embedded/maintenance.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "exec/data/wall_clock.h"
#include "exec/log/embedded/log_compaction.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec {

using namespace std::chrono_literals;

namespace {

constexpr auto kRound = 5s;
// Looking for expired batches reads one of each partition.
constexpr std::chrono::milliseconds kExpiryPause = 60s;

}  // namespace

EmbeddedMaintenance::EmbeddedMaintenance(LocalLog& log, EmbeddedStore& store, Limits limits)
    : log_(log), store_(store), limits_(limits) {}

EmbeddedMaintenance::~EmbeddedMaintenance() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
  }
  stopped_.notify_all();
  if (thread_.joinable()) thread_.join();
}

void EmbeddedMaintenance::start() {
  thread_ = std::thread([this] { loop(); });
}

void EmbeddedMaintenance::loop() {
  MutexLock lock(mutex_);
  while (!stopped_.wait_for(lock, kRound, [&]() REQUIRES(mutex_) { return stopping_; })) {
    lock.unlock();
    if (Status done = run_once(wall_clock_ms()); !done)
      spdlog::warn("maintenance of the log: {}", done.error().message);
    lock.lock();
  }
  lock.unlock();
  // What was truncated is small work now and spares readers the detour after the next start.
  for (const LocalTopicPtr& topic : log_.topics())
    for (const LocalPartitionPtr& partition : topic->partitions) (void)drop_truncated(partition);
}

EmbeddedMaintenance::View EmbeddedMaintenance::look(const LocalPartitionPtr& partition, bool take_truncated) {
  const MutexLock lock(log_.mutex());
  const bool truncated = partition->truncated;
  if (take_truncated) partition->truncated = false;
  return {partition->begin, partition->end, partition->appended_bytes, truncated, partition->deleted};
}

Status EmbeddedMaintenance::run_once(std::int64_t now) {
  std::uint64_t appended = 0;
  Status first_failure;
  std::map<PartitionId, Progress> progress;  // of partitions that are still there
  expiring_ = now - expired_at_ >= kExpiryPause.count();
  if (expiring_) expired_at_ = now;
  for (const LocalTopicPtr& topic : log_.topics()) {
    for (const LocalPartitionPtr& partition : topic->partitions) {
      {
        const MutexLock lock(mutex_);
        if (stopping_) return {};
      }
      if (Status done = maintain(*topic, partition, now); !done && first_failure) first_failure = done;
      appended += look(partition, false).appended;
      if (const auto known = progress_.find(partition->id); known != progress_.end()) progress.insert(*known);
    }
  }
  progress_ = std::move(progress);
  appended_ = std::max(appended_, appended);
  if (dropped_ && appended_ - reclaimed_ >= limits_.reclaim_bytes) {
    reclaimed_ = appended_;
    dropped_ = false;
    if (Status reclaimed = store_.reclaim(); !reclaimed) return reclaimed;
  }
  return first_failure;
}

Status EmbeddedMaintenance::maintain(const LocalTopic& topic, const LocalPartitionPtr& partition, std::int64_t now) {
  const TopicConfig& config = topic.stored.config;
  const bool deletes = !config.compacted || config.compact_and_delete;
  const std::int64_t retention = config.retention_ms.value_or(limits_.retention_ms);
  if (expiring_ && deletes && retention >= 0) {
    if (auto loaded = log_.find_partition(partition->name); !loaded || *loaded != partition) return {};
    if (Status expired = expire(partition, retention, now); !expired) return expired;
  }
  if (Status dropped = drop_truncated(partition); !dropped) return dropped;
  return config.compacted || config.compact_and_delete ? compact(partition, now) : Status{};
}

Status EmbeddedMaintenance::expire(const LocalPartitionPtr& partition, std::int64_t retention_ms, std::int64_t now) {
  const View view = look(partition, false);
  if (view.begin >= view.end || view.deleted) return {};
  const auto kept =
      store_.first_offset_since(partition->id, {.from = view.begin, .until = view.end}, now - retention_ms);
  if (!kept) return kept.error();
  const MutexLock lock(log_.mutex());
  log_.advance_begin(*partition, *kept);
  return {};
}

Status EmbeddedMaintenance::drop_truncated(const LocalPartitionPtr& partition) {
  const View view = look(partition, true);
  if (!view.truncated || view.deleted) return {};
  dropped_ = true;
  Status dropped = store_.drop_before(partition->id, view.begin);
  if (!dropped) {
    const MutexLock lock(log_.mutex());
    partition->truncated = true;
  }
  return dropped;
}

Status EmbeddedMaintenance::compact(const LocalPartitionPtr& partition, std::int64_t now) {
  const View view = look(partition, false);
  Progress& progress = progress_[partition->id];
  const std::uint64_t dirty = view.appended - progress.compacted_bytes;
  if (view.deleted || dirty < std::max(limits_.min_dirty_bytes, progress.live_bytes / 2)) return {};
  const auto from = store_.compacted_to(partition->id);
  if (!from) return from.error();
  const CompactionLimits limits{now - limits_.tombstone_ms, limits_.max_keys};
  const auto result = compact_partition(store_, partition->id, {view.begin, view.end}, *from, limits);
  if (!result) return result.error();
  dropped_ = true;
  progress.live_bytes = result->live_bytes;
  // Cut short for want of room: the next round goes on from there.
  if (result->compacted_to >= view.end) progress.compacted_bytes = view.appended;
  return {};
}

}  // namespace millrace::inline exec
