#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <optional>
#include <string>

#include "exec/operators/row_limit.h"
#include "exec/runtime/engine.h"
#include "exec/runtime/row_pipeline.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec {

/// A pull query on a stream, or on a table that no query keeps: its topic is read from its beginning to the end it has
/// at the start, and the query's plan is run over what was read.
class TopicPull final : public TableRows {
 public:
  /// `below` reads the topic, as transient queries do; `above` is the query's plan, whose leaf stands for the rows of
  /// `below`. `wait`: how long `next` waits for the end of the topic.
  static Result<std::shared_ptr<TopicPull>> start(Engine& engine, std::shared_ptr<const PhysicalPlan> below,
                                                  std::shared_ptr<const PhysicalPlan> above,
                                                  std::chrono::milliseconds wait);
  ~TopicPull() override;

  /// Waits until all is read. With an engine that steps, whoever calls has had it come to rest before.
  Result<std::optional<Batch>> next() override;

 private:
  TopicPull(std::unique_ptr<RowPipeline> pipeline, std::optional<std::int64_t> limit, std::chrono::milliseconds wait)
      : pipeline_(std::move(pipeline)), limit_(limit), wait_(wait) {}
  bool take(const Batch& batch);
  void end(std::optional<Error> error);
  void keep(Result<std::vector<Batch>*> made) REQUIRES(mutex_);

  // The worker's until the end.
  const std::unique_ptr<RowPipeline> pipeline_;
  RowLimit limit_;
  const std::chrono::milliseconds wait_;

  Mutex mutex_;
  std::condition_variable_any changed_;
  bool ended_ GUARDED_BY(mutex_) = false;
  std::optional<Error> failure_ GUARDED_BY(mutex_);
  std::deque<Batch> ready_ GUARDED_BY(mutex_);
  std::unique_ptr<TransientQuery> query_;
};

}  // namespace millrace::inline exec
