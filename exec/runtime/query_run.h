#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "exec/runtime/engine.h"
#include "exec/runtime/layout.h"
#include "exec/runtime/pull_readers.h"

namespace millrace::inline exec {

/// A query as this process runs it: shared by its tasks, whichever workers they are on. Counters may be read at any
/// time.
struct QueryRun {
  QueryRun(std::shared_ptr<const PhysicalPlan> the_plan, QueryLayout the_layout)
      : plan(std::move(the_plan)), layout(std::move(the_layout)), options(plan->options) {
    for (const Subtopology& subtopology : plan->subtopologies)
      for (const StepName& step : subtopology.steps) operators[step.name];
  }
  struct OperatorCounters {
    std::atomic<std::uint64_t> late_rows{0}, errors{0};
  };
  /// Precondition: a step of the plan.
  OperatorCounters& counters_of(std::string_view step) { return operators.find(step)->second; }

  const std::shared_ptr<const PhysicalPlan> plan;
  const QueryLayout layout;
  QueryOptions options;  // as the tasks shall see them
  PullReaders pull_readers;
  std::atomic<bool> paused{false};
  std::atomic<bool> failed{false};  // tasks stand still until the query is started again
  std::atomic<std::int64_t> lag{0};
  std::atomic<int> restoring{0};                                   // tasks that are not ready yet
  std::map<std::string, OperatorCounters, std::less<>> operators;  // by step; as it was made
  std::atomic<std::uint64_t> rows_in{0}, rows_out{0}, late_rows{0}, bad_records{0}, restarts{0};

  void fail(const Error& error) {
    const std::lock_guard lock(mutex);
    if (failed) return;
    failure = error;
    failed_at = Clock::now();
    failed = true;
  }
  std::optional<Error> last_failure() const {
    const std::lock_guard lock(mutex);
    return failure;
  }
  /// When a failed query is due again: waits double from `first` to `longest`.
  Clock::time_point due(std::chrono::milliseconds first, std::chrono::milliseconds longest) const {
    const std::lock_guard lock(mutex);
    const auto doublings = std::min<std::uint64_t>(restarts, 16);
    return failed_at + std::min(longest, first * (1 << doublings));
  }

 private:
  mutable std::mutex mutex;  // guards what follows
  std::optional<Error> failure;
  Clock::time_point failed_at;
};

/// Rows on their way to the client of a transient query.
struct RowReceiver {
  virtual ~RowReceiver() = default;
  virtual void rows(Batch&& batch) = 0;
};

}  // namespace millrace::inline exec
