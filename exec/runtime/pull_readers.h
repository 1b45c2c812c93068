#pragma once

#include <memory>
#include <vector>

#include "parser/error/mutex.h"
#include "planner/physical/plan.h"

namespace millrace::inline exec {

class PullReader;

/// Readers that wait for the next pull query on one table. Thread-safe.
class PullReaders {
 public:
  PullReaders();
  ~PullReaders();
  std::unique_ptr<PullReader> take(const PhysicalPlan& plan);
  void give_back(std::unique_ptr<PullReader> reader);

 private:
  Mutex mutex_;
  std::vector<std::unique_ptr<PullReader>> idle_ GUARDED_BY(mutex_);
};

}  // namespace millrace::inline exec
