#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "exec/functions/builtin.h"
#include "exec/schemas/local_registry.h"
#include "exec/schemas/schema_cache.h"
#include "parser/error/mutex.h"
#include "planner/query/plan_query.h"
#include "server/queries/audit_log.h"
#include "server/queries/command_log.h"
#include "server/queries/processing_log.h"
#include "server/queries/topics.h"
#include "server/session/errors.h"
#include "server/session/kept_tables.h"
#include "server/session/pull_cache.h"
#include "server/session/pull_pages.h"
#include "server/session/query_limits.h"
#include "server/session/row_turns.h"
#include "server/session/running_pull.h"
#include "server/session/service.h"
#include "server/statements/planned.h"
#include "server/statements/row_inserter.h"

namespace millrace::inline server {

/// A statement of /ksql that belongs to /query.
struct WrongEndpoint {
  std::string statement;
};

class ServiceImpl final : public Service {
 public:
  ServiceImpl(Log& log, ServiceOptions options);
  ~ServiceImpl() override;
  Status start();

  Reply execute(const Request& request) override;
  Started query(const Request& request, ResultSink& sink) override;
  bool quick_query(const Request& request, const std::shared_ptr<QuickAnswer>& answer) override;
  bool close_query(const std::string& query_id) override;
  OpenedInserter inserter(const std::string& target, const PropertyMap& properties) override;
  boost::json::object document(Document which) override;
  std::optional<boost::json::object> status(const std::string& command_id) override;
  std::optional<ServiceError> check_property(const std::string& name) override;
  std::string metrics() override;
  Result<std::string> back_up(const std::string& name) override;
  bool audits() const override { return audit_ != nullptr; }
  void audit(const AuditEntry& entry) override;
  std::optional<ServiceError> run_queries(const std::string& text) override;
  bool wait_until_idle(std::chrono::milliseconds wait) override;
  std::vector<std::string> source_names() override;
  Catalog catalog() override { return state()->catalog; }
  std::vector<std::string> query_ids() override;
  Engine& engine() override { return *engine_; }

  // For the parts of the implementation that lie in files of their own.
  StatePtr state() const { return commands_->state(); }
  Log& log() { return log_; }
  bool replays_commands() const { return !commands_->failure(); }
  const Config& config() const { return options_.config; }
  const ServiceOptions& options() const { return options_; }
  const FunctionCatalog& functions() const { return functions_; }
  /// Throws SqlError for a property that a session may not set; `any_name` lets unknown names pass.
  SessionProperties session_properties(const Request& request, bool any_name = false) const;
  /// Statements of a request after variable substitution. Throws SqlError.
  std::vector<ast::StatementPtr> parse_request(const Request& request, const SessionProperties& session) const;
  std::int64_t now() const;  // ms
  std::string next_transient_id(const std::string& source);

  struct PushQueries {
    struct Running {
      std::string text;
      std::function<void()> cancel;
    };
    Mutex mutex;
    std::map<std::string, Running> running GUARDED_BY(mutex);  // by query id
    std::int64_t starting GUARDED_BY(mutex) = 0;               // that are not there yet
  };
  const std::shared_ptr<PushQueries>& push_queries() { return push_queries_; }
  PullCache& pulls() { return pulls_; }
  PullThreads& pull_threads() { return pull_threads_; }
  QueryLimits& limits() { return *limits_; }
  SchemaRegistry& registry() override { return *registry_; }
  LocalRegistry* local_registry() override { return local_registry_.get(); }
  const std::shared_ptr<SchemaCache>& schemas() const { return schemas_; }
  /// The source with schemas to write by, where it has none yet: registers those of its columns. Throws SqlError.
  SourcePtr writable(const SourcePtr& source);
  /// Counts a pull query. An error: the limits do not allow one more.
  std::optional<ServiceError> admit_pull(ResultSink& sink);
  /// The table that this process keeps of a source that no query keeps, once it has what its topic holds now; null: the
  /// topic is to be read, as that of a stream. Throws SqlError.
  Result<std::shared_ptr<KeptTable>> keep(const SourcePtr& source, const ServiceState& now);
  /// The rows of a pull query that reads_topic(); they wait for its end. Throws SqlError.
  Result<std::shared_ptr<TableRows>> read_topic(const BoundPull& bound, const ServiceState& now,
                                                const SessionProperties& session);
  /// The rows of any pull query without parameters. Throws SqlError.
  Result<std::shared_ptr<TableRows>> read_rows(const BoundPull& bound, const SessionProperties& session);
  Result<std::shared_ptr<TableRows>> read_finite(const BoundFinite& bound, const SessionProperties& session);
  std::atomic<std::uint64_t> pull_count{0}, push_count{0}, statement_count{0}, error_count{0};

 private:
  void replayed(const StatePtr& state);
  void keep_tables();
  std::string applied(const std::vector<Command>& commands);
  Status change_engine(const Change& change);
  Status start_queries(std::vector<Engine::Start>& starts);
  void create_processing_log();
  void open_audit();
  /// Whether a statement of a file of queries has been run before. Throws SqlError when another one runs in its place.
  bool runs_already(const ast::Statement& statement, const SessionProperties& session);
  Status open_registry();
  /// How a topic of the service itself is to be, of one partition and kept for ever.
  TopicConfig internal_topic() const;
  /// Answers a pull query whose shape is in the cache; nullopt: it is not, or must be parsed for the mistake in it.
  std::optional<Started> known_pull(const Request& request, ResultSink& sink);
  Started query_whole(const Request& request, ResultSink& sink);
  Started query_in_pages(const Request& request, ResultSink& sink);
  Started give_page(const PullPages::Place& place, std::size_t most, ResultSink& sink);
  /// A statement of a request and what it was planned to be.
  struct Step {
    ast::StatementPtr statement;
    std::shared_ptr<const SessionProperties> session;  // as the statement sees it
    std::uint64_t version;                             // of the catalog that it was planned against
    std::int64_t sequence;                             // the command that would come next then
    Planned planned;
    bool pretended;  // schemas that it or a statement before it registers were only pretended while it was planned
  };
  /// Plans every statement of a request against what those before it lead to. Throws SqlError or WrongEndpoint.
  std::vector<Step> plan_request(const std::vector<ast::StatementPtr>& statements,
                                 std::shared_ptr<const SessionProperties> session);
  /// Plans a statement again when others have changed the catalog since.
  void refresh(Step& step);
  std::optional<boost::json::object> run(Step& step);
  boost::json::object mutate(Step& step);
  /// How many of `steps`, from the first on, can be done at once: they only add to the catalog.
  std::size_t count_together(std::span<const Step> steps) const;
  std::span<const Step> admit(std::span<const Step> steps, std::size_t at, std::size_t& admitted);
  /// Does them, and says how many of them are done; 0: the first one goes by itself. `current` is the text of the one
  /// at fault when it throws.
  std::size_t run_together(std::span<const Step> together, boost::json::array& entities, std::string& current);
  /// What the steps change, where the queries that they start share what they can.
  std::vector<Mutation> shared(std::span<const Step> together) const;
  static Command command_of(const Step& step, const Mutation& mutation);
  std::chrono::milliseconds response_wait() const;
  boost::json::object status_entity(const Step& step, const std::string& status, std::int64_t sequence);
  boost::json::object accepted_entity(const Step& step, const std::optional<CommandOutcome>& outcome);
  /// One row, durable on return.
  void insert(const RowInsert& insert);
  /// How many records were written, all in one transaction.
  std::size_t change_rows(const RowChangeStatement& change, const SessionProperties& session);
  Result<std::unique_ptr<RowInserter>> open_rows(SourcePtr source);
  /// Nothing for streams: no statement changes their rows.
  RowTurns::Turn insert_turn(const SourceDef& source);
  void do_before(std::span<const Mutation> mutations);
  void withdraw(const Mutation& mutation, const ServiceState& before);
  void do_after(const Mutation& mutation);
  /// Asks the other processes of the service how they are.
  OtherProcesses other_processes();
  boost::json::object own_status();
  boost::json::object cluster_status();
  boost::json::object report();
  boost::json::object statuses();
  void remember_status(const std::string& command_id, const std::string& status, const std::string& message,
                       const std::optional<std::string>& query_id);

  Log& log_;
  const ServiceOptions options_;
  const FunctionCatalog& functions_;
  std::unique_ptr<ProcessingLog> processing_log_;
  std::unique_ptr<AuditLog> audit_;  // null: nobody wants to know
  std::atomic<bool> fixed_ = false;  // only what runs already
  std::shared_ptr<LocalRegistry> local_registry_;
  std::shared_ptr<SchemaRegistry> registry_;
  std::shared_ptr<SchemaCache> schemas_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<CommandLog> commands_;
  std::shared_ptr<PushQueries> push_queries_ = std::make_shared<PushQueries>();
  std::atomic<std::uint64_t> transient_count_ = 0;
  std::atomic<std::uint64_t> keyless_ = 0;
  RowTurns turns_;
  const std::shared_ptr<InsertWriters> insert_writers_;
  const std::chrono::steady_clock::time_point started_ = std::chrono::steady_clock::now();
  const std::shared_ptr<QueryLimits> limits_;
  PullCache pulls_;
  PullThreads pull_threads_;  // gone before the engine
  const std::shared_ptr<KeptTables> kept_ = std::make_shared<KeptTables>(
      std::chrono::milliseconds(options_.config.integer("millrace.table.materialize.idle.ms")));
  std::shared_ptr<PullThreads::Timer> kept_look_;
  const std::shared_ptr<PullPages> pages_ =
      std::make_shared<PullPages>(std::chrono::milliseconds(options_.config.integer("millrace.pull.snapshot.ttl.ms")),
                                  static_cast<std::size_t>(options_.config.integer("millrace.pull.max.memory.bytes")));
  Mutex heard_mutex_;
  std::map<std::string, std::int64_t> heard_ GUARDED_BY(heard_mutex_);  // when another process answered last, ms
  Mutex statuses_mutex_;
  std::map<std::string, boost::json::object> statuses_ GUARDED_BY(statuses_mutex_);  // of the newest commands, by id
  std::deque<std::string> status_order_ GUARDED_BY(statuses_mutex_);                 // their ids, oldest first
};

}  // namespace millrace::inline server
