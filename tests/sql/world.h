#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "exec/runtime/kept_table.h"
#include "tests/harness/bed.h"
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
  int workers = 0;      // threads; 0: all on the test's own
  bool shares = false;  // queries have parts that others have too
};

/// A session and a bed that its statements run on, step by step.
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
  std::string run(const ClockStep& step);

 private:
  std::string run_pull(const ast::Query& query, const QueryStep& step);
  std::shared_ptr<TableRows> read(const harness::Session::Pull& plan);
  /// Whether the statement was UPSERT, UPDATE, DELETE or INSERT ... ONCE.
  bool change_rows(const ast::Statement& statement);
  void restart();
  std::shared_ptr<const PhysicalPlan> keep(const SourcePtr& source);
  const harness::PersistentQuery* query_into(const std::string& source) const;

  const Variant& variant_;
  std::filesystem::path state_;  // a directory of its own; empty: in memory
  harness::Session session_;
  std::unique_ptr<harness::Bed> bed_;
  std::map<SourcePtr, std::shared_ptr<KeptTable>> kept_;  // tables that no query keeps
  std::map<std::string, QueryStatus> before_;             // counters of engines that are gone, by query id
  std::minstd_rand random_;
  std::int64_t ahead_ms_ = 0;  // by which it has moved the wall clock on
};

}  // namespace millrace::sql_test
