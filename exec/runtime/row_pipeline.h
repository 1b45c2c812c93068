#pragma once

#include <memory>
#include <vector>

#include "exec/operators/operator.h"

namespace millrace::inline exec {

/// A plan of one subtopology that keeps no state, run on rows at hand: outside of tasks, as often as one likes. One
/// thread at a time.
class RowPipeline final : private TaskContext, private Emitter {
 public:
  /// The plan has one subtopology without stores.
  static Result<std::unique_ptr<RowPipeline>> make(std::shared_ptr<const PhysicalPlan> plan);

  /// What parameters stand for from now on.
  ParameterRow& values() { return values_; }
  /// What the rows of a leaf of the plan become, in order: until the next call.
  Result<std::vector<Batch>*> apply(const Batch& rows, std::size_t leaf = 0);
  /// What follows when there are no more rows. Only then, and once, do plans that group or sort give anything.
  Result<std::vector<Batch>*> finish();

 private:
  explicit RowPipeline(std::shared_ptr<const PhysicalPlan> plan) : plan_(std::move(plan)) {}

  StoreSlot store(const std::string&) override { return {}; }
  // As in a query that runs, a row on which an expression fails has NULL there; nobody keeps count of a reader's.
  void report(std::string_view, RecordErrorKind, const RowErrors&, const Batch&) override {}
  void late_rows(std::string_view, std::uint64_t) override {}
  OperatorCounters* counters(const std::string&) override { return nullptr; }
  const QueryOptions& options() const override { return plan_->options; }
  const ParameterRow* parameters() const override { return &values_; }
  Status batch(Batch&& batch) override {
    out_.push_back(std::move(batch));
    return {};
  }

  const std::shared_ptr<const PhysicalPlan> plan_;
  ParameterRow values_;
  std::unique_ptr<Pipeline> pipeline_;
  std::vector<Batch> out_;
};

}  // namespace millrace::inline exec
