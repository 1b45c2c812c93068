#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "exec/log/log.h"
#include "exec/runtime/task.h"

namespace millrace::inline exec {

/// Writes committed state to the state database when it takes too much memory or would take too long to replay.
/// Worker's thread, no commit under way; not called where there is no database.
class Spiller {
 public:
  /// `name` is for messages. `durable`, where given, hears up to where the records of a changelog are in the database.
  using Durable = std::function<void(const TopicPartition& changelog, std::int64_t position)>;
  Spiller(std::string name, StateDb* db, Log& log, std::size_t memory_bytes, Durable durable)
      : name_(std::move(name)), db_(db), log_(log), memory_bytes_(memory_bytes), durable_(std::move(durable)) {}

  using Tasks = std::span<const std::unique_ptr<Task>>;
  /// Looks a few times a second.
  Status spill_as_needed(Tasks tasks);
  Status spill_all(Tasks tasks);

 private:
  Status spill(Tasks tasks, double keep);

  const std::string name_;
  StateDb* const db_;
  Log& log_;
  const std::size_t memory_bytes_;
  const Durable durable_;
  Clock::time_point last_look_{}, last_all_{Clock::now()};
};

}  // namespace millrace::inline exec
