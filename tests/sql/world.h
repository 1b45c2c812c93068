#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "exec/runtime/engine.h"
#include "tests/harness/session.h"
#include "tests/sql/script.h"

namespace millrace::sql_test {

/// One way to run a file. The results must not depend on it.
struct Variant {
  std::string_view name;
  std::size_t batch_rows = kMaxBatchRows;
  std::set<std::string> rules_off;
  bool restart = false;  // the engine crashes after every feed and another takes over
  bool clean = false;    // ... or stops cleanly
  bool midway = false;   // the engine crashes after a random record of every feed, at whatever it has come to
  bool on_disk = false;  // state in RocksDB as well
  /// Tables give one change per key and commit; only the newest value of each key is compared then.
  bool last_values = false;
  int workers = 0;  // threads; 0: all on the test's own
};

/// A catalog, a memory log and an engine that steps run against.
class World {
 public:
  explicit World(const Variant& variant);
  ~World();

  /// Each does one step and says what is wrong, or nothing. Throws std::runtime_error when the engine refuses.
  std::string run(const StatementStep& step);
  std::string run(const SchemaStep& step);
  std::string run(const FeedStep& step);
  std::string run(const ExpectStep& step);
  std::string run(const MetricStep& step);
  std::string run(const FailsStep& step);
  std::string run(const QueryStep& step);
  std::string run(const PullStep& step);

 private:
  struct Tap {  // reads what a topic got since the last look
    std::unique_ptr<Reader> reader;
    int partitions = 1;
  };

  std::string run_pull(const ast::Query& query, const QueryStep& step);
  std::shared_ptr<TableRows> read(const harness::Session::Pull& plan);
  /// Whether the statement was UPSERT, UPDATE, DELETE or INSERT ... ONCE.
  bool change_rows(const ast::Statement& statement);
  void start_engine();
  void restart();
  void start_queries();
  void create_topics();
  void append(const std::string& topic, const harness::StoredRecord& record);
  void append_inserted();
  void settle();
  Tap& tap(const std::string& topic);
  std::vector<harness::StoredRecord> drain(const std::string& topic);
  const harness::PersistentQuery* query_into(const std::string& source) const;

  const Variant& variant_;
  std::filesystem::path state_;  // a directory of its own; empty: in memory
  std::unique_ptr<Log> log_;
  std::unique_ptr<Engine> engine_;
  harness::Session session_;
  std::map<std::string, std::shared_ptr<const PhysicalPlan>> started_;  // by query id
  std::map<std::string, QueryStatus> before_;                           // counters of engines that are gone
  std::map<std::string, Tap> taps_;
  std::minstd_rand random_;
};

}  // namespace millrace::sql_test
