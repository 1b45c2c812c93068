#pragma once

#include <memory>
#include <mutex>
#include <vector>

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
  std::mutex mutex_;  // guards idle_
  std::vector<std::unique_ptr<PullReader>> idle_;
};

}  // namespace millrace::inline exec
