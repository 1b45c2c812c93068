#include "exec/runtime/joint_pull.h"

#include "exec/runtime/limited_rows.h"

namespace millrace::inline exec {

Result<std::shared_ptr<JointPull>> JointPull::make(std::shared_ptr<const PhysicalPlan> plan,
                                                   std::vector<std::shared_ptr<TableRows>> leaves) {
  std::optional<std::int64_t> limit;
  if (const auto* output = plan->subtopologies.back().root->as<OutputNode>()) limit = output->limit;
  auto pipeline = RowPipeline::make(std::move(plan));
  if (!pipeline) return pipeline.error();
  return std::shared_ptr<JointPull>(new JointPull(std::move(*pipeline), std::move(leaves), limit));
}

Status JointPull::take(Result<std::vector<Batch>*> made) {
  if (!made) return made.error();
  ready_.swap(**made);
  ready_at_ = 0;
  return {};
}

Result<std::optional<Batch>> JointPull::next() {
  while (true) {
    if (ready_at_ < ready_.size()) {
      if (auto batch = take_limited(limit_, std::move(ready_[ready_at_++]))) return batch;
      continue;
    }
    if (limit_.reached() || finished_) return std::optional<Batch>();
    if (at_ == leaves_.size()) {
      finished_ = true;
      if (Status last = take(pipeline_->finish()); !last) return last.error();
      continue;
    }
    auto rows = leaves_[at_]->next();
    if (!rows) return rows.error();
    if (!*rows) {
      leaves_[at_++].reset();  // lets go of what it holds of the store
      continue;
    }
    if (Status taken = take(pipeline_->apply(**rows, at_)); !taken) return taken.error();
  }
}

}  // namespace millrace::inline exec
