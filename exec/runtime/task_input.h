#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <limits>
#include <memory>
#include <optional>
#include <vector>

#include "exec/data/batch.h"
#include "exec/data/result.h"
#include "exec/log/log.h"
#include "exec/operators/least_time.h"
#include "exec/runtime/record_form.h"
#include "exec/runtime/source_stage.h"
#include "exec/runtime/witness.h"

namespace millrace::inline exec {

/// One partition that a task reads: what was fetched and waits, decoded when its turn comes. Several leaves of the task
/// may read the same partition (a self-join, a union); they get each record one after the other, in declared order.
class TaskInput {
 public:
  struct Leaf {
    std::size_t leaf;  // of the pipeline
    std::unique_ptr<SourceStage> stage;
  };
  /// `rank`: who goes first among equal timestamps, lowest first.
  TaskInput(TopicPartition partition, bool internal, std::vector<Leaf> leaves, int rank);

  const TopicPartition& partition() const { return partition_; }
  bool internal() const { return internal_; }
  int rank() const { return rank_; }
  /// Part of a table that every task reads whole, before anything else, and from the start whenever the task starts.
  void be_broadcast() { broadcast_ = true; }
  bool broadcast() const { return broadcast_; }

  /// Nothing else of the task is read before its records up to `offset`, or as many of them as there are. Absent: they
  /// have been read.
  void be_ready_at(std::optional<std::int64_t> offset) { ready_at_ = offset; }
  std::optional<std::int64_t> ready_at() const { return ready_at_; }

  /// Its topic carries the times of so many tasks between its rows (TimeRecord).
  void expect_times(std::size_t writers) { times_ = LeastTime(writers); }
  bool timed() const { return times_.has_value(); }
  /// What those tasks have said, of those that have; part of the task's progress.
  std::vector<std::pair<std::size_t, std::int64_t>> told_times() const;
  void restore_times(const std::vector<std::pair<std::size_t, std::int64_t>>& times);

  // --- from the reader ---
  /// Offset of the next record it would take.
  std::int64_t accepted() const { return accepted_; }
  bool full() const { return queued_ >= queue_limit_; }
  /// How many records may wait before it is full.
  void limit_queue(std::size_t records) { queue_limit_ = records; }
  bool has_queued() const { return queued_ > 0; }
  /// Takes the records of `arrival` from `accepted()` on; what lies before was taken earlier.
  void take(const std::shared_ptr<const Arrival>& arrival);
  /// Forgets what waits and goes on at `offset`; everything before it counts as consumed, `witness` among it.
  void seek(std::int64_t offset, const Witness& witness = {});
  /// What waits and lies before `offset` counts as consumed; the head stays.
  void pass_over(std::int64_t offset);
  /// Records from `end` on are not this task's.
  void stop_at(std::int64_t end) { end_ = end; }
  /// Records from its position on that are not in the log any more were lost to it; before its task has committed
  /// anything they are only not there.
  void be_strict() { strict_ = true; }
  bool strict() const { return strict_; }
  /// Its partition may have become another one since the witness was read.
  void doubt() { proven_ = witness_.offset < 0 || witness_.offset >= accepted_; }
  /// From here on it wants to see its partition: what proves it, then what it has not taken yet.
  std::int64_t wanted() const { return proven_ ? accepted_ : witness_.offset; }
  /// False: what `fetch` holds at the place of the witness is not what was read there.
  bool recognizes(const Fetch& fetch);
  bool at_end() const { return accepted_ >= end_ && !has_queued() && !has_head(); }

  // --- to the task ---
  /// Everything before this offset has been given to the operators.
  std::int64_t consumed() const { return consumed_; }
  /// A record before that offset; offset -1 when there is none.
  const Witness& witness() const { return witness_; }
  /// Decodes the next records, if there is no head and something waits. May skip any number of bad ones.
  Status load_head(std::size_t max_rows);
  bool has_head() const { return at_ < rows_ || time_; }
  /// The head is no row: one of those who write the topic says how far it has come.
  bool head_is_time() const { return time_.has_value(); }
  /// Takes that in. Gives how far all of them have come, when that has moved.
  std::optional<std::int64_t> take_time();
  /// When the head was read, or else what is to become it; the last that was.
  Clock::time_point read() const { return has_head() || queue_.empty() ? head_read_ : queue_.front().arrival->read; }
  Clock::time_point last_read() const { return queue_.empty() ? head_read_ : queue_.back().arrival->read; }
  /// There is no head because a schema that the next records name is still being fetched.
  bool waits_for_schema() const { return waits_for_schema_; }
  std::int64_t head_time() const { return time_ ? time_->time : (*head_.front().timestamps)[at_]; }
  /// How many rows from the head on come before a row of rank `rank` at `time`.
  std::size_t rows_before(std::int64_t time, int rank) const;
  /// `rows` of the head, and one more where that would part the halves of an update.
  std::size_t whole_changes(std::size_t rows) const;
  std::size_t head_rows() const { return time_ ? 1 : rows_ - at_; }
  /// How many rows of the head lie before `offset`.
  std::size_t rows_under(std::int64_t offset) const;
  /// None of those who write its topic has anything to say.
  bool nothing_comes() const { return times_ && times_->least() == LeastTime::kNothing; }
  /// The largest time of the next `rows` rows.
  std::int64_t newest(std::size_t rows) const;
  const std::vector<Leaf>& leaves() const { return leaves_; }
  /// What leaf `index` has of the head, if nothing of it was consumed yet and `rows` is all of it; else null.
  const Batch* whole(std::size_t index, std::size_t rows) const {
    return at_ == 0 && rows == rows_ ? &head_[index] : nullptr;
  }
  /// The next `rows` rows for leaf `index` of `leaves()`.
  Batch cut(std::size_t index, std::size_t rows) const;
  /// They have been given to the operators.
  void consume(std::size_t rows);

 private:
  struct Piece {
    std::shared_ptr<const Arrival> arrival;
    std::size_t at;
    std::size_t end;
  };
  void drop_head();
  void reach(std::int64_t offset);
  bool opens_pair(const RecordView& record) const;
  bool ends_in_half_pair() const {
    return !queue_.empty() && opens_pair(queue_.back().arrival->fetch.records[queue_.back().end - 1]);
  }
  void bridge(const std::shared_ptr<const Arrival>& arrival, std::size_t first);
  std::size_t next_count(const Piece& piece, std::size_t max_rows) const;
  void use(Piece& piece, std::size_t count);

  TopicPartition partition_;
  bool internal_;
  bool broadcast_ = false;
  std::optional<std::int64_t> ready_at_;
  std::vector<Leaf> leaves_;
  int rank_;
  std::deque<Piece> queue_;
  std::size_t queued_ = 0, queue_limit_ = 4 * kMaxBatchRows;
  std::int64_t accepted_ = 0, consumed_ = 0;
  std::int64_t end_ = std::numeric_limits<std::int64_t>::max();
  std::vector<Batch> head_;  // one per leaf, equally long where there are several
  std::size_t rows_ = 0, at_ = 0;
  std::optional<LeastTime> times_;  // absent: the topic carries none
  std::optional<TimeRecord> time_;  // the head
  bool waits_for_schema_ = false;
  bool strict_ = false;
  bool proven_ = true;
  Witness witness_, head_witness_;  // of what is consumed; once the head is used up
  std::int64_t head_next_ = 0;      // consumed offset once the head is used up
  Clock::time_point head_read_{};
};

}  // namespace millrace::inline exec
