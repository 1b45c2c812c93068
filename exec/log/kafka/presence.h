#pragma once

#include <atomic>
#include <condition_variable>
#include <optional>
#include <string>
#include <thread>

#include "exec/log/kafka/admin.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec::kafka {

/// Asks a cluster from time to time whether it is there, on a thread of its own: whoever wants something of one that is
/// away is told at once. Any thread.
class Presence {
 public:
  /// Begins to ask. `admin` gives up what it waits for when the cluster goes away.
  Presence(std::string cluster, Admin& admin);
  ~Presence();

  /// Fault::unavailable, with the reason, while it is away. Waits a moment where it has not been heard of yet.
  Status check();
  bool is_away() const { return admin_.is_away(); }

 private:
  void run();
  void note(const Status& answer);

  const std::string cluster_;
  Admin& admin_;
  Mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ GUARDED_BY(mutex_) = false, known_ GUARDED_BY(mutex_) = false;
  int missed_ GUARDED_BY(mutex_) = 0;
  std::optional<Error> away_ GUARDED_BY(mutex_);
  std::thread thread_;
};

}  // namespace millrace::inline exec::kafka
