#include "exec/runtime/restorer.h"

#include <algorithm>

#include "exec/data/wall_clock.h"

namespace millrace::inline exec {
namespace {

constexpr std::size_t kRecordsPerPoll = 8192;
constexpr std::size_t kRecordBytes = 128;  // of memory that a key and its value take, about
constexpr int kPollsAtOnce = 8;            // before the worker looks at anything else
constexpr std::size_t kAtOnce = 4;         // changelogs read at a time

// Half the time for which compaction keeps removals (delete.retention.ms of changelogs).
constexpr std::chrono::milliseconds kOldest = std::chrono::hours{12};

Error incomplete(const Task& task, const Task::StoreEntry& entry, std::int64_t durable, const Log::Bounds& changelog) {
  return user_error(
      "the state of {} cannot be rebuilt: the state directory has partition {} up to offset {} of the changelog {}, "
      "which now holds {} to {} only; put back the state directory that belongs to this log, or drop the query and "
      "create it again",
      task.run().plan->query_id, task.place().partition, durable, entry.changelog, changelog.begin, changelog.end);
}

/// The log lost its end or is another one, or may have forgotten removals that the state directory has not heard of:
/// what the log holds is what counts.
bool outlived(const Store& store, const Log::Bounds& changelog, bool cut, bool whole) {
  const std::int64_t held = store.durable_position();
  if (held > changelog.end) return changelog.begin == 0 || cut;
  if (held == 0 || held == changelog.end || !whole) return false;
  return (cut && held < changelog.begin) || wall_clock_ms() - store.durable_time() > kOldest.count();
}

}  // namespace

Result<std::int64_t> begin_of_tail(const Task& task, Task::StoreEntry& entry, const Log::Bounds& changelog,
                                   bool whole) {
  // What was cut off its front is about expired windows.
  const bool cut = whole && entry.plan->retention_ms.has_value();
  if (outlived(*entry.store, changelog, cut, whole)) {
    if (auto emptied = entry.store->clear(); !emptied) return emptied.error();
  }
  const std::int64_t stored = entry.store->durable_position();
  const std::int64_t durable = stored == 0 && cut ? changelog.begin : stored;
  if (durable < changelog.begin || durable > changelog.end) return incomplete(task, entry, durable, changelog);
  return durable;
}

/// What was not told of is asked about for itself, and a failure is that of its task.
Result<Log::Bounds> Restorer::bounds_of(const TopicPartition& changelog) {
  const auto known = expected_.find(changelog);
  return known != expected_.end() ? known->second : log_.bounds(changelog, false);
}

Result<bool> Restorer::start(Task& task) {
  bool ready = true;
  for (std::size_t i = 0; i < task.stores().size(); ++i) {
    if (task.stores()[i].changelog.empty()) continue;
    auto done = start(task, i);
    if (!done) return done.error();
    ready = ready && *done;
  }
  return ready;
}

Result<bool> Restorer::start(Task& task, std::size_t store) {
  Task::StoreEntry& entry = task.stores()[store];
  const TopicPartition partition{entry.changelog, task.place().partition};
  auto bounds = bounds_of(partition);
  if (!bounds) return bounds.error();
  const auto durable = begin_of_tail(task, entry, *bounds, whole_);
  if (!durable) return durable.error();
  entry.changelog_end = bounds->end;
  if (*durable == bounds->end) {
    if (auto done = entry.store->restored(bounds->end); !done) return done.error();
    return true;
  }
  waiting_.push_back({&task, store, *durable, bounds->end});
  return false;
}

void Restorer::forget(Task& task) {
  std::erase_if(waiting_, [&](const Tail& tail) { return tail.task == &task; });
  for (auto it = tails_.begin(); it != tails_.end();) {
    if (it->second.task == &task) {
      reader_->remove(it->first);
      it = tails_.erase(it);
    } else {
      ++it;
    }
  }
  if (empty()) reader_.reset();
}

bool Restorer::has_tails(const Task& task) const {
  return std::any_of(tails_.begin(), tails_.end(), [&](const auto& entry) { return entry.second.task == &task; }) ||
         std::any_of(waiting_.begin(), waiting_.end(), [&](const Tail& tail) { return tail.task == &task; });
}

// Whether what is being read and waits would fill memory, if every record were a key of its own.
bool Restorer::exceeds_memory() const {
  std::int64_t records = 0;
  for (const auto& [source, tail] : tails_) records += tail.end - tail.from;
  for (const Tail& tail : waiting_) records += tail.end - tail.from;
  return static_cast<std::size_t>(records) > memory_bytes_ / kRecordBytes;
}

Status Restorer::open(const Tail& tail) {
  if (!reader_) {
    auto reader = log_.reader(client_id_ + "-restore");
    if (!reader) return reader.error();
    reader_ = std::move(*reader);
  }
  if (exceeds_memory()) tail.task->stores()[tail.store].store->expect_large_restore();
  auto source = reader_->add({tail.task->stores()[tail.store].changelog, tail.task->place().partition}, tail.from);
  if (!source) return source.error();
  tails_[*source] = tail;
  return {};
}

std::optional<Restorer::Failure> Restorer::open_some() {
  while (!waiting_.empty() && tails_.size() < kAtOnce) {
    if (auto opened = open(waiting_.front()); !opened)
      return Failure{waiting_.front().task, opened.error(), opened.error().retriable()};
    waiting_.pop_front();
  }
  return std::nullopt;
}

std::optional<Restorer::Failure> Restorer::poll(std::chrono::milliseconds wait, std::vector<Task*>& ready) {
  for (int i = 0; i < kPollsAtOnce && !empty(); ++i) {
    if (auto failure = open_some()) return failure;
    auto fetch = reader_->poll(kRecordsPerPoll, i == 0 ? wait : std::chrono::milliseconds{0});
    if (!fetch) return Failure{tails_.begin()->second.task, fetch.error(), fetch.error().retriable()};
    if (!*fetch) return std::nullopt;
    const auto found = tails_.find((*fetch)->source);
    if (found == tails_.end()) continue;
    const Tail tail = found->second;
    Store& store = *tail.task->stores()[tail.store].store;
    if (auto done = store.restore((*fetch)->records); !done) return Failure{tail.task, done.error()};
    if ((*fetch)->next_offset < tail.end) continue;
    if (auto done = store.restored(tail.end); !done) return Failure{tail.task, done.error()};
    reader_->remove(found->first);
    tails_.erase(found);
    if (!has_tails(*tail.task)) ready.push_back(tail.task);
    if (empty()) reader_.reset();
  }
  return std::nullopt;
}

}  // namespace millrace::inline exec
