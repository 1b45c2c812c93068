#pragma once

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "exec/log/log.h"
#include "parser/error/mutex.h"

namespace millrace::inline server {

/// Writers of /inserts-stream between two requests: on a broker a new one costs several round trips and threads of its
/// own. Any thread. The log must outlive it.
class InsertWriters {
 public:
  /// Transactional ids are "PREFIX-insert-N".
  InsertWriters(Log& log, std::string prefix) : log_(log), prefix_(std::move(prefix)) {}

  Result<std::unique_ptr<Writer>> take();
  /// Precondition: its transaction is empty, no commit is under way and none has failed.
  void give(std::unique_ptr<Writer> writer);

 private:
  using Clock = std::chrono::steady_clock;
  struct Idle {
    std::unique_ptr<Writer> writer;
    Clock::time_point since;
  };

  Log& log_;
  const std::string prefix_;
  std::atomic<std::uint64_t> serial_ = 0;
  Mutex mutex_;
  std::vector<Idle> idle_ GUARDED_BY(mutex_);  // the one used last at the end
};

}  // namespace millrace::inline server
