#include "exec/log/local/reader.h"

#include <algorithm>

#include "exec/log/header_spans.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec {

namespace {

constexpr std::size_t kMaxFetchBytes = 4 << 20;

/// Keeps what the views of a fetch point into.
struct FetchOwner {
  std::vector<RecordBatchPtr> batches;
  std::vector<HeaderView> headers;
};

/// Gathers the records of one fetch; header spans are set at the end, when their array has stopped moving.
class FetchBuilder {
 public:
  explicit FetchBuilder(std::size_t expected) { fetch_.records.reserve(expected); }
  std::size_t size() const { return fetch_.records.size(); }
  std::size_t bytes() const { return bytes_; }

  /// Takes records from `from` on, until the batch or `max_records` is reached. False: damaged.
  bool take(RecordCursor& cursor, std::int64_t from, std::size_t max_records) {
    bool used = false;
    while (!cursor.done() && fetch_.records.size() < max_records) {
      RecordView& record = fetch_.records.emplace_back();
      std::uint32_t header_count = 0;
      if (!cursor.next(record, owner_->headers, header_count)) return false;
      if (record.offset < from) {
        fetch_.records.pop_back();
        owner_->headers.resize(owner_->headers.size() - header_count);
        continue;
      }
      used = true;
      spans_.add(fetch_.records.size() - 1, header_count);
    }
    if (used) {
      owner_->batches.push_back(cursor.batch());
      bytes_ += cursor.batch()->bytes().size();
    }
    return true;
  }

  Fetch finish(ReadHandle source, std::int64_t next_offset) {
    spans_.set(fetch_.records, owner_->headers);
    fetch_.source = source;
    fetch_.next_offset = next_offset;
    fetch_.owner = std::move(owner_);
    return std::move(fetch_);
  }

 private:
  Fetch fetch_;
  std::shared_ptr<FetchOwner> owner_ = std::make_shared<FetchOwner>();
  HeaderSpans spans_;
  std::size_t bytes_ = 0;
};

void unlisten(LocalPartition& partition, const LocalReader* reader, ReadHandle source) {
  std::erase_if(partition.listeners, [&](const LocalPartition::Listener& listener) {
    return listener.reader == reader && listener.source == source;
  });
}

}  // namespace

LocalReader::~LocalReader() {
  const MutexLock lock(log_.mutex());
  for (const auto& [handle, source] : sources_) unlisten(*source->partition, this, handle);
}

LocalReader::Source* LocalReader::find(ReadHandle source) {
  const auto found = sources_.find(source);
  return found == sources_.end() ? nullptr : found->second.get();
}

Result<ReadHandle> LocalReader::add(const TopicPartition& name, std::int64_t offset, const LogBounds* /*known*/) {
  auto partition = log_.find_partition(name);
  if (!partition) return partition.error();
  const MutexLock lock(log_.mutex());
  LocalPartition& found = **partition;
  if (offset == kOffsetBeginning) offset = found.begin;
  if (offset == kOffsetEnd) offset = found.end;
  if (offset < 0 || offset > found.end)
    return user_error("topic '{}' partition {}: offset {} lies outside the log, which ends at {}", name.topic,
                      name.partition, offset, found.end);
  const ReadHandle handle{next_handle_++};
  auto source = std::make_unique<Source>();
  source->partition = *partition;
  source->position = std::max(offset, found.begin);
  source->told = offset;
  source->skipped = source->position - offset;
  found.listeners.push_back({this, handle});
  sources_.emplace(handle, std::move(source));
  enqueue(handle);
  return handle;
}

void LocalReader::remove(ReadHandle source) {
  const MutexLock lock(log_.mutex());
  Source* found = find(source);
  if (!found) return;
  unlisten(*found->partition, this, source);
  sources_.erase(source);
}

void LocalReader::pause(ReadHandle source) {
  const MutexLock lock(log_.mutex());
  if (Source* found = find(source)) found->paused = true;
}

void LocalReader::resume(ReadHandle source) {
  const MutexLock lock(log_.mutex());
  Source* found = find(source);
  if (!found || !found->paused) return;
  found->paused = false;
  enqueue(source);
}

void LocalReader::enqueue(ReadHandle source) {
  Source& found = *sources_.at(source);
  if (found.ready || found.paused) return;
  found.ready = true;
  ready_.push_back(source);
}

void LocalReader::notify(ReadHandle source) {
  log_.mutex().assert_held();
  enqueue(source);
  event_.notify_one();
}

void LocalReader::wake() {
  const MutexLock lock(log_.mutex());
  woken_ = true;
  event_.notify_one();
}

// Unchecked: what this thread alone changes it may read without the lock.
std::int64_t LocalReader::skipped(ReadHandle source) const UNCHECKED_LOCKS {
  const auto found = sources_.find(source);
  return found == sources_.end() ? 0 : found->second->skipped;
}

std::int64_t LocalReader::known_end(ReadHandle source) {
  const MutexLock lock(log_.mutex());
  const Source* found = find(source);
  return found ? found->partition->end : 0;
}

bool LocalReader::ended(ReadHandle source, Clock::time_point /*since*/) {
  const MutexLock lock(log_.mutex());
  const Source* found = find(source);
  return !found || found->told >= found->partition->end;
}

Result<std::optional<Fetch>> LocalReader::poll(std::size_t max_records, std::chrono::milliseconds wait) {
  const auto deadline = Clock::now() + wait;
  Lock lock(log_.mutex());
  while (true) {
    while (!ready_.empty()) {
      const ReadHandle handle = ready_.front();
      ready_.pop_front();
      Source* source = find(handle);
      if (!source) continue;
      source->ready = false;
      if (source->paused) continue;
      auto taken = take(handle, *source, std::max<std::size_t>(max_records, 1), lock);
      if (!taken) at_fault_ = taken.error().retriable() ? kNoRead : handle;
      if (!taken || *taken) return taken;
    }
    if (woken_ || Clock::now() >= deadline) break;
    event_.wait_until(lock, deadline, [&]() REQUIRES(log_.mutex()) { return woken_ || !ready_.empty(); });
  }
  woken_ = false;
  return std::optional<Fetch>{};
}

// Unchecked: gives `lock` away meanwhile and takes it again.
Result<std::optional<Fetch>> LocalReader::take(ReadHandle handle, Source& source, std::size_t max_records,
                                               Lock& lock) UNCHECKED_LOCKS {
  FetchBuilder builder(std::min<std::size_t>(max_records, 4096));
  while (builder.size() < max_records && builder.bytes() < kMaxFetchBytes) {
    if (source.cursor.done()) {
      const auto filled = fill(source, max_records - builder.size(), lock);
      if (!filled && builder.size() == 0) {
        if (filled.error().retriable()) enqueue(handle);
        return filled.error();
      }
      if (!filled || !*filled) break;
    }
    lock.unlock();
    const bool sound = builder.take(source.cursor, source.position, max_records);
    lock.lock();
    if (!sound) {
      const auto& name = source.partition->name;
      return external_error("topic '{}' partition {}: the batch at offset {} is damaged", name.topic, name.partition,
                            source.cursor.batch()->base_offset());
    }
    if (source.cursor.done()) {
      source.position = std::max(source.position, source.cursor.batch()->next_offset());
      source.cursor = {};
    }
  }
  // Without records when compaction or truncation took all that lay ahead.
  if (builder.size() == 0 && source.position <= source.told) return std::optional<Fetch>{};
  Fetch fetch = builder.finish(handle, source.position);
  if (!source.cursor.done()) source.position = fetch.next_offset = fetch.records.back().offset + 1;
  source.told = source.position;
  if (source.position < source.partition->end) enqueue(handle);
  return std::optional<Fetch>{std::move(fetch)};
}

/// Sets the cursor to the next batch. False: nothing to read now. Gives the lock away while it reads from storage.
Result<bool> LocalReader::fill(Source& source, std::size_t max_records, Lock& lock) UNCHECKED_LOCKS {
  LocalPartition& partition = *source.partition;
  source.cursor = {};
  while (true) {
    if (partition.deleted) {
      if (std::exchange(source.reported, true)) return false;
      return user_error("topic '{}' was deleted", partition.name.topic);
    }
    if (source.position < partition.begin) {
      if (report_removed_) {
        if (std::exchange(source.reported, true)) return false;
        return user_error("topic '{}' partition {}: offsets {} to {} were removed before they were read",
                          partition.name.topic, partition.name.partition, source.position, partition.begin - 1);
      }
      source.position = partition.begin;
      source.batches.clear();
    }
    if (!source.batches.empty()) {
      source.cursor = RecordCursor(std::move(source.batches.front()));
      source.batches.pop_front();
      return true;
    }
    if (source.position >= partition.end) return false;
    const std::int64_t until = partition.tail_begin();
    if (source.position >= until) {
      fill_from_tail(source, max_records);
      continue;
    }
    lock.unlock();
    auto batches = log_.storage() ? log_.storage()->read(partition.id, source.position, until, max_records)
                                  : Result<std::vector<RecordBatchPtr>>(std::vector<RecordBatchPtr>{});
    lock.lock();
    if (!batches) return batches.error();
    // Nothing left of it: compaction or truncation took the records up to the batches in memory.
    if (batches->empty()) source.position = std::max(source.position, until);
    source.batches.assign(batches->begin(), batches->end());
  }
}

void LocalReader::fill_from_tail(Source& source, std::size_t max_records) {
  const auto& tail = source.partition->tail;
  auto at =
      std::upper_bound(tail.begin(), tail.end(), source.position,
                       [](std::int64_t offset, const RecordBatchPtr& batch) { return offset < batch->next_offset(); });
  std::size_t records = 0;
  for (; at != tail.end() && records < max_records; ++at) {
    records += (*at)->count();
    source.batches.push_back(*at);
  }
}

}  // namespace millrace::inline exec
