#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <unordered_set>
#include <vector>

#include "exec/runtime/feeds.h"
#include "exec/runtime/restorer.h"
#include "exec/runtime/task.h"

namespace millrace::inline exec {

/// What a worker tells its owner. Called on the worker's thread; must not wait for it.
class WorkerHost {
 public:
  virtual ~WorkerHost() = default;
  /// Nothing this worker wrote since its last commit will ever be visible, and its tasks are gone: it wants new ones.
  virtual void worker_fenced(int worker) = 0;
  /// Records of an internal topic below `offset` are not needed any more.
  virtual void read_up_to(const TopicPartition& partition, std::int64_t offset) = 0;
};

struct WorkerSetup {
  Log* log = nullptr;
  Log* exchange = nullptr;  // where internal topics are and outputs go; null: `log`
  Membership* membership = nullptr;
  WorkerHost* host = nullptr;
  int index = 0;
  std::string name;  // client and transactional id
  std::chrono::milliseconds commit_interval{2000};
  std::chrono::milliseconds commit_gap{4};  // at least, between commits when input runs dry; 0: none
  std::size_t state_memory_bytes = 256 << 20;
  bool truncate_changelogs = false;  // embedded: what RocksDB holds durably is not needed in the log
  bool threaded = true;
};

/// Runs tasks on one thread with one reader and one transactional writer, and commits them together (DESIGN §6).
/// Without a thread of its own (`threaded` false) its owner calls `iterate`.
class Worker {
 public:
  static Result<std::unique_ptr<Worker>> make(WorkerSetup setup, TaskEnvironment environment);
  ~Worker();

  void start();
  /// Ends the thread. `clean`: commits, spills and waits first; else leaves everything as a crash would.
  void stop(bool clean);

  struct NewTask {
    std::shared_ptr<QueryRun> run;
    TaskPlace place;
    Progress progress;
    std::vector<std::pair<std::string, std::int64_t>> ends;  // topics that are read up to an offset only
  };
  // The following may be called from any thread but the worker's own, and wait until it is done.
  void add_tasks(std::vector<NewTask> tasks);
  using Chosen = std::function<bool(const Task&)>;
  /// `commit`: what they did is committed first; else it is rolled back.
  void drop_tasks(const Chosen& chosen, bool commit);
  void pause_changed(const std::string& query_id);
  void wake() { feeds_->wake(); }
  /// Runs `work` between two rounds, on the worker's thread where it has one, and waits for it.
  void call(std::function<void()> work);
  /// Called at the end of every round and before one sleeps, on the thread that runs it, without locks. To be set
  /// before start().
  void after_round(std::function<void()> callback) { after_round_ = std::move(callback); }
  /// Nothing waits, nothing is uncommitted, the last poll brought nothing. Worker's thread.
  bool quiet() const;
  /// As quiet(), but more may have arrived.
  bool at_rest() const;

  /// Runs `visit` with the ready task of a query's partition, between two batches: committed state is there to be read.
  /// False: no such task here, or it is still restoring.
  bool visit_task(const QueryRun& run, std::size_t subtopology, int partition, const std::function<void(Task&)>& visit);

  /// As visit_task without waiting: at once when no batch is being worked on, else soon, on the worker's thread.
  struct Visit {
    std::shared_ptr<const QueryRun> run;
    std::size_t subtopology = 0;
    int partition = 0;
    std::function<void(Task*)> with;  // null: no such task here, or it is still restoring
  };
  void visit_soon(Visit visit);

  /// One round: mail, commits, one batch per ready task, next records. True when something happened.
  bool iterate(std::chrono::milliseconds wait);
  /// Every input has been read and committed, as far as `log` says.
  bool idle();
  /// The last outcome of something that concerns the whole worker (the log is unreachable ...).
  std::optional<Error> trouble() const;
  std::span<const std::unique_ptr<Task>> tasks() const { return tasks_; }  // worker's thread, or none running
  /// Ends the thread after this round. Worker's thread.
  void finish() { stopping_ = true; }
  /// Stops giving batches to tasks (a client that does not keep up).
  void hold(bool held) { held_ = held; }
  bool held() const { return held_; }
  void commit_soon() { commit_wanted_ = true; }

 private:
  explicit Worker(WorkerSetup setup, TaskEnvironment environment);
  Status open();
  void run();
  void run_mail();
  std::chrono::milliseconds wait_at_most(std::chrono::milliseconds wait, bool worked) const;
  bool any_dirty() const;
  bool more_is_coming();
  Task* ready_task(const QueryRun& run, std::size_t subtopology, int partition);
  void serve_visits();
  void answer_visits();

  // worker_tasks.cpp
  void add_task(NewTask task);
  Status subscribe(Task& task);
  void unsubscribe(Task& task);
  void activate(Task& task);
  bool step_tasks();
  void take_in(Fetch&& fetch, Feeds& feeds);
  void restore_some();
  void measure_lags();
  void measure_lag(Task& task);
  Feeds& feeds_of(const TaskInput& input) { return input.internal() && exchange_ ? *exchange_ : *feeds_; }
  void remove_tasks(const Chosen& chosen);
  void task_failed(Task& task, const Error& error);
  void give_up(Task& task, const Error& error);
  Status poll_feeds(Feeds& feeds, std::chrono::milliseconds wait, bool& arrived);

  // worker_commit.cpp
  bool should_commit();
  std::chrono::milliseconds commit_gap() const;
  Status begin_commit();
  void settle(std::chrono::milliseconds wait);
  void commit_all(std::chrono::milliseconds wait);
  void committed(const Writer::CommitState& state);
  void commit_failed(const Error& error);
  void roll_back();
  void back_off(const Error& error);
  void fenced();
  void revive();
  void spill_as_needed();
  void spill_everything();
  void spill_task(Task& task, double keep);

  WorkerSetup setup_;
  TaskEnvironment environment_;
  std::unique_ptr<Writer> writer_;
  std::unique_ptr<Feeds> feeds_, exchange_;
  std::unique_ptr<Restorer> restorer_;
  std::vector<std::unique_ptr<Task>> tasks_;
  std::vector<Task*> active_;      // have or may have rows to work on
  std::vector<Task*> committing_;  // in the commit under way
  std::unordered_map<const TaskInput*, Task*> owner_;
  std::unordered_set<Task*> active_set_, restoring_;
  std::vector<TaskInput*> takers_;
  bool commit_under_way_ = false;
  bool commit_wanted_ = false;
  bool dry_ = false;         // the last poll brought nothing
  bool more_known_ = false;  // though the log is known to hold more for a dirty task
  bool blocked_ = false;
  std::atomic<bool> held_{false};
  Clock::time_point last_commit_{}, resume_at_{}, last_spill_check_{}, last_lag_look_{};
  Clock::duration commit_took_{};
  int failures_ = 0;

  std::mutex gate_;  // held while tasks are worked on; readers of committed state take it between batches
  std::atomic<int> visitors_{0};
  mutable std::mutex mail_mutex_;  // guards mail_, visits_, trouble_
  std::vector<std::function<void()>> mail_;
  std::vector<Visit> visits_;
  std::atomic<bool> visits_wait_{false};  // visits_ is not empty
  std::optional<Error> trouble_;
  std::atomic<bool> stopping_{false};
  std::function<void()> after_round_;
  std::thread thread_;
};

}  // namespace millrace::inline exec
