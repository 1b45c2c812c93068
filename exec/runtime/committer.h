#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "exec/log/log.h"
#include "exec/runtime/task.h"

namespace millrace::inline exec {

/// The transactions of a worker: each takes what all its tasks did since the one before, or all but those that catch up
/// and have written nothing yet. One commit is under way at a time; tasks go on meanwhile. Worker's thread.
class Committer {
 public:
  struct Setup {
    Log* log = nullptr;
    Membership* membership = nullptr;  // null: not fenced
    std::string name;                  // transactional id
    std::chrono::milliseconds interval{2000};
    std::chrono::milliseconds gap{1};
    bool nobody_else_pays = false;  // LogTraits::commits_are_own
    std::size_t state_memory_bytes = 0;
    bool at_once = false;  // transient queries: whenever there is something, whatever becomes of one of them
  };
  /// `environment` gets the writer; `wake` is called from any thread when a commit ends.
  Committer(Setup setup, TaskEnvironment& environment, std::function<void()> wake);

  /// Gets a writer, which ends what a predecessor left open.
  Status open();
  /// Lets go of the writer, whatever it has under way.
  void close();
  bool is_open() const { return writer_ != nullptr; }
  bool under_way() const { return under_way_; }
  /// The commit under way holds work of this task.
  bool holds(const Task& task) const;

  using Tasks = std::span<const std::unique_ptr<Task>>;
  struct Activity {
    bool rested = false;          // input has run dry, and what came has been worked on
    bool beside = false;          // but that of those who catch up
    std::size_t dirty_bytes = 0;  // of state
  };
  /// Whether what there is must not grow any more.
  bool large(const Activity& now) const;
  /// Whether it is time for the next commit, and of what. Some task is dirty.
  enum class Due : std::uint8_t { no, front, all };
  Due due(const Activity& now) const;
  /// When the next commit is due if input stays dry.
  Clock::time_point next() const { return last_ + gap(false); }

  /// Every dirty task writes its changelogs and progress; then the transaction ends in the background.
  struct Failure {
    Task* task = nullptr;  // null: it is the worker's
    Error error;
  };
  /// A failure keeps it from being begun, but for transient queries: the others' is under way. `waits`: tasks that are
  /// not to be in it, as far as they may wait; null: none.
  using Waits = std::function<bool(const Task&)>;
  std::optional<Failure> begin(Tasks tasks, const Waits& waits = nullptr);
  /// How the commit under way ended, waiting for that up to `wait`. Committed: its tasks know.
  struct End {
    Writer::Outcome outcome = Writer::Outcome::none;
    std::optional<Error> error;
    std::vector<Task*> tasks;     // committed
    std::vector<Task*> to_blame;  // failed: those that wrote what the log did not take; may be empty
  };
  End end(std::chrono::milliseconds wait);
  /// Drops the open transaction. No commit is under way.
  void abort();

 private:
  Clock::duration gap(bool beside) const;

  const Setup setup_;
  TaskEnvironment& environment_;
  const std::function<void()> wake_;
  std::unique_ptr<Writer> writer_;
  std::vector<Task*> tasks_;  // in the commit under way
  bool under_way_ = false;
  Clock::time_point last_{}, last_of_all_{}, tidied_ = Clock::now();
  Clock::duration took_{}, began_for_{};
  std::size_t took_of_ = 0;  // tasks
};

}  // namespace millrace::inline exec
