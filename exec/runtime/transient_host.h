#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "exec/runtime/worker.h"

namespace millrace::inline exec {

class EngineImpl;
class TransientRun;

/// Runs transient queries, however many: one thread, one reader at the live edge of what they read, and one log in
/// memory between their subtopologies. A client that does not keep up holds its own query only.
class TransientHost {
 public:
  /// `alone`: for one query, which shares nothing.
  static Result<std::shared_ptr<TransientHost>> make(EngineImpl& engine, bool alone);
  ~TransientHost();

  Worker& worker() { return *worker_; }
  Log& exchange() { return *exchange_; }
  /// Calls the run's after_round() from now on. Not on the worker's thread, as remove().
  void add(TransientRun& run);
  /// Its tasks go, and nothing calls it any more on return.
  void remove(TransientRun& run, const QueryRun& tasks);
  std::size_t runs() const { return count_; }
  /// One round on the caller's thread, for engines without threads.
  bool step();

 private:
  explicit TransientHost(EngineImpl& engine);
  Status open(bool alone);
  void after_round();

  EngineImpl& engine_;
  const std::unique_ptr<Log> exchange_;
  EngineEvents events_;
  std::unique_ptr<Worker> worker_;
  std::vector<TransientRun*> runs_;  // worker's thread
  std::atomic<std::size_t> count_{0};
};

}  // namespace millrace::inline exec
