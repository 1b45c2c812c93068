#pragma once

#include <memory>
#include <string>
#include <vector>

#include "exec/expr/evaluator.h"
#include "exec/operators/store_reader.h"
#include "exec/state/pair_store.h"
#include "planner/physical/plan.h"

namespace millrace::inline exec {

class Task;

/// An index of a table in one of its partitions: pairs of what its columns hold and a key of the table's store, beside
/// which it is kept. What is in no changelog can be made again from the store. The thread of the task.
class IndexedRows {
 public:
  /// `kept`: the store of the plan that keeps the table, which is `store`; `slot`: of that store, for the index.
  static Result<std::unique_ptr<IndexedRows>> make(const TableIndex& index, const PhysicalPlan& keeper,
                                                   const StorePlan& kept, MapStore& store, StoreSlot slot);

  const std::string& name() const { return name_; }
  /// Takes in what has changed in the store, before that begins its commit.
  Status update();

  /// Bytes of its columns, encoded as keys are: [from, to); an empty `to` means no end.
  struct Range {
    std::string from, to;
    friend auto operator<=>(const Range&, const Range&) = default;
  };
  /// Adds the committed entries of the store that it has in these ranges, which do not overlap; and perhaps more.
  Status look_up(std::span<const Range> ranges, StoreScan::Entries& out);

 private:
  IndexedRows(std::string name, const PlanNode& owner, std::vector<ExprPtr> columns, MapStore& store, PairStore& pairs);
  Status encode(std::span<const std::string_view> keys, std::span<const std::byte* const> values, KeyBuffer& out);
  void encode(const Batch& rows, KeyBuffer& out);
  Status load(std::span<const std::string_view> keys, std::span<const std::byte* const> values);
  Status fill(bool all);
  Status update(std::span<Entry* const> changed);
  std::string_view second(std::string_view key);

  const std::string name_;
  StoreReader reader_;
  std::vector<Evaluator> columns_;  // over the rows of the store
  MapStore& store_;
  PairStore& pairs_;
  std::string second_;
};

/// What a scan by an index is to look for. `values`: of the parameters.
std::vector<IndexedRows::Range> index_ranges(const StoreScanNode& scan, const std::vector<Value>& values);
/// What they find in a task; null: the task has no such index. Thread as for TableReader::look_up.
Result<std::unique_ptr<StoreScan>> scan_index(Task& task, const std::string& index,
                                              std::span<const IndexedRows::Range> ranges);

}  // namespace millrace::inline exec
