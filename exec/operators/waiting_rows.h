#pragma once

#include <functional>
#include <memory>
#include <span>

#include "exec/operators/table_side.h"

namespace millrace::inline exec {

/// Rows of a stream that wait for stream time to come to what each waits for, in a store. They go in the order of that,
/// those with the same as they came. Headers are not kept. One thread.
class WaitingRows {
 public:
  /// `longest_ms`: how long rows wait, about. The store goes to the task.
  static Result<std::unique_ptr<WaitingRows>> open(const PlanNode& relation, const Result<StoreSlot>& slot,
                                                   std::int64_t longest_ms);

  /// Row rows[i] of `in` waits until due[i], which has not been reached.
  Status keep(const Batch& in, std::span<const std::uint32_t> rows, std::span<const std::int64_t> due);
  /// Stream time has come to `time`: the rows up to there go.
  Status release(std::int64_t time, const std::function<Status(Batch&&)>& give);
  /// When rows are due that `release(time)` would give, in order.
  Status dues(std::int64_t time, std::vector<std::int64_t>& out);
  /// Nothing that waits is due before this.
  std::int64_t released() const { return released_; }
  /// To be called at each commit.
  void commit() { store_.expire_before(released_); }
  void save(std::string& bytes) const;
  /// Reads what `save` wrote off the front of `bytes`; `time`: stream time, up to which all have gone.
  void load(std::string_view& bytes, std::int64_t time);

 private:
  WaitingRows(const PlanNode& relation, MapStore& store) : keys_(relation), codec_(relation.schema), store_(store) {}
  Result<Batch> rows_of(std::span<Entry* const> entries);

  StoreKeys keys_;
  RowCodec codec_;
  MapStore& store_;
  std::int64_t next_ = 0;  // numbers rows
  std::int64_t released_ = 0;

  // Scratch.
  KeyBuffer row_keys_, places_;
  Encoded encoded_;
  std::vector<Entry*> entries_;
};

}  // namespace millrace::inline exec
