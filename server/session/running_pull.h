#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "exec/expr/evaluator.h"
#include "exec/runtime/engine.h"
#include "server/session/pull_cache.h"
#include "server/session/service.h"

namespace millrace::inline server {

/// What a pull query does to the rows of its table: predicate, limit, projection. One thread at a time.
class PullRows {
 public:
  /// With `known` the projection is one of its own, and goes back there.
  PullRows(const ExprPtr& predicate, std::optional<std::int64_t> limit, std::unique_ptr<PullProjection> projection,
           std::shared_ptr<KnownPull> known = nullptr);
  ~PullRows();
  PullRows(PullRows&&) = default;

  /// The rows that go out, perhaps none.
  Batch apply(const Batch& in);
  /// No more rows are wanted.
  bool full() const { return limit_ && sent_ >= *limit_; }

 private:
  std::unique_ptr<PullProjection> projection_;
  std::shared_ptr<KnownPull> known_;
  std::optional<Evaluator> predicate_;
  std::vector<std::uint32_t> selected_;
  std::optional<std::int64_t> limit_;
  std::int64_t sent_ = 0;
};

/// Threads on which pull queries go on whose clients have caught up again. Must outlive the queries.
class PullThreads {
 public:
  PullThreads();
  ~PullThreads();  // waits for what runs
  void post(std::function<void()> work);
  /// Runs `work` once that much time has passed, unless the timer is gone by then.
  class Timer;
  std::shared_ptr<Timer> after(std::chrono::milliseconds wait, std::function<void()> work);

 private:
  struct Pool;
  std::unique_ptr<Pool> pool_;
};

/// Gives the rows of a pull query to a sink on the calling thread, for as long as the sink takes them. A sink that is
/// full holds no thread: what is left goes on as a RunningQuery, which ends with an error when the sink stays full for
/// a minute (what it reads holds memory and files). The sink is not touched before the first rows or the good end; an
/// error until then is returned.
Service::Started start_pull(QueryHeader header, std::unique_ptr<TableRows> source, PullRows rows, ResultSink& sink,
                            PullThreads& threads);

}  // namespace millrace::inline server
