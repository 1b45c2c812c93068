#pragma once

#include <condition_variable>
#include <map>
#include <string>

#include "parser/error/mutex.h"

namespace millrace::inline server {

/// Who may write rows of a table through this server: any number of inserts, or one statement that changes rows by what
/// is there, from before it reads until it has written. Statements that wait go first. Thread-safe.
class RowTurns {
 public:
  /// Held until it is destroyed, by any thread.
  class Turn {
   public:
    Turn() = default;
    Turn(RowTurns& turns, std::string topic, bool changes)
        : turns_(&turns), topic_(std::move(topic)), changes_(changes) {}
    Turn(Turn&& other) noexcept { *this = std::move(other); }
    Turn& operator=(Turn&& other) noexcept {
      std::swap(turns_, other.turns_);
      std::swap(topic_, other.topic_);
      std::swap(changes_, other.changes_);
      return *this;
    }
    ~Turn() {
      if (turns_ != nullptr) turns_->leave(topic_, changes_);
    }
    explicit operator bool() const { return turns_ != nullptr; }

   private:
    RowTurns* turns_ = nullptr;
    std::string topic_;
    bool changes_ = false;
  };

  Turn insert(const std::string& topic);
  Turn change(const std::string& topic);

 private:
  struct Writers {
    int inserting = 0, waiting = 0;
    bool changing = false;
  };
  void leave(const std::string& topic, bool changes);

  Mutex mutex_;
  std::condition_variable_any left_;
  std::map<std::string, Writers> writers_ GUARDED_BY(mutex_);  // by topic, as long as there are any
};

}  // namespace millrace::inline server
