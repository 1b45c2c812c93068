#pragma once

#include <memory>
#include <vector>

#include "exec/operators/row_limit.h"
#include "exec/runtime/engine.h"
#include "exec/runtime/row_pipeline.h"

namespace millrace::inline exec {

/// A pull query over any number of sources: the rows of each go through its leaf of the query's plan, one source after
/// the other.
class JointPull final : public TableRows {
 public:
  /// `leaves`: the rows of the plan's leaves, in the order of the tree.
  static Result<std::shared_ptr<JointPull>> make(std::shared_ptr<const PhysicalPlan> plan,
                                                 std::vector<std::shared_ptr<TableRows>> leaves);

  Result<std::optional<Batch>> next() override;

 private:
  JointPull(std::unique_ptr<RowPipeline> pipeline, std::vector<std::shared_ptr<TableRows>> leaves,
            std::optional<std::int64_t> limit)
      : pipeline_(std::move(pipeline)), leaves_(std::move(leaves)), limit_(limit) {}
  Status take(Result<std::vector<Batch>*> made);

  const std::unique_ptr<RowPipeline> pipeline_;
  std::vector<std::shared_ptr<TableRows>> leaves_;
  RowLimit limit_;
  std::size_t at_ = 0;  // of the leaves
  bool finished_ = false;
  std::vector<Batch> ready_;
  std::size_t ready_at_ = 0;
};

}  // namespace millrace::inline exec
