#pragma once

#include <atomic>
#include <condition_variable>
#include <list>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "exec/runtime/departed.h"
#include "exec/runtime/engine.h"
#include "exec/runtime/lender.h"
#include "exec/runtime/pace_watch.h"
#include "exec/runtime/query_run.h"
#include "exec/runtime/slot_owners.h"
#include "exec/runtime/slot_table.h"
#include "exec/runtime/standby.h"
#include "exec/runtime/table_images.h"
#include "exec/runtime/table_reader.h"
#include "exec/runtime/workers.h"
#include "exec/state/state_db.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec {

class TransientHost;
class TransientRun;

class EngineImpl final : public Engine, private WorkerHost, private SlotRunner {
 public:
  EngineImpl(Log& log, EngineOptions options, EngineEvents events);
  ~EngineImpl() override;
  Status open();

  Status prepare(std::span<const PhysicalPlan* const> plans) override;
  Status withdraw(const PhysicalPlan& plan) override;
  Status start_queries(std::span<const Start> starts) override;
  Status stop_query(const std::string& query_id) override;
  Status forget(const PhysicalPlan& plan) override;
  Status pause_query(const std::string& query_id) override;
  Status resume_query(const std::string& query_id, std::optional<GoOn> lost) override;
  std::optional<QueryStatus> status(const std::string& query_id) override;
  Result<std::vector<std::string>> processes() override;
  int owned_slots() const override;
  Result<std::shared_ptr<TableRows>> read_table(const std::shared_ptr<PreparedPull>& pull,
                                                const std::vector<Value>& values) override;
  Result<std::vector<std::shared_ptr<TableRows>>> read_tables(
      std::span<const std::shared_ptr<PreparedPull>> pulls) override;
  std::shared_ptr<TableRows> look_up(const std::shared_ptr<PreparedPull>& pull, const std::vector<Value>& values,
                                     std::function<void(std::shared_ptr<TableRows>)> later) override;
  void look_up_here(TableKey key, TableFound found) override;
  Result<std::unique_ptr<TablePages>> scan_here(TableRange range) override;
  LoanAnswer answer_loans(const LoanQuestion& question) override;
  std::uint64_t rows_decoded() const override;
  Result<std::unique_ptr<TransientQuery>> run_transient(std::shared_ptr<const PhysicalPlan> plan, bool until_end,
                                                        TransientEvents events,
                                                        std::vector<std::int64_t> from) override;
  Result<std::shared_ptr<KeptTable>> keep_table(std::shared_ptr<const PhysicalPlan> plan) override;
  std::vector<TaskStatus> tasks() override;
  std::vector<CopyStatus> copies() override;
  Status back_up(const std::string& directory) override;
  bool wait_until_idle(std::chrono::milliseconds wait) override;
  Status run_until_idle() override;
  void hand_over() override;
  void kill() override;

  Result<std::shared_ptr<void>> own_reader() override;

  Log& log() { return log_; }
  const EngineOptions& options() const { return options_; }
  const EngineEvents& events() const { return events_; }
  /// The worker that runs a partition's task; null when its slot is not owned here.
  Worker* worker_of(const QueryRun& run, std::size_t subtopology, int partition);
  std::shared_ptr<QueryRun> find(const std::string& query_id);
  /// Whether what was read here a moment ago was read by the owner: this process has not lost its slots unnoticed.
  bool is_current() const { return membership_ == nullptr || membership_->is_current(); }
  /// Whether other processes may have what is not here.
  bool has_others() const { return owners_ != nullptr; }
  StandbyCopies* standbys() { return standbys_.get(); }
  TableImages& images() { return images_; }
  SlotOwners& owners() { return *owners_; }
  /// The same in every process of this service that has the same query and reads the same into what its stores hold.
  std::uint64_t mark_of(const QueryRun& run) const { return run.identity ^ service_mark_; }
  /// A key of a partition that is not here.
  struct KeyElsewhere {
    std::shared_ptr<QueryRun> run;
    std::size_t subtopology = 0;
    TableKey key;
    TableFound found;
    std::optional<std::int64_t> allowed_lag = {};  // absent: no copy will do
    bool looked = false;                           // the group was asked for its owner
    std::vector<std::string> copies = {};  // processes that may have one and have not been asked, the last first
  };
  /// Asks the owner; where that fails, once more whoever the group then says it is; then those that keep copies, where
  /// that will do. Precondition: has_others().
  void look_up_elsewhere(const std::shared_ptr<KeyElsewhere>& asked);
  /// The processes that may have a copy of a slot's state, the likeliest first; this one may be among them.
  std::vector<std::string> keepers_of(SlotId slot) const;
  void add_stepped(TransientHost& host);
  void remove_stepped(TransientHost& host);
  /// Where the next push query runs.
  Result<std::shared_ptr<TransientHost>> push_host();
  /// Where kept tables are.
  Result<std::shared_ptr<TransientHost>> keeping_host();
  void enlist_kept(const std::shared_ptr<QueryRun>& run);
  void forget_kept(const std::string& id);
  /// Null: there is none.
  StateDb* state() { return state_.get(); }
  /// Keeps a run that its client has left until its host has come to letting it go.
  void left_behind(std::shared_ptr<TransientRun> run);
  /// Has it fail when one of its topics gets partitions that it does not read.
  void watch_partitions(const std::shared_ptr<QueryRun>& transient);

 private:
  ProcessWriters writers() const { return {options_.service_id, options_.process_id}; }
  bool any_away(const Workers::Group& group) const;
  Result<std::unique_ptr<Worker>> make_worker(const std::string& clusters, int lane, int index);
  /// How a plan spreads; the workers that it needs are there. May wait for the log.
  Result<QueryLayout> layout_to_run(TopicSizes& sizes, const PhysicalPlan& plan);
  // Slots (engine_slots.cpp)
  Status join();
  using Runs = std::vector<std::shared_ptr<QueryRun>>;
  Status start_together(std::span<const Start> starts);
  bool is_known(const std::string& query_id);
  std::optional<QueryStatus> own_status(const std::string& query_id);
  // Parts (engine_parts.cpp)
  static std::vector<const PhysicalPlan*> with_parts(std::span<const PhysicalPlan* const> plans);
  /// Notes who has them; those that are known already are left out.
  std::vector<Start> with_parts(std::span<const Start> starts);
  std::set<std::string> users_of(const std::string& part) const;
  std::vector<std::string> parts_of(const std::string& query_id) const;
  /// The query has no parts any more; gives those that nobody has.
  std::vector<std::string> leave_parts(const std::string& query_id);
  bool is_paused(const std::string& query_id) const REQUIRES(mutex_);
  Status rest_parts() REQUIRES(control_);
  /// What happens in a part happens to all that have it.
  EngineEvents to_users(EngineEvents events);
  bool has_parts() const;
  void truncate_parts();
  static void add_progress_keys(const QueryRun& run, const TopicPartition& read, std::vector<std::string>& keys);
  std::shared_ptr<QueryRun> enlist(const Start& start, QueryLayout layout) REQUIRES(control_);
  void put_off(const Start& start, const Error& error);
  void granted(const std::vector<SlotId>& slots);
  // SlotRunner: under control_
  void run_slots(const std::vector<SlotId>& slots) override;
  void stop_slots(const std::vector<SlotId>& slots, bool commit) override;
  std::set<SlotId> slots_with_state() override;
  std::map<SlotId, std::int64_t> behind() override {
    return standbys_ ? standbys_->behind() : std::map<SlotId, std::int64_t>();
  }
  /// As tell_workers().
  Status launch(const Runs& runs, int only_worker = -1) REQUIRES(control_);
  /// Nobody waits longer for a worker, but those who have to know that it has stopped.
  static constexpr std::chrono::seconds kAnswerWait{4};
  /// Calls `tell` for each worker with what is left of kAnswerWait. False of it: that one has not come to it yet, which
  /// the error tells; what one is told it does in order.
  Status tell_workers(const std::vector<Worker*>& workers,
                      const std::function<bool(Worker& worker, std::chrono::milliseconds left)>& tell);
  /// Has the tasks of a run dropped. Until they are, is_leaving(): others of the query that begin meanwhile would not
  /// know what those commit last.
  Status drop_everywhere(const std::shared_ptr<QueryRun>& run, bool commit);
  /// The same for several; the first that goes wrong, or `outcome`.
  Status drop_all(const Runs& runs, Status outcome);
  bool is_leaving(const std::string& query_id);
  /// Has them dropped, unless they are about to be. True: they are.
  bool has_left(const std::shared_ptr<QueryRun>& run, bool commit);
  static Error still_leaving();
  Error busy(std::size_t worker);
  /// Makes a change that a statement asks for, with control_, after those before it. An error may tell that it is made
  /// `late`.
  using EngineChange = std::function<Status(bool late)>;
  Status in_turn(EngineChange change);
  void make_late_changes();
  using Layouts = std::vector<Result<QueryLayout>>;
  Status start_now(std::span<const Start> starts, const Layouts& layouts) REQUIRES(control_);
  Status set_paused(const std::string& query_id, bool paused) REQUIRES(control_);
  void try_again(const std::string& query_id, std::optional<GoOn> lost) REQUIRES(control_);
  using Dealt = std::map<int, std::vector<Worker::NewTask>>;  // by worker
  Status deal(const std::shared_ptr<QueryRun>& run, int only_worker, Dealt& dealt);
  Runs all_runs();
  Result<Progress> progress_of(const QueryRun& run, std::size_t subtopology, int partition, SlotId slot);
  Result<bool> pass_over_lost(QueryRun& run, std::size_t subtopology, int partition, Progress& progress);
  std::vector<SlotId> owned_slots_of(const QueryRun& run);
  // Housekeeping
  void keep_house();
  void keep_house_once();
  void do_chores();
  void restart_failed();
  void start_waiting();
  void look_for_partitions();
  void look_after_push_hosts();
  bool let_go_of_runs();
  void drop_state_elsewhere();
  std::vector<std::string> state_elsewhere();
  void replace_fenced();
  void truncate();
  // Copies of what others own (engine_standby.cpp)
  void open_lender();
  void open_standbys();
  void look_after_standbys();
  void place_standbys();
  std::vector<std::optional<Progress>> progress_of_copies(std::span<const StandbyCopies::Wanted> wanted);
  // WorkerHost
  void worker_fenced(int worker) override;
  void read_up_to(const TopicPartition& partition, std::int64_t offset) override;

  // What others ask for (pull_here.cpp)
  struct TableHere {
    std::shared_ptr<QueryRun> run;
    std::shared_ptr<const TableReader> reader;
  };
  void look_for_owner(const std::shared_ptr<KeyElsewhere>& asked);
  void look_up_copies(const std::shared_ptr<KeyElsewhere>& asked, Error why);
  void look_up_copy(const TableHere& table, const TableKey& key, const TableFound& found);
  Result<TableHere> table_here(const std::string& query, std::uint64_t plan);

  struct Prepared {
    const PhysicalPlan& plan;
    QueryLayout layout;
  };
  Result<std::vector<Prepared>> lay_out(std::span<const PhysicalPlan* const> plans, TopicSizes& sizes);
  Status create_topics(const std::vector<Prepared>& prepared, TopicSizes& sizes);
  Status write_progress(const std::vector<Prepared>& prepared, bool remove) REQUIRES(submitting_);
  Result<Progress> initial_progress(const QueryOptions& options, const SubtopologyLayout& layout, int partition);
  Result<Writer*> admin() REQUIRES(submitting_);
  void stop(bool clean);
  void stop_working(bool clean);
  void stop_workers(bool clean);
  void stop_keeping();

  Log& log_;
  const EngineOptions options_;
  const EngineEvents events_;
  std::unique_ptr<StateDb> state_;
  std::unique_ptr<SlotTable> slots_;
  std::unique_ptr<Membership> membership_;
  std::unique_ptr<SlotOwners> owners_;  // null: nobody else is asked
  std::unique_ptr<PaceWatch> paces_;    // null: there are no other processes
  std::uint64_t service_mark_ = 0;      // no other service, on whatever cluster, is taken for this one
  TableImages images_{options_.pull_cache_bytes};
  Mutex entering_;  // held by who enters several workers
  Workers workers_;
  std::unique_ptr<StandbyCopies> standbys_;  // null: none are kept
  std::atomic<bool> placing_standbys_{false};
  std::unique_ptr<Lender> lender_;               // null: nobody else could run a slot
  std::unique_ptr<DepartedProcesses> departed_;  // null: there are no other processes
  Mutex readers_mutex_;
  std::map<std::string, std::shared_ptr<const TableReader>> readers_ GUARDED_BY(readers_mutex_);  // by query

  Mutex control_;        // one change of queries or slots at a time; held while workers are called
  Mutex submitting_;     // one submitter's work at a time: slots go and come while the log makes and deletes topics
  mutable Mutex mutex_;  // never held while a worker is called
  std::map<std::string, std::shared_ptr<QueryRun>> runs_ GUARDED_BY(mutex_);
  std::map<std::string, std::shared_ptr<QueryRun>> kept_ GUARDED_BY(mutex_);  // tables
  struct Waiting {
    std::shared_ptr<const PhysicalPlan> plan;
    Error error;  // why it could not start
    bool paused = false;
    std::uint64_t identity = 0;
    std::chrono::milliseconds wait;  // before the next try
    Clock::time_point due;
    std::int64_t failed_at_ms = 0;
  };
  std::map<std::string, Waiting> waiting_ GUARDED_BY(mutex_);  // queries of which the log has not told the topics yet
  std::map<std::string, std::set<std::string>> part_users_ GUARDED_BY(mutex_);  // queries that have it, by part
  std::vector<int> slot_worker_ GUARDED_BY(mutex_);                             // the lane; -1: not ours
  std::vector<Clock::time_point> slot_owned_ GUARDED_BY(mutex_);                // when it was last seen to be ours
  std::unique_ptr<Writer> admin_ GUARDED_BY(submitting_);
  std::list<TransientHost*> stepped_;
  Mutex push_mutex_;
  std::vector<std::weak_ptr<TransientHost>> push_hosts_ GUARDED_BY(push_mutex_);
  std::shared_ptr<TransientHost> keeping_ GUARDED_BY(push_mutex_);  // null: no table was kept yet
  std::vector<std::weak_ptr<QueryRun>> watched_ GUARDED_BY(push_mutex_);
  struct LeftRun {
    std::shared_ptr<TransientRun> run;
    std::shared_ptr<std::atomic<bool>> gone;  // its host has come to that
  };
  std::vector<LeftRun> left_runs_ GUARDED_BY(push_mutex_);
  const std::shared_ptr<std::atomic<int>> own_readers_ = std::make_shared<std::atomic<int>>(0);

  Mutex reports_mutex_;
  std::vector<std::vector<TaskStatus>> reports_ GUARDED_BY(reports_mutex_);  // by worker, as it said last

  Mutex notes_mutex_;  // what workers leave for the housekeeper
  std::set<int> fenced_ GUARDED_BY(notes_mutex_);
  std::vector<EngineChange> late_changes_ GUARDED_BY(notes_mutex_);  // in order
  // Workers that have not come to dropping tasks of a query.
  std::map<std::string, std::shared_ptr<std::atomic<int>>> leaving_ GUARDED_BY(notes_mutex_);
  bool backing_up_ GUARDED_BY(notes_mutex_) = false;  // nothing is truncated meanwhile
  std::map<TopicPartition, std::int64_t> read_up_to_ GUARDED_BY(notes_mutex_);
  std::map<TopicPartition, std::int64_t> truncated_;  // of topics of parts; those who do chores alone
  std::condition_variable house_wake_;
  Clock::time_point last_refresh_{}, last_state_look_{}, last_standby_look_{}, last_push_look_{};
  std::atomic<bool> stopping_{false};  // set under notes_mutex_
  bool stopped_ = false, at_rest_ = false;
  std::thread house_, chores_;
};

}  // namespace millrace::inline exec
