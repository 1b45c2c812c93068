#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "exec/operators/predicate_index.h"
#include "exec/runtime/committer.h"
#include "exec/runtime/feeds.h"
#include "exec/runtime/inbox.h"
#include "exec/runtime/restorer.h"
#include "exec/runtime/shared_decoder.h"
#include "exec/runtime/spiller.h"
#include "exec/runtime/task.h"
#include "parser/error/mutex.h"

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
  /// Of transient queries: where their internal topics are and outputs go. What they do is not taken back: one that
  /// fails goes, the others go on. Null: `log`.
  Log* exchange = nullptr;
  bool alone = false;  // one query, that shares nothing
  Membership* membership = nullptr;
  WorkerHost* host = nullptr;
  int index = 0;
  std::string name;  // client and transactional id
  std::string thread_name = "worker";
  std::chrono::milliseconds commit_interval{2000};
  std::chrono::milliseconds commit_gap{1};  // at least, between commits when input runs dry; 0: none
  std::size_t state_memory_bytes = 256 << 20;
  bool truncate_changelogs = false;  // embedded: what RocksDB holds durably is not needed in the log
  bool threaded = true;
};

/// Runs tasks on one thread and commits them together (design.md §6): the loop around its inbox, its feeds, its
/// committer and its spiller. Without a thread of its own (`threaded` false) its owner calls `iterate`.
class Worker {
 public:
  static Result<std::unique_ptr<Worker>> make(WorkerSetup setup, TaskEnvironment environment);
  ~Worker();

  void start();
  /// It is to be stopped soon: whoever loses its writer from now on takes no new one. Any thread.
  void retire() { retiring_ = true; }
  /// Ends the thread. `clean`: commits and waits first; else leaves everything as a crash would.
  void stop(bool clean);
  /// Spills what is committed. After a clean stop.
  void put_away();

  struct NewTask {
    std::shared_ptr<QueryRun> run;
    TaskPlace place;
    Progress progress;
    std::vector<std::pair<std::string, std::int64_t>> ends;  // topics that are read up to an offset only
    bool moved = false;  // its progress is not what the log has of it: to be committed soon
  };
  // The following may be called from any thread but the worker's own, and wait until it is done. False: not within
  // `at_most`; it will be, when the worker comes to an end of what it does.
  static constexpr std::chrono::milliseconds kForEver = std::chrono::milliseconds::max();
  bool add_tasks(std::vector<NewTask> tasks, std::chrono::milliseconds at_most = kForEver);
  using Chosen = std::function<bool(const Task&)>;
  /// `commit`: what they did is committed first; else it is rolled back. `chosen` owns what it touches.
  bool drop_tasks(Chosen chosen, bool commit, std::chrono::milliseconds at_most = kForEver);
  bool pause_changed(const std::string& query_id, std::chrono::milliseconds at_most = kForEver);
  std::size_t index() const { return static_cast<std::size_t>(setup_.index); }
  /// The query that it works on now, to be compared only; null: none, or it commits. Any thread.
  const QueryRun* working_on() const { return working_on_.load(std::memory_order_relaxed); }
  void wake() { feeds_->wake(); }
  /// Runs `work` between two rounds, on the worker's thread where it has one, and waits for it.
  void call(std::function<void()> work);
  /// As call(), but waits no longer than so, and not at all where it has not come to what it was told before. False: it
  /// may be done later, so `work` owns what it touches.
  bool call_within(std::function<void()> work, std::chrono::milliseconds wait);
  /// As call(), but does not wait where there is a thread.
  void tell(std::function<void()> work);
  /// Somebody has waited in vain for what the worker was told. Any thread.
  bool late() const { return awaited_in_vain_; }
  /// How many rounds it has begun. Any thread.
  std::uint64_t rounds() const { return rounds_.load(std::memory_order_relaxed); }
  /// Called at the end of every round and before one sleeps, on the thread that runs it, without locks. To be set
  /// before start().
  void after_round(std::function<void()> callback) { after_round_ = std::move(callback); }
  /// Nothing waits, nothing is uncommitted, the last poll brought nothing. Worker's thread.
  bool quiet() const;
  /// As quiet(), but more may have arrived.
  bool at_rest() const;

  /// Runs `visit` with the ready task of a query's partition, between two batches: committed state is there to be read.
  /// False: no such task here, or it is still restoring.
  bool visit_task(const QueryRun& run, std::size_t subtopology, int partition,
                  const std::function<void(Task&)>& visit) {
    return inbox_.visit(run, subtopology, partition, visit);
  }
  /// Between these two the worker works on nothing, and its tasks are visited by visit_entered.
  void enter() { inbox_.enter(); }
  void leave() { inbox_.leave(); }
  bool visit_entered(const QueryRun& run, std::size_t subtopology, int partition,
                     const std::function<void(Task&)>& visit) const {
    return inbox_.visit_entered(run, subtopology, partition, visit);
  }
  /// As visit_task without waiting: at once when no batch is being worked on, else soon, on the worker's thread.
  using Visit = Inbox::Visit;
  void visit_soon(Visit visit) { inbox_.visit_soon(std::move(visit)); }

  /// One round: calls, commits, one batch per ready task, next records. True when something happened.
  bool iterate(std::chrono::milliseconds wait);
  /// Every input has been read and committed, as far as `log` says.
  bool idle();
  /// The last outcome of something that concerns the whole worker (the log is unreachable ...).
  std::optional<Error> trouble() const;
  std::span<const std::unique_ptr<Task>> tasks() const { return tasks_; }     // worker's thread, or none running
  bool is_restoring(Task& task) const { return restoring_.contains(&task); }  // the same
  /// What the task has done is committed, and the end of that known. The same.
  bool has_committed(const Task& task) const { return !task.dirty() && !committer_->holds(task); }
  /// Has the tasks of a run dropped before the next round. Does not wait.
  void discard(std::shared_ptr<const QueryRun> run);
  /// Records decoded so far, each as often as it was. Any thread.
  std::uint64_t rows_decoded() const { return decoders_ ? decoders_->rows() : 0; }

 private:
  explicit Worker(WorkerSetup setup, TaskEnvironment environment);
  Status open();
  void run();
  void work_round(bool& worked);
  bool poll_round(std::chrono::milliseconds wait);
  Status poll_in_front(bool& arrived, bool& more);
  std::chrono::milliseconds wait_of_those_behind() const;
  Status poll_all(Feeds& feeds, bool& arrived, bool& more);
  Status poll_feeds(Feeds& feeds, std::chrono::milliseconds wait, bool& arrived);
  void take_in(Result<std::optional<Fetch>> fetch, Feeds& feeds, Status& outcome, bool& arrived);
  std::chrono::milliseconds wait_at_most(std::chrono::milliseconds wait, bool worked) const;
  bool any_dirty() const;
  void do_here(const std::function<void()>& work);
  bool more_is_coming();
  /// What a task is called: one of that name at a time.
  struct Name {
    std::string_view query;  // in the task's plan
    std::size_t subtopology;
    int partition;
    friend bool operator==(const Name&, const Name&) = default;
    struct Hash {
      std::size_t operator()(const Name& name) const {
        return std::hash<std::string_view>()(name.query) * 31 + name.subtopology * 8191 +
               static_cast<std::size_t>(name.partition);
      }
    };
  };
  static Name name_of(const QueryRun& run, std::size_t subtopology, int partition) {
    return {run.plan->query_id, subtopology, partition};
  }
  static Name name_of(const Task& task) {
    return name_of(task.run(), task.place().subtopology, task.place().partition);
  }
  Task* ready_task(const QueryRun& run, std::size_t subtopology, int partition);

  // worker_tasks.cpp
  void add_task(NewTask task);
  /// What is to be known of the log for tasks that are added.
  struct Ahead {
    std::vector<TopicPartition> inputs, changelogs;
  };
  void look_ahead(const std::vector<NewTask>& tasks, Ahead& ahead) const;
  void share_queues();
  Status subscribe(Task& task);
  void unsubscribe(Task& task);
  void activate(Task& task);
  /// paced: others may wait for what it has committed, too.
  enum class Stepped : std::uint8_t { nothing, worked, blocked, paced, held, failed };
  Stepped step(Task& task);
  bool answer_asked();
  bool step_in_front();
  bool step_tasks();
  bool step_idle();
  bool step_those_behind();
  bool catching_up(const Task& task) const;
  void restore_some();
  void measure_lags();
  void measure_lag(Task& task);
  Feeds& feeds_of(const TaskInput& input) const { return input.internal() && exchange_ ? *exchange_ : *feeds_; }
  void remove_tasks(const Chosen& chosen);
  void fail_tasks_of_broken(Feeds& feeds);
  void task_failed(Task& task, const Error& error);
  void give_up(Task& task, const Error& error);
  void give_up_reading(Task& task, Error error);

  // worker_commit.cpp
  Committer::Activity activity() const;
  bool front_waits() const;
  void commit_if_due();
  void begin_commit(const Committer::Waits& waits = nullptr);
  bool settle(std::chrono::milliseconds wait);
  void commit_all(std::chrono::milliseconds wait);
  void committed(const std::vector<Task*>& tasks);
  std::optional<std::int64_t> read_by_all(const Task& task, const TopicPartition& partition) const;
  void commit_failed(const Error& error, const std::vector<Task*>& to_blame);
  bool roll_back();
  void back_off(const Error& error);
  void fenced();
  void revive();
  void spill_as_needed();
  void spill_everything();

  /// Longer than any commit lasts while the log is well.
  static constexpr std::chrono::seconds kOutcomeWait{10};

  WorkerSetup setup_;
  TaskEnvironment environment_;
  std::optional<SharedDecoders> decoders_;
  PredicateIndexes predicates_;
  Inbox inbox_;
  std::unique_ptr<Feeds> feeds_, exchange_;
  std::unique_ptr<Committer> committer_;
  std::unique_ptr<Restorer> restorer_;
  std::unique_ptr<Spiller> spiller_;
  std::vector<std::unique_ptr<Task>> tasks_;
  std::unordered_map<Name, Task*, Name::Hash> by_name_;  // of them
  std::vector<Task*> active_;                            // have or may have rows to work on
  std::unordered_map<const TaskInput*, Task*> owner_;
  std::unordered_set<Task*> active_set_, restoring_;
  std::vector<TaskInput*> takers_;
  bool dry_ = false;         // the last polls of those in front brought nothing
  bool dry_behind_ = false;  // nor did those of the others
  bool more_known_ = false;  // though the log is known to hold more for a dirty task
  bool blocked_ = false;
  bool blocked_behind_ = false;    // somebody who catches up waits for what others commit
  bool full_ = false;              // as much as may be waits for the commit under way to end
  bool more_in_exchange_ = false;  // its last poll brought something
  std::size_t active_in_front_ = 0, turn_ = 0;
  Clock::time_point resume_at_{}, last_lag_look_{}, arrived_in_front_{}, behind_again_{};
  bool any_idle_clock_ = false;  // of tasks that were added
  int failures_ = 0;

  mutable Mutex trouble_mutex_;
  std::optional<Error> trouble_ GUARDED_BY(trouble_mutex_);
  std::atomic<bool> retiring_{false}, stopping_{false};
  std::atomic<const QueryRun*> working_on_{nullptr};
  std::atomic<bool> awaited_in_vain_{false};
  std::atomic<std::uint64_t> rounds_{0};
  std::function<void()> after_round_;
  std::thread thread_;
};

}  // namespace millrace::inline exec
