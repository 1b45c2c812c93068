#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <vector>

#include "parser/error/mutex.h"

namespace millrace::inline exec {

class Task;
struct QueryRun;

/// What other threads want of a worker: calls, to be run between two rounds, and visits, which read the committed state
/// of a task between two batches. Its gate is held while tasks are worked on. Thread-safe.
class Inbox {
 public:
  /// The ready task of that name, or null. Called with the gate held.
  using Find = std::function<Task*(const QueryRun& run, std::size_t subtopology, int partition)>;
  explicit Inbox(Find find) : find_(std::move(find)) {}

  Mutex& gate() { return gate_; }

  /// False: there is no thread (yet, or any more) that would run it.
  bool post(std::function<void()> call);
  /// From now on a thread runs what is posted.
  void open();
  /// It has ended. Runs what it has left, with the gate.
  void close();
  /// Runs the calls posted so far. Worker's thread, gate held.
  void run_calls();

  /// Waits for the gate. False: no such task here, or it is still restoring.
  bool visit(const QueryRun& run, std::size_t subtopology, int partition, const std::function<void(Task&)>& with);
  /// Waits for the gate and keeps it until leave(), for visits of several workers at one instant.
  void enter() UNCHECKED_LOCKS;
  void leave() UNCHECKED_LOCKS;
  /// As visit(), between enter() and leave().
  bool visit_entered(const QueryRun& run, std::size_t subtopology, int partition,
                     const std::function<void(Task&)>& with) const;
  struct Visit {
    std::shared_ptr<const QueryRun> run;
    std::size_t subtopology = 0;
    int partition = 0;
    std::function<void(Task*)> with;  // null: no such task here, or it is still restoring
  };
  /// At once when the gate is free, else soon, on the worker's thread.
  void visit_soon(Visit visit);

  /// Answers the visits that wait, unless the gate is taken. To be called by whoever has given it back.
  void serve();
  /// As serve() with the gate held, between two batches.
  void answer();
  /// Lets those who wait for the gate have it: a worker that never sleeps would starve them.
  void let_in() const;

 private:
  Task* find(const Visit& visit) const { return find_(*visit.run, visit.subtopology, visit.partition); }

  const Find find_;
  Mutex gate_;
  std::atomic<int> at_the_gate_{0};
  Mutex mutex_;
  bool open_ GUARDED_BY(mutex_) = false;
  std::vector<std::function<void()>> calls_ GUARDED_BY(mutex_);
  std::vector<Visit> visits_ GUARDED_BY(mutex_);
  std::atomic<bool> visits_wait_{false};  // visits_ is not empty
};

}  // namespace millrace::inline exec
