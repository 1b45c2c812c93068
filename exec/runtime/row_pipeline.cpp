#include "exec/runtime/row_pipeline.h"

namespace millrace::inline exec {

Result<std::unique_ptr<RowPipeline>> RowPipeline::make(std::shared_ptr<const PhysicalPlan> plan) {
  std::unique_ptr<RowPipeline> made(new RowPipeline(std::move(plan)));
  auto pipeline = build_pipeline(made->plan_->subtopologies.front(), *made, *made);
  if (!pipeline) return pipeline.error();
  made->pipeline_ = std::move(*pipeline);
  return made;
}

Result<std::vector<Batch>*> RowPipeline::apply(const Batch& rows, std::size_t leaf) {
  out_.clear();
  if (Status pushed = pipeline_->push(leaf, rows); !pushed) return pushed.error();
  return &out_;
}

Result<std::vector<Batch>*> RowPipeline::finish() {
  out_.clear();
  if (Status done = pipeline_->commit(); !done) return done.error();
  return &out_;
}

}  // namespace millrace::inline exec
