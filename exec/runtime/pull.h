#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "exec/expr/evaluator.h"
#include "exec/formats/protobuf_defaults.h"
#include "exec/operators/store_reader.h"
#include "exec/runtime/engine.h"
#include "exec/state/store.h"

namespace millrace::inline exec {

/// Reads the table of one query: look-ups to store keys, entries to rows, and what the plan does between store and
/// sink. Made once and used again; one thread at a time.
class PullReader {
 public:
  using Entries = std::vector<std::pair<std::string, std::string>>;
  /// Precondition: the plan has a materialization. The plan must outlive the reader.
  explicit PullReader(const PhysicalPlan& plan);

  std::size_t subtopology() const { return subtopology_; }
  const std::string& store() const { return store_->name; }
  /// Partition that a key's rows are in.
  Result<int> partition_of(const PullLookup& lookup, int partitions) const;
  /// Adds the committed entries of a point look-up.
  Status look_up(Store& store, const PullLookup& lookup, Entries& out) const;
  /// The committed entries that a look-up without a key asks for, as they are now.
  Result<std::unique_ptr<StoreScan>> scan(Store& store, const PullLookup& lookup) const;
  /// The rows of the query's result that these entries are, windows outside `lookup`'s bounds left out.
  Result<Batch> rows(const Entries& entries, const PullLookup& lookup);

 private:
  struct Step {
    std::optional<Evaluator> filter;
    std::vector<Evaluator> project;
  };
  Batch within(Batch&& batch, const PullLookup& lookup) const;
  Batch apply(Step& step, Batch&& batch);

  std::size_t subtopology_ = 0;
  const StorePlan* store_ = nullptr;
  std::optional<WindowInfo> window_;
  std::vector<ColumnDef> key_columns_;
  FormatInfo key_format_;
  std::unique_ptr<StoreReader> reader_;
  std::vector<Step> steps_;
  std::optional<ProtobufDefaults> defaults_;
};

}  // namespace millrace::inline exec
