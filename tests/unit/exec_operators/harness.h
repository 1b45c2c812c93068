#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "exec/functions/builtin.h"
#include "exec/operators/operator.h"
#include "exec/state/state_db.h"

namespace millrace::test {

/// A row as tests write it: values for every column of its relation.
struct TestRow {
  std::vector<Value> values;
  std::int64_t timestamp = 0;
  RowKind kind = RowKind::insert;
  bool null_value = false;  // of a stream
  bool null_key = false;
};

Value text(const char* value);
Value number(std::int64_t value);

NodePtr stream(std::vector<ColumnDef> columns);
NodePtr table(std::vector<ColumnDef> columns);
ColumnDef key(const char* name, Type type);
ColumnDef value(const char* name, Type type);
ExprPtr column(const NodePtr& input, const char* name);
ExprPtr greater(ExprPtr left, std::int64_t right);
/// `name`(argument) AS `as`; no argument: COUNT(*).
AggregateCall call(const char* name, ExprPtr argument, const char* as);
WindowSpec tumbling(std::int64_t size, std::int64_t grace, std::int64_t retention = 0);
WindowSpec hopping(std::int64_t size, std::int64_t advance, std::int64_t grace);
WindowSpec session(std::int64_t gap, std::int64_t grace);

Batch make_batch(const PlanNode& relation, std::span<const TestRow> rows);

/// One subtopology with stores in memory or on disk, stepped by hand like a task.
class Pipe final : public TaskContext, public Emitter {
 public:
  struct Settings {
    bool every_change = true;
    std::size_t batch_rows = kMaxBatchRows;
    StateDb* db = nullptr;
  };
  Pipe(NodePtr root, Settings settings);
  ~Pipe() override;

  void feed(std::size_t leaf, std::span<const TestRow> rows);
  void feed(std::initializer_list<TestRow> rows) { feed(0, std::span(rows.begin(), rows.size())); }
  void feed(std::size_t leaf, std::initializer_list<TestRow> rows) { feed(leaf, std::span(rows.begin(), rows.size())); }
  /// The whole protocol; `succeeds` false: the log refuses and everything goes back.
  void commit(bool succeeds = true);
  void spill(std::size_t target);
  /// The process dies and comes back: stores from RocksDB and the changelog, operators from the saved progress.
  void crash();

  /// What came out since the last call, one line a row: `key, ... | value, ... | @time | start..end | kind`. Rolled
  /// back output is gone.
  std::vector<std::string> take();
  std::uint64_t late() const { return late_; }
  std::uint64_t errors() const { return errors_; }
  Store& store(std::size_t index) { return *stores_[index]; }
  const Subtopology& subtopology() const { return *subtopology_; }

  StoreSlot store(const std::string& name) override;
  void report(std::string_view, RecordErrorKind, const RowErrors& errors, const Batch&) override {
    errors_ += errors.count;
  }
  void late_rows(std::string_view, std::uint64_t count) override { late_ += count; }
  OperatorCounters* counters(const std::string& step) override { return &counters_[step]; }
  const QueryOptions& options() const override { return options_; }
  Status batch(Batch&& batch) override;

 private:
  using Log = std::vector<std::pair<std::string, std::optional<std::string>>>;
  void build();

  Settings settings_;
  QueryOptions options_;
  std::shared_ptr<PhysicalPlan> plan_;
  const Subtopology* subtopology_ = nullptr;
  std::unique_ptr<Pipeline> pipeline_;
  std::vector<std::string> names_;
  std::vector<std::unique_ptr<Store>> stores_;
  std::map<std::string, Log> logs_;
  OperatorStates progress_;
  std::vector<std::string> out_, open_;  // committed output; that of the open transaction
  std::map<std::string, OperatorCounters> counters_;
  std::uint64_t late_ = 0, errors_ = 0;
};

std::string row_line(const Schema& schema, const Batch& batch, std::size_t row);

}  // namespace millrace::test
