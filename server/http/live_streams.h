#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "parser/error/mutex.h"

namespace millrace::inline server {

/// The answers that go on until somebody ends them: push queries, insert streams. Thread-safe.
class LiveStreams {
 public:
  /// `stop` is to end the stream soon; it may run until `remove` returns, on another thread. After stop_all it runs at
  /// once.
  /// `query` and `who`: of a push query, and who began it.
  std::uint64_t add(std::function<void()> stop, std::string query = {}, std::string who = {}) {
    {
      const MutexLock lock(mutex_);
      if (!stopped_) {
        streams_.emplace(++last_, Stream{std::move(stop), std::move(query), std::move(who)});
        return last_;
      }
    }
    stop();
    return 0;
  }
  void remove(std::uint64_t id) {
    Stream removed;  // goes without the lock
    const MutexLock lock(mutex_);
    if (const auto it = streams_.find(id); it != streams_.end()) {
      removed = std::move(it->second);
      streams_.erase(it);
    }
  }
  /// Who began a push query; empty: there is none.
  std::string owner(std::string_view query) {
    const MutexLock lock(mutex_);
    for (const auto& [id, stream] : streams_)
      if (!query.empty() && stream.query == query) return stream.who;
    return {};
  }
  void stop_all() {
    std::map<std::uint64_t, Stream> all;
    {
      const MutexLock lock(mutex_);
      stopped_ = true;
      all.swap(streams_);
    }
    for (const auto& [id, stream] : all) stream.stop();
  }

 private:
  struct Stream {
    std::function<void()> stop;
    std::string query, who;
  };

  Mutex mutex_;
  std::map<std::uint64_t, Stream> streams_ GUARDED_BY(mutex_);
  std::uint64_t last_ GUARDED_BY(mutex_) = 0;
  bool stopped_ GUARDED_BY(mutex_) = false;
};

}  // namespace millrace::inline server
