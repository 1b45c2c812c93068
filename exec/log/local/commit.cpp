#include <algorithm>

#include "exec/data/wall_clock.h"
#include "exec/log/failpoint.h"
#include "exec/log/local/log.h"
#include "exec/log/local/reader.h"
#include "parser/error/mutex.h"

/// How transactions enter a local log: placed, written together, published together.
namespace millrace::inline exec {

namespace {

// Beyond its bytes: the shared block, the queue entries.
constexpr std::size_t kBatchOverhead = 160;
constexpr std::size_t kMaxCachedBatches = 1 << 16;

}  // namespace

void LocalLog::submit(TransactionPtr transaction) {
  if (!storage_) {
    std::vector<TransactionPtr> group;
    group.push_back(std::move(transaction));
    process(group);
    return;
  }
  {
    const MutexLock lock(queue_mutex_);
    queue_.push_back(std::move(transaction));
  }
  queue_filled_.notify_one();
}

void LocalLog::commit_loop() {
  std::vector<TransactionPtr> group;
  while (true) {
    group.clear();
    {
      MutexLock lock(queue_mutex_);
      queue_filled_.wait(lock, [&]() REQUIRES(queue_mutex_) { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      // Whatever came in while the last group was on its way to the disk shares one write.
      group.swap(queue_);
    }
    process(group);
  }
}

Status LocalLog::admit(LocalTransaction& transaction, std::int64_t now, std::vector<PlacedBatch>& placed) {
  if (transaction.fenced && transaction.fenced->load())
    return Error{Fault::fenced, "another writer with the same id has taken over"};
  if (Status hit = failpoint::hit(failpoint::kBeforeEnd); !hit) return hit;
  for (const auto& part : transaction.parts)
    if (part.partition->deleted) transaction.refused.push_back(part.partition->name);
  if (!transaction.refused.empty()) return user_error("topic '{}' was deleted", transaction.refused.front().topic);
  for (auto& part : transaction.parts) {
    part.batch->place(part.partition->assigned, now);
    part.partition->assigned = part.batch->next_offset();
    if (storage_) placed.push_back({part.partition->id, part.batch});
  }
  return {};
}

void LocalLog::process(std::vector<TransactionPtr>& group) {
  std::vector<Status> results(group.size());
  {
    const MutexLock commit_lock(commit_mutex_);
    const std::int64_t now = wall_clock_ms();
    std::vector<PlacedBatch> placed;
    for (std::size_t i = 0; i < group.size(); ++i) results[i] = admit(*group[i], now, placed);
    Status written;
    if (storage_ && !placed.empty()) written = storage_->write(placed);
    const MutexLock lock(mutex_);
    for (std::size_t i = 0; i < group.size(); ++i) {
      if (!results[i]) continue;
      if (written) {
        publish(*group[i]);
      } else {
        results[i] = written;
        for (const auto& part : group[i]->parts) part.partition->assigned = part.partition->end;
      }
    }
    if (storage_) evict();
  }
  for (std::size_t i = 0; i < group.size(); ++i) group[i]->done(*group[i], results[i]);
}

void LocalLog::publish(const LocalTransaction& transaction) {
  for (const auto& part : transaction.parts) {
    LocalPartition& partition = *part.partition;
    partition.end = part.batch->next_offset();
    partition.appended_bytes += part.batch->bytes().size();
    cache(part.partition, part.batch);
    for (const auto& listener : partition.listeners) listener.reader->notify(listener.source);
  }
}

void LocalLog::cache(const LocalPartitionPtr& partition, const RecordBatchPtr& batch) {
  partition->tail.push_back(batch);
  tail_bytes_ += batch->bytes().size();
  if (storage_) tail_order_.emplace_back(partition, batch->base_offset());
}

void LocalLog::evict() {
  while (evict_oldest(/*stale_only=*/true)) {
  }
  while (!tail_order_.empty() && (tail_bytes_ + tail_order_.size() * kBatchOverhead > options_.tail_bytes ||
                                  tail_order_.size() > kMaxCachedBatches))
    evict_oldest(/*stale_only=*/false);
}

bool LocalLog::evict_oldest(bool stale_only) {
  if (tail_order_.empty()) return false;
  const auto& [weak, base_offset] = tail_order_.front();
  const LocalPartitionPtr partition = weak.lock();
  // Truncation drops batches without looking for their place in the order.
  const bool stale = !partition || partition->tail.empty() || partition->tail.front()->base_offset() != base_offset;
  if (!stale && stale_only) return false;
  if (!stale) {
    tail_bytes_ -= partition->tail.front()->bytes().size();
    partition->tail.pop_front();
  }
  tail_order_.pop_front();
  return true;
}

}  // namespace millrace::inline exec
