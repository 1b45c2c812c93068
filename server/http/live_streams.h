#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <utility>

#include "parser/error/mutex.h"

namespace millrace::inline server {

/// The answers that go on until somebody ends them: push queries, insert streams. Thread-safe.
class LiveStreams {
 public:
  /// `stop` is to end the stream soon; it may run until `remove` returns, on another thread. After stop_all it runs at
  /// once.
  std::uint64_t add(std::function<void()> stop) {
    {
      const MutexLock lock(mutex_);
      if (!stopped_) {
        stops_.emplace(++last_, std::move(stop));
        return last_;
      }
    }
    stop();
    return 0;
  }
  void remove(std::uint64_t id) {
    std::function<void()> removed;  // goes without the lock
    const MutexLock lock(mutex_);
    if (const auto it = stops_.find(id); it != stops_.end()) {
      removed = std::move(it->second);
      stops_.erase(it);
    }
  }
  void stop_all() {
    std::map<std::uint64_t, std::function<void()>> all;
    {
      const MutexLock lock(mutex_);
      stopped_ = true;
      all.swap(stops_);
    }
    for (const auto& [id, stop] : all) stop();
  }

 private:
  Mutex mutex_;
  std::map<std::uint64_t, std::function<void()>> stops_ GUARDED_BY(mutex_);
  std::uint64_t last_ GUARDED_BY(mutex_) = 0;
  bool stopped_ GUARDED_BY(mutex_) = false;
};

}  // namespace millrace::inline server
