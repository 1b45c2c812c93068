#include "exec/log/embedded/log_compaction.h"

#include <xxhash.h>

#include <boost/unordered/unordered_flat_map.hpp>
#include <vector>

#include "exec/log/record_batch.h"

namespace millrace::inline exec {

namespace {

constexpr std::size_t kMergedBytes = 128 * 1024;
constexpr std::size_t kWholeBatch = 32 * 1024;
constexpr std::int64_t kMaxSpan = 1LL << 31;

/// 128 bits: two keys never meet in practice.
struct KeyHash {
  std::uint64_t low, high;
  friend bool operator==(const KeyHash&, const KeyHash&) = default;
};
struct KeyHashHash {
  using is_avalanching = void;
  std::size_t operator()(const KeyHash& hash) const { return hash.low; }
};
using LastOffsets = boost::unordered_flat_map<KeyHash, std::int64_t, KeyHashHash>;

KeyHash hash_key(std::string_view key) {
  const XXH128_hash_t hash = XXH3_128bits(key.data(), key.size());
  return {hash.low64, hash.high64};
}

/// Calls `visit(record)` for each record; false when the batch is damaged.
template <class Visit>
bool for_each_record(const RecordBatchPtr& batch, std::vector<HeaderView>& headers, const Visit& visit) {
  RecordCursor cursor(batch);
  RecordView record;
  while (!cursor.done()) {
    headers.clear();
    std::uint32_t count = 0;
    if (!cursor.next(record, headers, count)) return false;
    record.headers = headers;
    visit(record);
  }
  return true;
}

Error damaged(const RecordBatchPtr& batch) {
  return external_error("compaction: the batch at offset {} is damaged", batch->base_offset());
}

/// Rewrites the batches it is given, merging small neighbours.
class Rewriter {
 public:
  Rewriter(EmbeddedStore& store, PartitionId partition, const LastOffsets& last, std::int64_t end,
           std::int64_t drop_tombstones_before)
      : store_(store), partition_(partition), last_(last), end_(end), drop_tombstones_before_(drop_tombstones_before) {}

  Status add(const RecordBatchPtr& batch) {
    std::uint32_t kept = 0;
    if (!for_each_record(batch, headers_, [&](const RecordView& record) { kept += keeps(*batch, record) ? 1 : 0; }))
      return damaged(batch);
    const bool whole = kept == batch->count() && batch->bytes().size() >= kWholeBatch;
    if (whole || (base_ >= 0 && batch->next_offset() - base_ > kMaxSpan)) {
      if (Status flushed = flush(); !flushed) return flushed;
      live_bytes_ += whole ? batch->bytes().size() : 0;
      if (whole) return {};
    }
    if (kept != 0) copy(*batch, batch);
    removed_.push_back(batch->base_offset());
    changed_ = changed_ || kept != batch->count() || removed_.size() > 1;
    return builder_.bytes() >= kMergedBytes ? flush() : Status{};
  }

  Status flush() {
    std::vector<RecordBatchPtr> added;
    if (!builder_.empty()) {
      auto merged = builder_.seal(static_cast<std::uint32_t>(next_ - base_));
      merged->place(base_, append_time_);
      live_bytes_ += merged->bytes().size();
      added.push_back(std::move(merged));
    }
    const bool changed = changed_;
    base_ = -1;
    append_time_ = 0;
    changed_ = false;
    const std::vector<std::int64_t> removed = std::exchange(removed_, {});
    return changed ? store_.replace(partition_, removed, added) : Status{};
  }

  std::uint64_t live_bytes() const { return live_bytes_; }

 private:
  bool keeps(const RecordBatch& batch, const RecordView& record) const {
    if (!record.key || record.offset == end_ - 1) return true;
    const auto found = last_.find(hash_key(*record.key));
    if (found != last_.end() && found->second > record.offset) return false;
    return record.value || batch.append_time() >= drop_tombstones_before_;
  }

  void copy(const RecordBatch& batch, const RecordBatchPtr& source) {
    for_each_record(source, headers_, [&](const RecordView& record) {
      if (!keeps(batch, record)) return;
      if (builder_.empty()) base_ = record.offset;
      builder_.append(record.key, record.value, RecordTime{record.timestamp}, record.headers,
                      static_cast<std::uint64_t>(record.offset - base_));
      next_ = record.offset + 1;
    });
    append_time_ = std::max(append_time_, batch.append_time());
  }

  EmbeddedStore& store_;
  const PartitionId partition_;
  const LastOffsets& last_;
  const std::int64_t end_;
  const std::int64_t drop_tombstones_before_;
  RecordBatchBuilder builder_{/*sparse=*/true};
  std::vector<HeaderView> headers_;
  std::vector<std::int64_t> removed_;
  std::int64_t base_ = -1;
  std::int64_t next_ = 0;
  std::int64_t append_time_ = 0;
  bool changed_ = false;
  std::uint64_t live_bytes_ = 0;
};

/// Visits [from, until) in portions, so that no lock or snapshot is held for long.
template <class Visit>
Status walk(EmbeddedStore& store, PartitionId partition, std::int64_t from, std::int64_t until, const Visit& visit) {
  constexpr std::size_t kPortion = 100'000;
  while (from < until) {
    const auto batches = store.read(partition, from, until, kPortion);
    if (!batches) return batches.error();
    if (batches->empty()) return {};
    for (const RecordBatchPtr& batch : *batches) {
      const Result<bool> more = visit(batch);
      if (!more) return more.error();
      if (!*more) return {};
      from = batch->next_offset();
    }
  }
  return {};
}

/// Fills `last`; returns where it stopped.
Result<std::int64_t> gather(EmbeddedStore& store, PartitionId partition, std::int64_t from, std::int64_t until,
                            std::size_t max_keys, LastOffsets& last) {
  std::vector<HeaderView> headers;
  std::int64_t reached = from;
  const Status walked = walk(store, partition, from, until, [&](const RecordBatchPtr& batch) -> Result<bool> {
    const auto note = [&](const RecordView& record) {
      if (record.key) last[hash_key(*record.key)] = record.offset;
    };
    if (!for_each_record(batch, headers, note)) return damaged(batch);
    reached = batch->next_offset();
    return last.size() < max_keys;
  });
  if (!walked) return walked.error();
  return std::min(reached, until);
}

}  // namespace

Result<CompactionResult> compact_partition(EmbeddedStore& store, PartitionId partition, const Log::Bounds& bounds,
                                           std::int64_t from, const CompactionLimits& limits) {
  LastOffsets last;
  const auto reached = gather(store, partition, std::max(from, bounds.begin), bounds.end, limits.max_keys, last);
  if (!reached) return reached.error();
  Rewriter rewriter(store, partition, last, bounds.end, limits.drop_tombstones_before);
  const Status walked =
      walk(store, partition, bounds.begin, *reached, [&](const RecordBatchPtr& batch) -> Result<bool> {
        // One that reaches beyond what was gathered has records we know nothing about.
        if (batch->next_offset() > *reached) return false;
        if (Status added = rewriter.add(batch); !added) return added.error();
        return true;
      });
  if (!walked) return walked.error();
  if (Status flushed = rewriter.flush(); !flushed) return flushed.error();
  if (Status noted = store.set_compacted_to(partition, *reached); !noted) return noted.error();
  return CompactionResult{*reached, rewriter.live_bytes()};
}

}  // namespace millrace::inline exec
