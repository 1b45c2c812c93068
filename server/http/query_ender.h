#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

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

  std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::vector<Job> jobs_;
  bool finishing_ = false;
  std::thread thread_;
};

}  // namespace millrace::inline server
