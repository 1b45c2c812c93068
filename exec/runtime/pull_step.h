#pragma once

#include <memory>
#include <string>
#include <vector>

#include "exec/operators/row_limit.h"
#include "exec/operators/table_side.h"
#include "exec/runtime/remote_tables.h"
#include "exec/runtime/row_pipeline.h"

namespace millrace::inline exec {

/// The part of a pull query's plan that runs where the rows of a table are (planner/physical/split_pull.h), and what it
/// gives on its way to who asked. One thread at a time.
class PullStep {
 public:
  /// The plan's leaf is a scan. It has no parameters.
  static Result<std::unique_ptr<PullStep>> make(std::shared_ptr<const PhysicalPlan> plan);
  /// Of what TableRange::work says. Fault::unavailable: this version of Millrace cannot read it.
  static Result<std::unique_ptr<PullStep>> read(const std::string& work);
  std::string text() const;

  const StoreScanNode& scan() const { return *scan_; }
  /// The order in which the rows of the scan come does not matter.
  bool any_order() const { return any_order_; }
  /// What rows of the scan become: until the next call.
  Result<std::vector<Batch>*> apply(const Batch& rows);
  /// What follows when there are no more rows: until the next call.
  Result<std::vector<Batch>*> finish();
  /// No more rows are wanted.
  bool reached() const { return limit_.reached(); }

  Status encode(const Batch& rows, TableEntries& out);
  Result<Batch> decode(const TableEntries& entries);

 private:
  explicit PullStep(std::shared_ptr<const PhysicalPlan> plan);
  Result<std::vector<Batch>*> limited(Result<std::vector<Batch>*> made);

  const std::shared_ptr<const PhysicalPlan> plan_;
  const StoreScanNode* scan_ = nullptr;
  bool any_order_ = false, windowed_ = false;
  RowLimit limit_;
  RowCodec codec_;  // all columns, keys too
  Encoded encoded_;
  std::unique_ptr<RowPipeline> pipeline_;
};

}  // namespace millrace::inline exec
