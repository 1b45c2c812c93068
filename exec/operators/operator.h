#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "exec/data/batch.h"
#include "exec/data/record_error.h"
#include "exec/data/result.h"
#include "exec/expr/evaluator.h"
#include "exec/state/store.h"
#include "planner/physical/plan.h"

namespace millrace::inline exec {

/// Takes what an operator gives out. Rows must be handed on in order.
class Emitter {
 public:
  virtual ~Emitter() = default;
  virtual Status batch(Batch&& batch) = 0;
  /// How far time has come for what was given out (Operator::on_time). Between rows, in order with them.
  virtual Status time(std::int64_t time) {
    (void)time;
    return {};
  }
};

/// What one operator of a query has done so far, in all tasks of this process. May be read at any time.
struct OperatorCounters {
  std::atomic<std::uint64_t> late_rows{0}, errors{0}, rows_in{0}, rows_out{0};
  std::atomic<std::uint64_t> busy_ns{0};  // without the operators that it hands rows to
  std::atomic<std::int64_t> state_bytes{0};
};

class PredicateIndexes;

/// What a task gives its operators. Lives as long as they do; same thread. `step`: the operator's name in the plan
/// (Subtopology::steps).
class TaskContext {
 public:
  virtual ~TaskContext() = default;
  /// The store that this node declared in the plan.
  virtual StoreSlot store(const std::string& name) = 0;
  /// Rows left out or values lost, for the processing log and metrics. `in` gives partition and offsets where known.
  virtual void report(std::string_view step, RecordErrorKind kind, const RowErrors& errors, const Batch& in) = 0;
  /// Rows dropped because they were late: metrics and processing log.
  virtual void late_rows(std::string_view step, std::uint64_t count) = 0;
  /// The same for rows that a stream takes: only counted.
  virtual void kept_late_rows(std::string_view step, std::uint64_t count) { late_rows(step, count); }
  /// Writes rows of a LateNode's stream into the open transaction.
  virtual Status write_late(const PlanNode& late, Batch&& rows) {
    (void)late, (void)rows;
    return Error{Fault::bug, "late rows have nowhere to go"};
  }
  /// Where what a step does is counted; null: nobody looks, so nothing is measured.
  virtual OperatorCounters* counters(const std::string& step) = 0;
  virtual const QueryOptions& options() const = 0;
  /// What the parameters of the plan stand for now; null where it has none.
  virtual const ParameterRow* parameters() const { return nullptr; }
  /// Of the filters that may get the same columns; null: there are no others.
  virtual PredicateIndexes* predicates() { return nullptr; }
};

/// A row that came too late.
struct LateRow {
  std::uint32_t row;
  std::int64_t by;                  // ms past the time when it was last awaited
  std::int64_t start = 0, end = 0;  // of the window that it was late for
};
/// LATE INTO: takes rows that an operator finds late.
class LateRows {
 public:
  virtual ~LateRows() = default;
  /// `in`: a batch of the operator's input that it stands below of.
  virtual Status take(const Batch& in, std::span<const LateRow> rows) = 0;
};

/// The same for one operator, which need not know its name.
class OperatorContext {
 public:
  OperatorContext(TaskContext& task, std::string step) : task_(task), step_(std::move(step)) {}
  void report(const RowErrors& errors, const Batch& in) {
    task_.report(step_, RecordErrorKind::processing, errors, in);
  }
  void late_rows(std::uint64_t count) {
    late_.empty() ? task_.late_rows(step_, count) : task_.kept_late_rows(step_, count);
  }
  /// The same with the rows, for what takes those of that input, if anything does.
  Status late_rows(const Batch& in, std::span<const LateRow> rows, std::size_t input = 0) {
    if (rows.empty()) return {};
    late_rows(rows.size());
    LateRows* const taker = input < late_.size() ? late_[input] : nullptr;
    return taker != nullptr ? taker->take(in, rows) : Status{};
  }
  void give_late_to(std::size_t input, LateRows* rows) {
    late_.resize(std::max(late_.size(), input + 1));
    late_[input] = rows;
  }
  Status write_late(const PlanNode& late, Batch&& rows) { return task_.write_late(late, std::move(rows)); }
  const QueryOptions& options() const { return task_.options(); }
  const ParameterRow* parameters() const { return task_.parameters(); }
  PredicateIndexes* predicates() { return task_.predicates(); }
  const std::string& step() const { return step_; }

 private:
  TaskContext& task_;
  const std::string step_;
  std::vector<LateRows*> late_;
};

/// What an operator saved. In records of earlier versions steps have no names: they come in the order of the plan,
/// those that save nothing left out.
struct OperatorState {
  std::string step, bytes;
  friend bool operator==(const OperatorState&, const OperatorState&) = default;
};
using OperatorStates = std::vector<OperatorState>;

/// One step of a running query. The task that owns it calls it from one thread, commits state and counts rows;
/// an operator does none of that. Stream time is the operator's own (design.md §3), row by row, and part of `save`.
class Operator {
 public:
  virtual ~Operator() = default;
  /// Rows for input `input` (0 = left). Results go to `out`, in order, possibly over several batches.
  virtual Status on_batch(int input, const Batch& in, Emitter& out) = 0;
  /// Time has come to `time` at an input, for those of its rows that came before. Of rows that are results of windows
  /// it says which are complete: all windows that end up to then have been given out. Otherwise it is stream time that
  /// no row brought: of a source that is quiet. Never goes back. Operators that hold no rows back pass it on.
  virtual Status on_time(int input, std::int64_t time, Emitter& out) {
    (void)input;
    return out.time(time);
  }
  /// The transaction is about to end: emit what was held back (one change per key). Called source to sink.
  virtual Status on_commit(Emitter& out) {
    (void)out;
    return {};
  }
  /// When the wall clock comes to that time, `on_clock` is to be called; absent: never. What an operator does by the
  /// clock it does as a step of its own, which is committed like any other.
  virtual std::optional<std::int64_t> clock_due() const { return std::nullopt; }
  virtual Status on_clock(std::int64_t now, Emitter& out) {
    (void)now, (void)out;
    return {};
  }
  /// What takes late rows of the operator above; null: nothing.
  virtual LateRows* late_rows() { return nullptr; }
  /// Memory of what is held back outside of stores.
  virtual std::size_t held_bytes() const { return 0; }
  /// Time-like progress that is part of the task's committed progress (stream times, counters); empty for most.
  virtual void save(std::string& bytes) const { (void)bytes; }
  virtual Status load(std::string_view bytes) {
    (void)bytes;
    return {};
  }
};

/// A tree of operators built from one subtopology, sources cut off: rows enter at leaf i, leave at the root (the sink
/// or output node is not part of it; the root's emitter is the task's).
class Pipeline {
 public:
  virtual ~Pipeline() = default;
  struct Leaf {
    const PlanNode* source;      // a leaf of the plan
    OperatorCounters* counters;  // as TaskContext::counters
  };
  virtual const std::vector<Leaf>& leaves() const = 0;
  virtual Status push(std::size_t leaf, const Batch& batch) = 0;
  /// Time has come to `time` at the leaf (Operator::on_time).
  virtual Status time(std::size_t leaf, std::int64_t time) = 0;
  virtual Status commit() = 0;  // on_commit of every operator, source to sink
  /// Operator::clock_due of the first that is due, and on_clock of those that are.
  virtual std::optional<std::int64_t> clock_due() const = 0;
  virtual Status clock(std::int64_t now) = 0;
  virtual std::size_t held_bytes() const = 0;
  /// Progress of the operators that have any.
  virtual OperatorStates save() const = 0;
  /// Operators of which nothing is there start as new; what belongs to none is left alone.
  virtual Status load(const OperatorStates& states) = 0;
};

/// Builds the operators of a subtopology. `out` receives what reaches the root node (SinkNode or OutputNode): its
/// input's batches. `context` and `out` must outlive the pipeline.
Result<std::unique_ptr<Pipeline>> build_pipeline(const Subtopology& subtopology, TaskContext& context, Emitter& out);

}  // namespace millrace::inline exec
