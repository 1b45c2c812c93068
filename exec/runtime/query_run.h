#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>

#include "exec/data/wall_clock.h"
#include "exec/operators/operator.h"
#include "exec/runtime/engine.h"
#include "exec/runtime/layout.h"
#include "exec/runtime/pace.h"
#include "exec/runtime/whole_tables.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec {

class Worker;

/// Rows on their way to the client of a transient query.
struct RowReceiver {
  virtual ~RowReceiver() = default;
  /// On the worker's thread. Nothing more comes while the run is held.
  virtual void rows(Batch&& batch) = 0;
};

/// A query as this process runs it: shared by its tasks, whichever workers they are on. Counters may be read at any
/// time.
struct QueryRun {
  /// `the_identity`: of Engine::Start.
  QueryRun(std::shared_ptr<const PhysicalPlan> the_plan, QueryLayout the_layout, std::uint64_t the_identity = 0)
      : plan(std::move(the_plan)),
        identity(the_identity != 0 ? the_identity : stable_hash(to_json(*plan))),
        layout(std::move(the_layout)),
        pace(Pace::of(*plan, layout)),
        options(plan->options) {
    for (const Subtopology& subtopology : plan->subtopologies)
      for (const StepName& step : subtopology.steps) operators[step.name];
  }
  /// Precondition: a step of the plan.
  OperatorCounters& counters_of(std::string_view step) { return operators.find(step)->second; }

  const std::shared_ptr<const PhysicalPlan> plan;
  const std::uint64_t identity;
  const QueryLayout layout;
  const std::unique_ptr<Pace> pace;  // null: the tasks need not go side by side
  int group = 0;                     // of workers that run it (workers.h); as it was made
  QueryOptions options;              // as the tasks shall see them
  std::atomic<bool> paused{false};
  std::atomic<bool> stopped{false};  // for good: nothing of it is worth keeping
  std::atomic<bool> failed{false};   // tasks stand still until the query is started again
  std::atomic<bool> held{false};     // transient: its client has not taken what came last; its tasks stand still
  RowReceiver* receiver = nullptr;   // transient
  Worker* keeper = nullptr;          // of a kept table: has all of its tasks, whatever slots the process owns
  /// Where to go on in partitions whose records at its position are gone; absent: nowhere. Holds for a minute, for what
  /// shows only when it reads again. Under the engine's control.
  std::optional<Engine::GoOn> lost_records;
  Clock::time_point lost_records_since{};
  std::atomic<std::int64_t> lag{0};
  std::atomic<int> lags_unknown{0};                                // tasks of which it is not known
  std::atomic<int> restoring{0};                                   // tasks that are not ready yet
  std::map<std::string, OperatorCounters, std::less<>> operators;  // by step; as it was made
  std::atomic<std::uint64_t> rows_in{0}, rows_out{0}, late_rows{0}, bad_records{0}, restarts{0};

  void fail(const Error& error) {
    const MutexLock lock(mutex);
    if (failed) return;
    failure = error;
    failed_at = Clock::now();
    failed_at_ms = wall_clock_ms();
    // One that ran well for a while has not failed again, but anew.
    attempts = failed_at - started_at > kHealthy ? 1 : attempts + 1;
    failed = true;
  }
  /// It starts, perhaps once more.
  void started() {
    const MutexLock lock(mutex);
    started_at = Clock::now();
    failed = false;
  }
  /// Somebody has seen to what was wrong.
  void try_now() {
    const MutexLock lock(mutex);
    failed_at = {};
    attempts = 0;
  }
  /// Of the tasks of a subtopology that live now.
  std::shared_ptr<WholeTables> whole_tables(std::size_t subtopology) {
    const MutexLock lock(mutex);
    std::weak_ptr<WholeTables>& known = whole[subtopology];
    std::shared_ptr<WholeTables> tables = known.lock();
    if (!tables) known = tables = std::make_shared<WholeTables>();
    return tables;
  }
  /// A partition turned out to be another one than the query has read: its offsets mean nothing there.
  void note_other(const TopicPartition& partition) {
    const MutexLock lock(mutex);
    others.insert(partition);
  }
  bool is_other(const TopicPartition& partition) const {
    const MutexLock lock(mutex);
    return others.contains(partition);
  }
  /// It goes on at an offset of the new one.
  void accept_other(const TopicPartition& partition) {
    const MutexLock lock(mutex);
    others.erase(partition);
  }
  /// When it failed last, ms since the epoch; 0: never.
  std::int64_t last_failure_ms() const {
    const MutexLock lock(mutex);
    return failed_at_ms;
  }
  /// Why a partition cannot be read at the moment. `at`: the process that has it; empty: none has.
  Error not_ready_partition(int partition, std::string_view at) const {
    const std::string what = fmt::format("partition {} of {}", partition, plan->query_id);
    if (const auto reason = failed ? last_failure() : std::nullopt) {
      const std::string text = fmt::format("{} is not ready: the query has failed: {}", what, reason->message);
      return reason->retriable() ? unavailable_error("{}", text) : external_error("{}", text);
    }
    if (at.empty()) return unavailable_error("{} is on its way to another process: ask again", what);
    return unavailable_error("{} is not ready at {} yet: ask again", what, at);
  }
  std::optional<Error> last_failure() const {
    const MutexLock lock(mutex);
    return failure;
  }
  /// When a failed query is due again: waits double from `first` to `longest`.
  Clock::time_point due(std::chrono::milliseconds first, std::chrono::milliseconds longest) const {
    const MutexLock lock(mutex);
    // A cluster that comes back is to be used soon, and asking whether it is there costs nothing.
    if (failure && failure->fault == Fault::unavailable) longest = std::min(longest, kLongestAway);
    return failed_at + std::min(longest, first * (1 << std::clamp(attempts - 1, 0, 16)));
  }
  static constexpr std::chrono::milliseconds kLongestAway{3000};

 private:
  static constexpr std::chrono::minutes kHealthy{1};

  mutable Mutex mutex;
  std::optional<Error> failure GUARDED_BY(mutex);
  Clock::time_point failed_at GUARDED_BY(mutex), started_at GUARDED_BY(mutex) = Clock::now();
  std::int64_t failed_at_ms GUARDED_BY(mutex) = 0;
  int attempts GUARDED_BY(mutex) = 0;  // failures in a row
  std::set<TopicPartition> others GUARDED_BY(mutex);
  std::map<std::size_t, std::weak_ptr<WholeTables>> whole GUARDED_BY(mutex);  // by subtopology
};

}  // namespace millrace::inline exec
