#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "exec/data/batch.h"
#include "exec/data/record_error.h"
#include "exec/data/result.h"
#include "exec/log/log.h"
#include "exec/runtime/remote_tables.h"
#include "planner/physical/plan.h"

namespace millrace::inline exec {

class SchemaCache;

struct EngineOptions {
  std::string service_id = "default_";
  std::string process_id;       // stable across restarts; names the group member and the transactional ids
  std::string advertised;       // host:port that others reach this process by
  std::string state_directory;  // of the state RocksDB; empty: state in memory only
  int slots = 64;
  int workers = 1;  // threads; 0: none, the caller steps (run_until_idle)
  std::chrono::milliseconds commit_interval{2000};
  // Waits before a failed query starts again double from the first to the longest.
  std::chrono::milliseconds retry_first{1000}, retry_longest{60'000};
  std::size_t state_memory_bytes = 256 << 20;
  std::size_t transient_memory_bytes = 64 << 20;              // of one transient query: state and rows on their way
  int own_readers = 64;                                       // see Engine::own_reader
  std::size_t pull_cache_bytes = 64 << 20;                    // columns of tables kept for pull queries to come
  std::size_t batch_rows = kMaxBatchRows;                     // tests run with 1
  std::chrono::milliseconds keep_state_elsewhere{3'600'000};  // of slots that others have taken over
  int internal_replicas = 1;                                  // of changelogs, repartition topics and the slots topic
  std::optional<int> internal_min_insync;  // in-sync replicas that they need for a write; absent: the log's default
  std::shared_ptr<SchemaCache> schemas;    // null: no schema registry
  std::shared_ptr<RemoteTables> remote;    // null: pull queries are answered from the slots of this process only
  int standbys = 0;                        // other processes that keep a copy of the state of each slot
  double standby_share = 0.5;              // of one core, for following what others do
  std::int64_t acceptable_lag = 10'000;    // records that a copy may lack, to take its slot over
  int warm_ups = 2;                        // copies made at a time for slots that other processes run meanwhile
};

/// The topic that holds the progress of a service's queries, a partition a slot.
inline std::string slots_topic(const std::string& service_id) {
  return service_id + "slots";
}

/// One line of the processing log (operations.md, Processing log).
struct ProcessingError {
  std::string query_id, step;
  RecordErrorKind kind = RecordErrorKind::deserialization;
  std::string message;
  std::string topic;
  std::int32_t partition = -1;
  std::int64_t offset = -1;
};

struct EngineEvents {
  std::function<void(const ProcessingError&)> on_record_error;  // any worker thread; must not block
};

enum class QueryState : std::uint8_t { running, paused, error, rebalancing, restoring };
struct QueryStatus {
  QueryState state = QueryState::running;
  std::string error;            // of the last failure
  std::int64_t error_time = 0;  // of that, ms since the epoch
  std::uint64_t rows_in = 0, rows_out = 0, late_rows = 0, bad_records = 0, restarts = 0;
  struct Operator {
    std::string name;  // of the step
    std::uint64_t late_rows = 0, errors = 0;
    std::uint64_t rows_in = 0, rows_out = 0;  // of all kinds, those that take something back included
    std::chrono::nanoseconds busy{};          // that it worked itself
    std::int64_t state_bytes = 0;             // of its stores, in memory
  };
  std::vector<Operator> operators;  // of the whole plan, as this process runs it; those of parts first
  std::int64_t lag = 0;             // records between progress and the end of the inputs; -1: not known
};

/// How a step of a part that the query shares with others is called among its `operators`.
inline std::string step_of_part(std::string_view part, std::string_view step) {
  return std::string(part).append("/").append(step);
}

/// One task as its worker has it.
struct TaskStatus {
  std::string query_id;
  int subtopology = 0, partition = 0, slot = 0, worker = 0;
  bool restoring = false, dirty = false;
  std::int64_t lag = 0;  // -1: not known
  std::size_t state_bytes = 0;
  struct Input {
    std::string topic;
    std::int64_t committed = 0, consumed = 0, accepted = 0;  // next offsets
  };
  std::vector<Input> inputs;
};

/// A copy of the state of a task that runs on another process.
struct CopyStatus {
  std::string query_id;
  int subtopology = 0, partition = 0, slot = 0;
  struct Store {
    std::string name, changelog;
    std::int64_t position = 0, end = 0;  // next offsets of the changelog; equal: nothing is known to lack
  };
  std::vector<Store> stores;
};

class PreparedPull;
class KeptTable;

/// The rows of a pull query, taken bit by bit. Any thread, one call at a time; holds no thread and no worker in
/// between. A scan sees each partition as it was when the scan came to it. The engine must outlive it.
class TableRows {
 public:
  virtual ~TableRows() = default;
  /// The next batch that is not empty; absent at the end.
  virtual Result<std::optional<Batch>> next() = 0;
};
/// Gives all of them to `visit`, until that returns false.
Status pull_all(TableRows& rows, const std::function<bool(const Batch&)>& visit);

/// A running transient query. Rows arrive on a worker's thread through the callback given at start; the callback
/// returns false to be asked again later (a slow client suspends only its own query; call `resume`).
class TransientQuery {
 public:
  virtual ~TransientQuery() = default;  // stops it and waits until no callback runs
  virtual void resume() = 0;
};
struct TransientEvents {
  /// Before all others, once the query is positioned: it is going to run. Not called where run_transient fails.
  std::function<void()> on_begin = {};
  std::function<bool(const Batch&)> on_rows;
  /// Where the query stands in its only topic: the next offset of each partition, once before the first row and then
  /// when on_rows has taken all that came of the records before. Only for plans of one subtopology that reads one
  /// topic.
  std::function<void(const std::vector<std::int64_t>&)> on_position = {};
  std::function<void(std::optional<Error>)> on_end;  // limit reached, or end of input where `until_end`, or failure
};

/// Runs physical plans on a log: tasks on a pool of workers, exactly-once, state and restore (design.md §5, §6). Parts
/// of a plan are prepared and started with the first that has them, stop with the last, rest while all of them do, and
/// count in the status of each.
/// Thread-safe but for run_until_idle. Must not outlive the log.
class Engine {
 public:
  static Result<std::unique_ptr<Engine>> start(Log& log, EngineOptions options, EngineEvents events);
  virtual ~Engine() = default;  // commits and stops cleanly

  /// Submitter's half of starting queries: creates their internal topics and writes the first progress record of every
  /// task (start offsets as of now, `latest` meaning now). Idempotent.
  virtual Status prepare(std::span<const PhysicalPlan* const> plans) = 0;
  Status prepare(const PhysicalPlan& plan) {
    const PhysicalPlan* one = &plan;
    return prepare({&one, 1});
  }
  /// Takes back the progress records of a prepared query that the command log did not accept; those of its parts stay.
  virtual Status withdraw(const PhysicalPlan& plan) = 0;
  struct Start {
    std::shared_ptr<const PhysicalPlan> plan;
    bool paused = false;
    /// The same in every process that has the query as this one does, whatever its version; 0: by the plan.
    std::uint64_t identity = 0;
  };
  /// Every process: runs the tasks whose slots it owns. Queries that start together share the reading of a topic from
  /// where they start. A query that cannot start (its source topic is gone, the log does not answer) is in
  /// QueryState::error and tried again; an error here says that there was one of them already; the others have started.
  virtual Status start_queries(std::span<const Start> starts) = 0;
  Status start_query(std::shared_ptr<const PhysicalPlan> plan) {
    const Start one{std::move(plan)};
    return start_queries({&one, 1});
  }
  virtual Status stop_query(const std::string& query_id) = 0;
  /// Submitter's half of dropping a query: deletes its internal topics, progress and state. A part that no query has
  /// any more is to be forgotten likewise.
  virtual Status forget(const PhysicalPlan& plan) = 0;
  virtual Status pause_query(const std::string& query_id) = 0;
  /// Also has a query that failed tried again at once. `lost`: where it goes on in a partition that no longer has the
  /// records at its position; absent: it stays in QueryState::error then.
  enum class GoOn : std::uint8_t { at_begin, at_end };
  virtual Status resume_query(const std::string& query_id, std::optional<GoOn> lost = std::nullopt) = 0;
  virtual std::optional<QueryStatus> status(const std::string& query_id) = 0;
  /// The processes of the service by their addresses, this one's among them; an external error when the group does not
  /// answer. Waits for it.
  virtual Result<std::vector<std::string>> processes() = 0;
  /// How many slots this process owns at the moment.
  virtual int owned_slots() const = 0;
  /// Records of topics that were decoded for persistent queries, each as often as it was: once for all that
  /// stand at the same place. Any thread.
  virtual std::uint64_t rows_decoded() const = 0;

  /// Rows of a pull query from committed state. `values`: of its parameters, each of the parameter's type. Batches have
  /// the schema of the plan; timestamps are the rows'. Order: per look-up as given; scans by key bytes within a
  /// partition, those of other processes last. Fault::unavailable when a partition is moving or still restoring, here
  /// or where it is.
  virtual Result<std::shared_ptr<TableRows>> read_table(const std::shared_ptr<PreparedPull>& pull,
                                                        const std::vector<Value>& values) = 0;
  /// The same for several plans without parameters, all of this process at one instant between commits.
  virtual Result<std::vector<std::shared_ptr<TableRows>>> read_tables(
      std::span<const std::shared_ptr<PreparedPull>> pulls) = 0;
  /// The same for a plan that looks up keys, without waiting: the rows when the workers concerned are between two
  /// batches; else null, and `later` gets them on a worker's thread, which it must not hold up.
  virtual std::shared_ptr<TableRows> look_up(const std::shared_ptr<PreparedPull>& pull,
                                             const std::vector<Value>& values,
                                             std::function<void(std::shared_ptr<TableRows>)> later) = 0;

  /// For the other processes of the service: what this one keeps itself. Asks nobody, so that no question goes round.
  /// `found` is called once, perhaps before the return, perhaps on a worker's thread, which it must not hold up.
  virtual void look_up_here(TableKey key, TableFound found) = 0;
  virtual Result<std::unique_ptr<TablePages>> scan_here(TableRange range) = 0;
  /// Waits for a commit, where slots are given back.
  virtual LoanAnswer answer_loans(const LoanQuestion& question) = 0;

  /// Runs a plan made with PhysicalContext::transient. `until_end`: stops at the end offsets seen at the start (pull
  /// queries on streams, `millrace run`). `from`: the offset to begin at in each partition of the only topic; further
  /// partitions from their beginning. Empty: as the plan says.
  virtual Result<std::unique_ptr<TransientQuery>> run_transient(std::shared_ptr<const PhysicalPlan> plan,
                                                                bool until_end, TransientEvents events,
                                                                std::vector<std::int64_t> from = {}) = 0;

  /// Begins to keep a table for pull queries (kept_table.h). `plan`: of plan_kept_table, made with
  /// PhysicalContext::transient, its id beginning with kKeptTablePrefix and used for nothing else.
  virtual Result<std::shared_ptr<KeptTable>> keep_table(std::shared_ptr<const PhysicalPlan> plan) = 0;

  /// Room for one who reads topics with a thread and a reader of his own, as long as it is held; transient queries that
  /// end take it themselves. An error: as many as there may be have it.
  virtual Result<std::shared_ptr<void>> own_reader() = 0;

  /// The tasks that run here, by worker.
  virtual std::vector<TaskStatus> tasks() = 0;
  /// The copies that are kept here, by query and partition.
  virtual std::vector<CopyStatus> copies() = 0;
  /// A copy of state and log that belong together, in folders `state` and `log` of a directory that exists. Only on a
  /// log that can be copied (Log::checkpoint). What runs goes on meanwhile.
  virtual Status back_up(const std::string& directory) = 0;

  /// True when every running query has consumed and committed everything that lay in its inputs; waits up to `wait`.
  virtual bool wait_until_idle(std::chrono::milliseconds wait) = 0;
  /// Steps every task on the calling thread until nothing more happens, committing as it goes. Only with workers = 0.
  /// A query that fails stands still afterwards (see status); errors of the log are returned.
  virtual Status run_until_idle() = 0;
  /// Where other processes are there to go on: commits and gives them the slots, while answers under way may still be
  /// ended here. Only the end of the process may follow. Waits.
  virtual void hand_over() = 0;
  /// Stops as a crash would: nothing is committed, spilled or left. For tests. Only destruction may follow.
  virtual void kill() = 0;
};

}  // namespace millrace::inline exec
