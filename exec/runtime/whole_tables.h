#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "exec/log/log.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec {

/// What the tasks of one subtopology have in common on this process: the tables that each of them reads whole. All read
/// the same partitions, each at its own pace; what one of them has taken in is there for all, and is taken in once.
/// Lives as long as one of these tasks. Thread-safe.
class WholeTables {
 public:
  /// A table by the name of its store; the first who asks makes it.
  std::shared_ptr<void> table(const std::string& store, const std::function<std::shared_ptr<void>()>& make) {
    const MutexLock lock(mutex_);
    std::shared_ptr<void>& found = tables_[store];
    if (!found) found = make();
    return found;
  }
  /// To be held by the task that takes rows in, from its look at taken() to took().
  Mutex& taking() RETURNS_MUTEX(taking_) { return taking_; }
  /// What lies before this offset of a partition is in the tables.
  std::int64_t taken(const TopicPartition& partition) const {
    const MutexLock lock(mutex_);
    const auto found = taken_.find(partition);
    return found == taken_.end() ? 0 : found->second;
  }
  void took(const TopicPartition& partition, std::int64_t offset) {
    const MutexLock lock(mutex_);
    std::int64_t& known = taken_[partition];
    known = std::max(known, offset);
  }

 private:
  Mutex taking_;
  mutable Mutex mutex_;
  std::map<std::string, std::shared_ptr<void>> tables_ GUARDED_BY(mutex_);
  std::map<TopicPartition, std::int64_t> taken_ GUARDED_BY(mutex_);
};

}  // namespace millrace::inline exec
