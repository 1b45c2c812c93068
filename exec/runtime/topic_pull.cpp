#include "exec/runtime/topic_pull.h"

#include "exec/runtime/limited_rows.h"

namespace millrace::inline exec {

Result<std::shared_ptr<TopicPull>> TopicPull::start(Engine& engine, std::shared_ptr<const PhysicalPlan> below,
                                                    std::shared_ptr<const PhysicalPlan> above,
                                                    std::chrono::milliseconds wait) {
  std::optional<std::int64_t> limit;
  if (const auto* output = above->subtopologies.back().root->as<OutputNode>()) limit = output->limit;
  auto pipeline = RowPipeline::make(std::move(above));
  if (!pipeline) return pipeline.error();
  std::shared_ptr<TopicPull> made(new TopicPull(std::move(*pipeline), limit, wait));
  TransientEvents events;
  events.on_rows = [raw = made.get()](const Batch& batch) { return raw->take(batch); };
  events.on_end = [raw = made.get()](std::optional<Error> error) { raw->end(std::move(error)); };
  auto query = engine.run_transient(std::move(below), true, std::move(events));
  if (!query) return query.error();
  made->query_ = std::move(*query);
  return made;
}

TopicPull::~TopicPull() {
  query_.reset();  // no callback runs from now on
}

bool TopicPull::take(const Batch& batch) {
  const MutexLock lock(mutex_);
  if (!failure_) keep(pipeline_->apply(batch));
  return true;
}

void TopicPull::end(std::optional<Error> error) {
  const MutexLock lock(mutex_);
  if (error && !failure_) failure_ = std::move(error);
  if (!failure_) keep(pipeline_->finish());
  ended_ = true;
  changed_.notify_all();
}

void TopicPull::keep(Result<std::vector<Batch>*> made) {
  if (!made) {
    failure_ = made.error();
    return;
  }
  for (Batch& batch : **made) ready_.push_back(std::move(batch));
}

Result<std::optional<Batch>> TopicPull::next() {
  MutexLock lock(mutex_);
  const bool ended = changed_.wait_for(lock, wait_, [&]() REQUIRES(mutex_) { return ended_; });
  if (!ended) return external_error("the topic was not read to its end within {} ms", wait_.count());
  if (failure_) return *failure_;
  while (!ready_.empty()) {
    Batch batch = std::move(ready_.front());
    ready_.pop_front();
    if (auto kept = take_limited(limit_, std::move(batch))) return kept;
  }
  return std::optional<Batch>();
}

}  // namespace millrace::inline exec
