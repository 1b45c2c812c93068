#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <optional>
#include <thread>
#include <utility>

#include "parser/error/mutex.h"

namespace millrace::inline server {

/// Items that a thread of the queue's own works on, one after another in the order given. Its end waits for all of
/// them. Thread-safe.
template <class Item>
class WorkQueue {
 public:
  /// At most `most` items wait. `work` must not throw, nor use the queue.
  WorkQueue(std::size_t most, std::function<void(Item&&)> work)
      : most_(most), work_(std::move(work)), thread_([this] { run(); }) {}
  ~WorkQueue() {
    {
      const MutexLock lock(mutex_);
      stopping_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }

  /// False: too many wait already.
  bool offer(Item item) {
    {
      const MutexLock lock(mutex_);
      if (waiting_.size() >= most_) return false;
      waiting_.push_back(std::move(item));
    }
    changed_.notify_one();
    return true;
  }
  /// Waits until there is room.
  void put(Item item) {
    {
      MutexLock lock(mutex_);
      room_.wait(lock, [&]() REQUIRES(mutex_) { return waiting_.size() < most_; });
      waiting_.push_back(std::move(item));
    }
    changed_.notify_one();
  }
  /// Until nothing waits and nothing is worked on; how many items have been worked on altogether. Absent when `wait` is
  /// over.
  std::optional<std::uint64_t> wait_until_empty(std::chrono::milliseconds wait) {
    MutexLock lock(mutex_);
    if (!empty_.wait_for(lock, wait, [&]() REQUIRES(mutex_) { return waiting_.empty() && !working_; }))
      return std::nullopt;
    return done_;
  }

 private:
  void run() {
    MutexLock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [&]() REQUIRES(mutex_) { return stopping_ || !waiting_.empty(); });
      if (waiting_.empty()) return;
      Item item = std::move(waiting_.front());
      waiting_.pop_front();
      working_ = true;
      lock.unlock();
      room_.notify_one();
      work_(std::move(item));
      lock.lock();
      working_ = false;
      ++done_;
      if (waiting_.empty()) empty_.notify_all();
    }
  }

  const std::size_t most_;
  const std::function<void(Item&&)> work_;
  Mutex mutex_;
  std::condition_variable changed_, room_, empty_;
  std::deque<Item> waiting_ GUARDED_BY(mutex_);
  std::uint64_t done_ GUARDED_BY(mutex_) = 0;
  bool working_ GUARDED_BY(mutex_) = false, stopping_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace millrace::inline server
