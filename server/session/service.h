#pragma once

#include <boost/json.hpp>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "exec/data/batch.h"
#include "exec/log/log.h"
#include "exec/runtime/engine.h"
#include "parser/syntax/parse.h"
#include "planner/bind/binder.h"
#include "server/config/config.h"
#include "server/queries/audit_entry.h"

/// The whole service behind a shell, the HTTP server, `millrace run` and `millrace test`: statements in, entities and
/// rows out. Knows nothing of HTTP but the error codes.
namespace millrace::inline exec {
class LocalRegistry;
class SchemaRegistry;
}

namespace millrace::inline server {

/// An answer that is not a success (http-api.md). HTTP status = code / 100.
struct ServiceError {
  int code = 50000;
  std::string message;
  std::optional<std::string> statement;  // set: statement_error, else generic_error
  Span span;                             // place of the mistake in the request text, when known
  std::string hint;
  boost::json::array entities;          // of statements already executed
  boost::json::object to_json() const;  // {"@type":...,"error_code":...,...}
};

/// What came with a request: text, properties (any `ksql.streams.` prefix already allowed), variables.
struct Request {
  std::string sql;
  PropertyMap properties = {};
  Variables variables = {};
  PropertyMap request_properties = {};  // of this request alone
  std::optional<std::int64_t> command_sequence_number = {};
  bool lines = true;       // the asker can take the lines of PRINT
  bool until_end = false;  // push queries and PRINT end when they have read what was there when they began
};

struct Reply {
  boost::json::array entities;
  std::optional<ServiceError> error;
};

struct QueryHeader {
  std::string query_id;
  Schema schema;  // columns as selected; role key marks KEY columns of a table's pull query
  bool push = false;
  bool table = false;  // deletions may come
  bool text = false;   // PRINT: lines follow, no rows
};

/// What a query has of the server's limits, as long as somebody holds it. Thread-safe.
class QueryPermit {
 public:
  virtual ~QueryPermit() = default;
  virtual void sent(std::size_t bytes) = 0;
};

/// Takes the rows of one query. For a push query the calls come from a worker thread; for a pull query from the
/// caller's. Never two at once.
class ResultSink {
 public:
  virtual ~ResultSink() = default;
  /// Before `begin`: to hold until the answer is out, and to tell of its bytes.
  virtual void keep(std::shared_ptr<QueryPermit> /*permit*/) {}
  virtual void begin(const QueryHeader& header) = 0;
  /// Rows in the order of the header's schema; `remove` rows are tombstones. False: full; the same batch comes again
  /// after RunningQuery::resume().
  virtual bool rows(const Batch& batch) = 0;
  /// A push query that can go on from here (http-api.md, Going on): all rows before have come.
  virtual void token(const std::string& /*token*/) {}
  /// PRINT: one line of text, without its newline.
  virtual bool line(std::string_view text) = 0;
  /// The last call. `message`: "Limit Reached", "Query Completed" or nothing.
  virtual void end(std::optional<std::string> message, std::optional<ServiceError> error) = 0;
};

/// Takes the answer of a quick query. Kept until it has been given.
class QuickAnswer {
 public:
  virtual ~QuickAnswer() = default;
  virtual ResultSink& sink() = 0;
  /// Instead of rows.
  virtual void fail(const ServiceError& error) = 0;
  /// Runs `work` soon on a thread that may encode rows. Called on a worker's thread, which must not wait.
  virtual void later(std::function<void()> work) = 0;
};

/// A query that goes on after `query` returned. Destroying it cancels it and waits until no sink call runs.
class RunningQuery {
 public:
  virtual ~RunningQuery() = default;
  virtual const std::string& id() const = 0;
  virtual void resume() = 0;
};

/// Rows for /inserts-stream. One thread at a time.
class Inserter {
 public:
  virtual ~Inserter() = default;
  /// Checks and encodes one row; it becomes durable with the next `flush`.
  virtual std::optional<ServiceError> insert(const boost::json::object& row) = 0;
  virtual std::optional<ServiceError> flush() = 0;
};

/// The way to the other processes of the service.
class ServicePeers : public RemoteTables {
 public:
  /// What each says of itself (Document::report), in the order asked for. Waits for the slowest, two seconds at most.
  virtual std::vector<Result<std::string>> reports(const std::vector<std::string>& addresses) = 0;
};

struct ServiceOptions {
  Config config;
  std::string process_id;
  std::string advertised;                          // host:port
  std::shared_ptr<ServicePeers> remote = nullptr;  // the way to the other processes; null: there are none
  std::string state_directory;                     // empty: in memory
  int workers = 1;                                 // 0: stepped (millrace test)
  std::string version;
  /// The time of rows inserted without one, in ms; the system's clock when empty.
  std::function<std::int64_t()> now;
};

/// What is told of the service as it is (http-api.md): what GET endpoints answer.
enum class Document : std::uint8_t {
  info,            // /info
  health,          // /healthcheck
  cluster_status,  // /clusterStatus
  metadata,        // /v1/metadata
  statuses,        // /status
  tasks,           // /debug/tasks
  report,          // to other processes of the service: `queries`, their states by id; `status`, its part of
                   // /clusterStatus
};

/// Thread-safe. `log` must outlive it.
class Service {
 public:
  /// Replays the command log and starts every query before it returns.
  static Result<std::unique_ptr<Service>> open(Log& log, ServiceOptions options);
  virtual ~Service() = default;

  /// POST /ksql: every statement of the text, all validated before the first runs.
  virtual Reply execute(const Request& request) = 0;
  /// SELECT and PRINT. An error found before the first row is returned (the sink is not touched then). A null query
  /// with no error means that it ended already (pull queries); its rows went through the sink within the call. The sink
  /// must outlive the query.
  struct Started {
    std::unique_ptr<RunningQuery> query;
    std::optional<ServiceError> error;
  };
  virtual Started query(const Request& request, ResultSink& sink) = 0;
  /// A pull query that reads keys and has the shape of one answered before: answers it without waiting and is true,
  /// perhaps before the sink has its rows. False: anything else; nothing has happened.
  virtual bool quick_query(const Request& request, const std::shared_ptr<QuickAnswer>& answer) = 0;
  /// `/close-query`: false when no such push query runs here.
  virtual bool close_query(const std::string& query_id) = 0;
  struct OpenedInserter {
    std::unique_ptr<Inserter> inserter;
    std::optional<ServiceError> error;
  };
  virtual OpenedInserter inserter(const std::string& target, const PropertyMap& properties) = 0;

  virtual boost::json::object document(Document which) = 0;
  virtual std::optional<boost::json::object> status(const std::string& command_id) = 0;
  virtual std::optional<ServiceError> check_property(const std::string& name) = 0;
  virtual std::string metrics() = 0;  // Prometheus text
  /// A copy of the embedded log and the state under millrace.backup.directory; where it is.
  virtual Result<std::string> back_up(const std::string& name) = 0;
  /// Whether there is an audit stream.
  virtual bool audits() const = 0;
  virtual void audit(const AuditEntry& entry) = 0;
  /// Runs the statements of a file that do not run yet. After a success no others are taken.
  virtual std::optional<ServiceError> run_queries(const std::string& text) = 0;

  /// True when every running query has consumed and committed what lay in its inputs.
  virtual bool wait_until_idle(std::chrono::milliseconds wait) = 0;
  /// Names of sources, for completion.
  virtual std::vector<std::string> source_names() = 0;
  /// As it is now; copying is cheap.
  virtual Catalog catalog() = 0;
  /// Persistent queries, in the order of their ids.
  virtual std::vector<std::string> query_ids() = 0;
  virtual Engine& engine() = 0;
  /// Where formats with a schema find theirs.
  virtual SchemaRegistry& registry() = 0;
  /// The same where schemas are kept in a topic of the log; null when another registry is configured.
  virtual LocalRegistry* local_registry() = 0;
};

/// A type as entities show it (http-api.md).
boost::json::object type_json(const Type& type);

/// One row of a batch as the HTTP API shows it: `[1,"a",null]`, appended to `out`. `columns_only` false leaves the
/// brackets out.
void append_row_json(const Batch& batch, std::size_t row, std::string& out);

}  // namespace millrace::inline server
