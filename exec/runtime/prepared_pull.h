#pragma once

#include <memory>
#include <vector>

#include "exec/operators/row_limit.h"
#include "exec/runtime/pull_step.h"
#include "exec/runtime/row_pipeline.h"
#include "exec/runtime/table_reader.h"
#include "parser/error/mutex.h"
#include "planner/physical/split_pull.h"

namespace millrace::inline exec {

/// What runs a pull query's plan: the reader of its table below, the operators of its plan above. One thread at a time.
struct PullInstance {
  std::unique_ptr<TableReader> reader;
  std::unique_ptr<PullStep> below;  // what is done where the rows are, where that is apart from the pipeline
  std::unique_ptr<RowPipeline> pipeline;
  RowLimit limit;
};

/// The plan of a pull query (planner/query), ready to be run any number of times, each time with other parameters.
/// Thread-safe.
class PreparedPull {
 public:
  /// `allowed_lag`: copies of the table's state will do where its owner does not answer, as long as they lack at most
  /// so many records; absent: they will not. `any_order`: who reads what the plan gives does not mind its order.
  explicit PreparedPull(std::shared_ptr<const PhysicalPlan> plan, std::optional<std::int64_t> allowed_lag = {},
                        bool any_order = false);

  const PhysicalPlan& plan() const { return *plan_; }
  /// One of them: the leaf.
  const KeyLookupNode* keys() const { return keys_; }
  const StoreScanNode* scan() const { return scan_; }
  /// The query that keeps the rows.
  const std::string& keeper() const { return keys_ != nullptr ? keys_->query : scan_->query; }
  /// What it gives.
  const Schema& rows() const { return keys_ != nullptr ? keys_->rows : scan_->rows; }
  std::optional<std::int64_t> limit() const { return limit_; }
  std::optional<std::int64_t> allowed_lag() const { return allowed_lag_; }
  /// The plan gives the same whatever the order of the rows that it reads.
  bool any_order() const { return any_order_; }

  Result<std::unique_ptr<PullInstance>> take(const std::shared_ptr<const PhysicalPlan>& keeper,
                                             const std::vector<Value>& values);
  void give_back(std::unique_ptr<PullInstance> instance);
  /// Whether a part of the plan can be run where the rows are.
  bool splits() const { return split_.has_value(); }
  /// Cuts an instance in two.
  Status split(PullInstance& instance, const std::vector<Value>& values) const;

 private:
  Result<std::unique_ptr<PullInstance>> make(const std::shared_ptr<const PhysicalPlan>& keeper) const;

  const std::shared_ptr<const PhysicalPlan> plan_;
  const std::optional<std::int64_t> allowed_lag_;
  const KeyLookupNode* keys_ = nullptr;
  const StoreScanNode* scan_ = nullptr;
  bool any_order_ = false;
  const std::optional<SplitPull> split_;
  bool once_ = false;  // operators keep what they were given: each run has its own
  std::optional<std::int64_t> limit_;
  std::vector<Type> computed_with_;  // types of the parameters, if there are any above the leaf

  Mutex mutex_;
  std::vector<std::unique_ptr<PullInstance>> idle_ GUARDED_BY(mutex_);
};

}  // namespace millrace::inline exec
