#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "exec/data/wall_clock.h"
#include "exec/log/log.h"
#include "exec/operators/operator.h"
#include "exec/runtime/idle_clock.h"
#include "exec/runtime/progress.h"
#include "exec/runtime/query_run.h"
#include "exec/runtime/sink_stage.h"
#include "exec/runtime/task_input.h"
#include "exec/state/store.h"

namespace millrace::inline exec {

/// Where a task stands. Tasks of transient queries have no slot.
struct TaskPlace {
  std::size_t subtopology = 0;
  int partition = 0;
  SlotId slot = kNoSlot;
};

class IndexedRows;

/// What a worker lends its tasks; outlives them.
struct TaskEnvironment {
  Writer* writer = nullptr;
  StateDb* state = nullptr;
  const EngineEvents* events = nullptr;
  std::size_t batch_rows = kMaxBatchRows;
  SourceSetup sources;
  PredicateIndexes* predicates = nullptr;  // null: every filter compares for itself
  std::string slots_topic;                 // empty: no progress records
  std::function<void()> wake = {};         // ends the worker's sleep; any thread
};

/// One subtopology on one partition: inputs, operators, stores. Driven by one worker. No exception of its code leaves
/// it.
class Task final : private TaskContext, private Emitter {
 public:
  struct StoreEntry {
    const StorePlan* plan = nullptr;
    std::unique_ptr<Store> store;
    std::string changelog;                            // empty: none
    OperatorCounters* counters = nullptr;             // of its step
    std::size_t counted_bytes = 0;                    // that they know
    std::optional<TopicHandle> changelog_topic = {};  // of the commit that was begun last
    std::int64_t changelog_end = 0, changelog_begin = 0;
  };

  /// Builds the operators and puts the inputs where `progress` says.
  static Result<std::unique_ptr<Task>> make(std::shared_ptr<QueryRun> run, TaskPlace place,
                                            const TaskEnvironment& environment, const Progress& progress);
  ~Task() override;

  QueryRun& run() { return *run_; }
  const QueryRun& run() const { return *run_; }
  const std::shared_ptr<QueryRun>& shared_run() const { return run_; }
  bool run_is(const QueryRun& run) const { return run_.get() == &run; }
  const TaskPlace& place() const { return place_; }
  std::vector<std::unique_ptr<TaskInput>>& inputs() { return inputs_; }
  std::vector<StoreEntry>& stores() { return stores_; }
  /// Null: it has none of that name.
  Store* find_store(std::string_view name) const;
  IndexedRows* find_index(std::string_view name) const;

  /// True when the log holds records for this input that are not fetched yet (KIP-695).
  /// Knows it as of `since`.
  using HasMore = std::function<bool(const TaskInput&, Clock::time_point since)>;
  enum class Step : std::uint8_t { nothing, worked, blocked, paced };  // paced: others have to come further first
  /// Gives one batch to the operators, if it is known which one is next.
  Result<Step> step(const HasMore& has_more);
  /// Moves time on when all of its inputs have been quiet for long enough. True: it did.
  Result<bool> step_idle(const HasMore& has_more);
  bool has_idle_clock() const { return idle_.has_value() || goes_by_clock_; }
  bool idle_due() const {
    const std::int64_t now = wall_clock_ms();
    return (idle_ && idle_->due(now)) || clock_due(now);
  }
  /// Others want to know whether it still has nothing, which a step() tells.
  bool asked() const { return pace_ != nullptr && told_ == Pace::kNothing && pace_->asked(pace_member_) > known_; }
  /// An input has got something.
  void arrived();
  /// Other processes wait for its place in time, and the log does not know it: it is to be marked dirty.
  bool untold() const;
  /// It goes, and another is going to be made in its place.
  void will_return() { returns_ = true; }

  /// Something happened since the last begin_commit.
  bool dirty() const { return dirty_; }
  void mark_dirty() { dirty_ = true; }
  /// Others may commit without it: the open transaction has nothing of it, and nobody waits for how far it has come.
  bool may_wait() const;
  /// Lets operators emit what they hold back, writes changelogs and the progress record into the writer's open
  /// transaction.
  Status begin_commit();
  void commit_done(const std::vector<Writer::Appended>& appended);
  /// Back to the last committed progress. No commit of this task is under way. The inputs' feeds must be told.
  Status roll_back();
  const Progress& committed() const { return committed_; }

  /// Everything of `input` before this offset is committed, or there was nothing to commit.
  std::int64_t settled(const TaskInput& input) const;

  std::size_t dirty_bytes() const;
  /// Not 0 also when it is unknown.
  std::int64_t lag() const { return lag_.value_or(1); }
  std::optional<std::int64_t> known_lag() const { return lag_; }
  /// Records between what is committed and the end of the inputs, absent when that is unknown; the query's status sums
  /// them.
  void report_lag(std::optional<std::int64_t> records);
  /// The transaction that it committed last has something for this partition.
  bool wrote_to(const TopicPartition& where) const;

 private:
  Task(std::shared_ptr<QueryRun> run, TaskPlace place, const TaskEnvironment& environment);
  Status build(const Progress& progress);
  void make_inputs();
  Status make_indexes();
  void make_late_sinks(const PlanNode& node);
  std::vector<TaskInput::Leaf> leaves_of(const std::string& topic, bool broadcast);
  Result<Step> step_once(const HasMore& has_more);
  Status write_commit();
  Result<TaskInput*> choose(const HasMore& has_more, bool& blocked, std::size_t& rows);
  Result<TaskInput*> choose_broadcast(const HasMore& has_more, bool& blocked, std::size_t& rows);
  Result<TaskInput*> choose_unready(const HasMore& has_more, bool& blocked, std::size_t& rows);
  bool wait_for_rest(const HasMore& has_more, const TaskInput* next) const;
  Clock::time_point rows_read() const;
  void join_pace();
  bool keeps_pace(const TaskInput& input) const {
    return pace_ != nullptr && !input.broadcast() && !input.ready_at() && (all_keep_pace_ || !input.internal());
  }
  void tell_pace(const HasMore& has_more);
  void tell_pace(std::int64_t time, Clock::time_point known = {});
  std::size_t paced_rows(const TaskInput& input, std::size_t rows);
  Status give(TaskInput& input, std::size_t rows);
  Status give_whole(TaskInput& input, std::size_t rows);
  Status give_time(TaskInput& input);
  bool clock_due(std::int64_t now) const {
    const auto due = goes_by_clock_ ? pipeline_->clock_due() : std::nullopt;
    return due && *due <= now;
  }
  void start_idle_clock();
  void restore_idle_clock();
  void learn_pace(std::size_t rows, Clock::duration took);
  Progress now() const;
  Status commit_stores();
  Status load_head(TaskInput& input);
  void count_state(StoreEntry& entry, std::size_t bytes);
  void report_bad(const std::string& step, RecordErrorKind kind, std::string_view message, const std::string& topic,
                  std::int64_t offset);

  // TaskContext
  StoreSlot store(const std::string& name) override;
  void report(std::string_view step, RecordErrorKind kind, const RowErrors& errors, const Batch& in) override;
  void late_rows(std::string_view step, std::uint64_t count) override;
  void kept_late_rows(std::string_view step, std::uint64_t count) override;
  Status write_late(const PlanNode& late, Batch&& rows) override;
  OperatorCounters* counters(const std::string& step) override { return &run_->counters_of(step); }
  const QueryOptions& options() const override { return run_->options; }
  PredicateIndexes* predicates() override { return environment_.predicates; }
  // Emitter: what reaches the root
  Status batch(Batch&& batch) override;
  Status time(std::int64_t time) override;

  std::shared_ptr<QueryRun> run_;
  const TaskPlace place_;
  const TaskEnvironment& environment_;
  const Subtopology& subtopology_;
  const std::string progress_key_;
  const std::size_t batch_rows_;
  std::shared_ptr<WholeTables> whole_;  // null: it reads no table whole
  std::vector<StoreEntry> stores_;
  std::vector<std::unique_ptr<IndexedRows>> indexes_;  // of one of them
  std::unique_ptr<Pipeline> pipeline_;
  std::unique_ptr<SinkStage> sink_;
  /// Streams of LATE INTO, by the node that stands for each.
  struct LateSink {
    const PlanNode* node;
    NodePtr sink;
    std::unique_ptr<SinkStage> stage;
  };
  std::vector<LateSink> late_sinks_;
  bool output_ = false;
  std::vector<std::unique_ptr<TaskInput>> inputs_;
  Progress committed_, committing_;
  std::optional<IdleClock> idle_;  // absent: a quiet input holds time up
  bool dirty_ = false;
  Pace* pace_ = nullptr;  // of run_; null: it is nobody's concern how far it is
  bool all_keep_pace_ = false, returns_ = false;
  bool goes_by_clock_ = false;  // an operator does something at certain times of day
  std::size_t pace_member_ = 0;
  std::int64_t told_ = Pace::kUnknown, told_at_commit_ = Pace::kUnknown;  // where it is
  Clock::time_point known_{}, known_at_commit_{};                         // when it had nothing, where it has told so
  std::int64_t last_told_ = Pace::kUnknown;                               // while it had rows
  std::optional<std::int64_t> lag_ = 0;
  std::size_t at_once_;  // rows that take no longer than others on the worker may wait, as far as it is known
};

}  // namespace millrace::inline exec
