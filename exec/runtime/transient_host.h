#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <span>
#include <vector>

#include "exec/runtime/worker.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec {

class EngineImpl;
class TransientRun;

/// Runs transient queries, however many: one thread, one reader at the live edge of what they read, and one log in
/// memory between their subtopologies. A client that does not keep up holds its own query only.
class TransientHost {
 public:
  /// `alone`: for one query, which shares nothing. `keeping`: state may be large, and goes to the state database.
  static Result<std::shared_ptr<TransientHost>> make(EngineImpl& engine, bool alone, bool keeping = false);
  ~TransientHost();

  /// Nobody waits longer for the thread.
  static constexpr std::chrono::seconds kAnswerWait{4};
  static Error late_error();

  Worker& worker() { return *worker_; }
  Log& exchange() { return *exchange_; }
  /// Calls the run's after_round() from now on. Not on the worker's thread, as remove().
  void add(std::shared_ptr<TransientRun> run);
  /// Its tasks go, and nothing calls it any more on return. False: when the thread comes to it, see remind().
  bool remove(TransientRun& run, const std::shared_ptr<QueryRun>& tasks);
  /// `gone` becomes true when the thread has come to what it was told.
  void remind(std::shared_ptr<std::atomic<bool>> gone);
  std::size_t runs() const { return count_; }
  /// The thread stands still, as far as anybody has noticed.
  bool late() const { return still_ || worker_->late(); }
  /// Ends the runs for their clients where the thread has been at one thing for long. To be called every second, by one
  /// thread.
  void look();
  /// One round on the caller's thread, for engines without threads.
  bool step();

 private:
  explicit TransientHost(EngineImpl& engine);
  Status open(bool alone, bool keeping);
  void after_round();
  Error still_error(std::span<const std::shared_ptr<TransientRun>> runs) const;

  EngineImpl& engine_;
  const std::unique_ptr<Log> exchange_;
  EngineEvents events_;
  std::unique_ptr<Worker> worker_;
  std::vector<std::shared_ptr<TransientRun>> runs_;  // worker's thread
  std::atomic<std::size_t> count_{0};
  Mutex members_mutex_;
  std::vector<std::weak_ptr<TransientRun>> members_ GUARDED_BY(members_mutex_);  // the same for others
  std::atomic<bool> still_{false};
  // look()'s: the round that it found the thread at, and how often.
  std::uint64_t round_ = 0;
  int looks_ = 0;
};

}  // namespace millrace::inline exec
