#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "exec/formats/protobuf_defaults.h"
#include "exec/operators/store_reader.h"
#include "exec/runtime/row_pipeline.h"
#include "exec/runtime/window_range.h"
#include "exec/state/store.h"

namespace millrace::inline exec {

class Task;

/// Leaves out the rows of windows that are not wanted.
void keep_windows(Batch& batch, const WindowRange& windows);

/// Reads the table that a query keeps, as the table's readers see it: values to keys of its store, entries of the store
/// to rows of the query's result. Made once and used again; one thread at a time.
class TableReader {
 public:
  using Entries = StoreScan::Entries;
  /// Precondition: the plan has a materialization. `rows`: the columns of its result that are wanted, in that order;
  /// null: all. No others are read.
  static Result<std::unique_ptr<TableReader>> make(std::shared_ptr<const PhysicalPlan> keeper,
                                                   const Schema* rows = nullptr);

  const PhysicalPlan& keeper() const { return *keeper_; }
  const std::shared_ptr<const PhysicalPlan>& keeper_plan() const { return keeper_; }
  std::size_t subtopology() const { return subtopology_; }
  /// Partition that a key's rows are in.
  Result<int> partition_of(std::span<const Value> key, int partitions) const;
  /// A key as the store has it, without window.
  std::string key_bytes(std::span<const Value> key) const { return reader_->key(key); }
  /// Adds the committed entries of a key. The task is one of subtopology() of keeper(). The thread of its worker.
  Status look_up(Task& task, const std::string& key, const WindowRange& windows, Entries& out) const;
  /// Where a scan of keys begins, and before which it ends; empty: nowhere.
  struct Range {
    std::string from, to;
  };
  /// Of the keys from one to the other, inclusive.
  Range range(const std::optional<Value>& from, const std::optional<Value>& to) const;
  /// The committed entries of a range as they are now, to be read on any thread. Task and thread as for look_up().
  Result<std::unique_ptr<StoreScan>> snapshot(Task& task, const Range& range) const;
  /// The rows of the query's result that these entries are, windows outside of `windows` left out.
  Result<Batch> rows(const Entries& entries, const WindowRange& windows);

  /// All committed rows of a task's store at one moment, in any order: as `result` takes them, and those that are in
  /// `rest` (null: none).
  struct Taken {
    std::uint64_t version = 0;  // Store::version
    std::vector<Batch> rows;
    std::unique_ptr<StoreScan> rest;
  };
  /// Task and thread as for look_up(). Takes as long as reading what memory holds does.
  Result<Taken> take(Task& task) const;
  std::uint64_t version(Task& task) const;
  /// The rows of the query's result that rows of its store are.
  Result<Batch> result(Batch batch);

 private:
  TableReader(std::shared_ptr<const PhysicalPlan> keeper, const Schema* rows);
  Result<Store*> store_of(Task& task) const;

  const std::shared_ptr<const PhysicalPlan> keeper_;
  std::size_t subtopology_ = 0;
  const StorePlan* store_ = nullptr;
  std::optional<WindowInfo> window_;
  std::vector<std::size_t> placing_;  // the columns of the key that decide its partition
  std::vector<ColumnDef> placing_columns_;
  std::vector<std::vector<bool>> columns_;  // wanted from the store, and above each of the nodes above it
  std::vector<std::size_t> given_;          // the columns of the result, where not all are wanted
  FormatInfo key_format_;
  bool moved_ = false;  // by the query; else rows are where others have put them
  std::unique_ptr<StoreReader> reader_;
  std::unique_ptr<RowPipeline> above_;  // what the query does between store and sink; null: nothing
  std::optional<ProtobufDefaults> defaults_;
};

}  // namespace millrace::inline exec
