#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <unordered_map>

#include "exec/log/local/log.h"
#include "exec/log/record_batch.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec {

/// Partitions with something to read stand in a queue, so a poll costs nothing for those without. All state is guarded
/// by the log's mutex, but for the batches of the source being read.
class LocalReader final : public Reader {
 public:
  explicit LocalReader(LocalLog& log) : log_(log) {}
  ~LocalReader() override;

  using Reader::add;
  Result<ReadHandle> add(const TopicPartition& partition, std::int64_t offset, const LogBounds* known) override;
  void remove(ReadHandle source) override;
  void pause(ReadHandle source) override;
  void resume(ReadHandle source) override;
  Result<std::optional<Fetch>> poll(std::size_t max_records, std::chrono::milliseconds wait) override;
  std::int64_t known_end(ReadHandle source) override;
  bool ended(ReadHandle source, Clock::time_point since) override;
  void ask_end(ReadHandle) override {}
  ReadHandle at_fault() const override { return at_fault_; }
  std::int64_t skipped(ReadHandle source) const override;
  void report_removed() override { report_removed_ = true; }
  void wake() override;

  /// Something happened to the partition of `source`. Called by the log with its mutex held.
  void notify(ReadHandle source);

 private:
  struct Source {
    LocalPartitionPtr partition;
    std::int64_t position = 0;
    std::int64_t told = 0;  // next offset as poll() has told it
    std::int64_t skipped = 0;
    bool paused = false;
    bool ready = false;                  // stands in ready_
    bool reported = false;               // that nothing more comes
    std::deque<RecordBatchPtr> batches;  // fetched, not yet begun
    RecordCursor cursor;                 // the batch being handed out
  };
  using Lock = MutexLock;

  void enqueue(ReadHandle source) REQUIRES(log_.mutex());
  Source* find(ReadHandle source) REQUIRES(log_.mutex());
  Result<std::optional<Fetch>> take(ReadHandle handle, Source& source, std::size_t max_records, Lock& lock)
      REQUIRES(log_.mutex());
  Result<bool> fill(Source& source, std::size_t max_records, Lock& lock) REQUIRES(log_.mutex());
  void fill_from_tail(Source& source, std::size_t max_records) REQUIRES(log_.mutex());

  LocalLog& log_;
  // By handle; none is given twice, so that what is still said of a removed one means nothing.
  std::unordered_map<ReadHandle, std::unique_ptr<Source>> sources_ GUARDED_BY(log_.mutex());
  std::int32_t next_handle_ GUARDED_BY(log_.mutex()) = 0;
  std::deque<ReadHandle> ready_ GUARDED_BY(log_.mutex());
  std::condition_variable event_;
  bool woken_ GUARDED_BY(log_.mutex()) = false;
  ReadHandle at_fault_ = kNoRead;
  bool report_removed_ = false;
};

}  // namespace millrace::inline exec
