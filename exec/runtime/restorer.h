#pragma once

#include <deque>
#include <map>
#include <memory>
#include <unordered_map>
#include <vector>

#include "exec/data/result.h"
#include "exec/log/log.h"
#include "exec/runtime/task.h"

namespace millrace::inline exec {

/// Where to replay the changelog of a store from, which was just opened: what its state directory has of it is good, or
/// it is emptied. `whole`: changelogs hold all that is not expired, whatever the state directory has. A user error
/// where neither has all of it.
Result<std::int64_t> begin_of_tail(const Task& task, Task::StoreEntry& entry, const Log::Bounds& changelog, bool whole);

/// Brings the stores of new tasks up to the end of their changelogs, a few at a time: what a log client has fetched of
/// a changelog takes memory. One thread.
class Restorer {
 public:
  /// `memory_bytes`: what all stores together may take. `whole`: see begin_of_tail.
  Restorer(Log& log, std::string client_id, std::size_t memory_bytes, bool whole)
      : log_(log), client_id_(std::move(client_id)), memory_bytes_(memory_bytes), whole_(whole) {}

  /// What the log said of changelogs just now that will be begun with, uncommitted records counted. Holds until it is
  /// called again.
  void expect(std::map<TopicPartition, Log::Bounds> changelogs) { expected_ = std::move(changelogs); }
  /// Begins with the tail of every changelog of `task`. True when there is nothing to read: the task is ready.
  Result<bool> start(Task& task);
  void forget(Task& task);
  /// Replays some of what has arrived; tasks that became ready are appended to `ready`. A failure names its task;
  /// `again`: it may pass, polling goes on where it stopped.
  struct Failure {
    Task* task;
    Error error;
    bool again = false;
  };
  std::optional<Failure> poll(std::chrono::milliseconds wait, std::vector<Task*>& ready);
  bool empty() const { return tails_.empty() && waiting_.empty(); }

 private:
  struct Tail {
    Task* task;
    std::size_t store;
    std::int64_t from, end;
  };
  Result<bool> start(Task& task, std::size_t store);
  Result<Log::Bounds> bounds_of(const TopicPartition& changelog);
  std::optional<Failure> open_some();
  Status open(const Tail& tail);
  bool has_tails(const Task& task) const;
  bool exceeds_memory() const;

  Log& log_;
  std::string client_id_;
  std::size_t memory_bytes_;
  bool whole_;
  std::map<TopicPartition, Log::Bounds> expected_;
  std::unique_ptr<Reader> reader_;              // only while something is being restored
  std::unordered_map<ReadHandle, Tail> tails_;  // being read
  std::deque<Tail> waiting_;
};

}  // namespace millrace::inline exec
