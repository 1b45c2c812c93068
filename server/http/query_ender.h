#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "parser/error/mutex.h"
#include "server/session/service.h"

namespace millrace::inline server {

/// Ends queries on a thread of its own: ending one waits for the very calls from which it is asked for. Thread-safe.
class QueryEnder {
 public:
  QueryEnder();
  ~QueryEnder();  // after finish()
  /// `then` runs when the query has ended, on the thread of the ender.
  void end(std::shared_ptr<RunningQuery> query, std::function<void()> then);
  /// Waits until all are ended. What comes later is ended within `end`.
  void finish();

 private:
  struct Job {
    std::shared_ptr<RunningQuery> query;
    std::function<void()> then;
  };
  void run();

  Mutex mutex_;
  std::condition_variable changed_;
  std::vector<Job> jobs_ GUARDED_BY(mutex_);
  bool finishing_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace millrace::inline server
