#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
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
  /// Where what a step does is counted; null: nobody looks, so nothing is measured.
  virtual OperatorCounters* counters(const std::string& step) = 0;
  virtual const QueryOptions& options() const = 0;
  /// What the parameters of the plan stand for now; null where it has none.
  virtual const ParameterRow* parameters() const { return nullptr; }
  /// Of the filters that may get the same columns; null: there are no others.
  virtual PredicateIndexes* predicates() { return nullptr; }
};

/// The same for one operator, which need not know its name.
class OperatorContext {
 public:
  OperatorContext(TaskContext& task, std::string step) : task_(task), step_(std::move(step)) {}
  void report(const RowErrors& errors, const Batch& in) {
    task_.report(step_, RecordErrorKind::processing, errors, in);
  }
  void late_rows(std::uint64_t count) { task_.late_rows(step_, count); }
  const QueryOptions& options() const { return task_.options(); }
  const ParameterRow* parameters() const { return task_.parameters(); }
  PredicateIndexes* predicates() { return task_.predicates(); }
  const std::string& step() const { return step_; }

 private:
  TaskContext& task_;
  const std::string step_;
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
