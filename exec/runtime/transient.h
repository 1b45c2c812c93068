#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "exec/operators/row_limit.h"
#include "exec/runtime/engine.h"
#include "exec/runtime/query_run.h"
#include "exec/runtime/worker.h"

namespace millrace::inline exec {

class EngineImpl;

/// One transient query: a worker of its own over all partitions, rows between subtopologies through a log in memory.
class TransientRun final : public TransientQuery, private RowReceiver {
 public:
  TransientRun(EngineImpl& engine, std::shared_ptr<const PhysicalPlan> plan, bool until_end, TransientEvents events,
               std::vector<std::int64_t> from);
  ~TransientRun() override;
  Status open();
  void resume() override;
  /// One round on the caller's thread, for engines without threads.
  bool step();

 private:
  Status make_exchange(const QueryLayout& layout);
  Status add_tasks();
  void rows(Batch&& batch) override;
  void after_round();
  bool flush();
  void tell_position();
  Result<std::int64_t> start_of(const LayoutInput& input, int partition, const Log::Bounds& bounds);
  bool reached_end();
  bool drained(const TaskInput& input) const;
  std::optional<Error> too_large();
  void end(std::optional<Error> error);

  EngineImpl& engine_;
  const std::shared_ptr<const PhysicalPlan> plan_;
  const bool until_end_;
  const TransientEvents events_;
  const std::vector<std::int64_t> from_;
  std::vector<std::int64_t> positions_;  // where on_position is to hear of it
  bool moved_ = true;                    // since on_position heard last
  RowLimit limit_;
  std::shared_ptr<QueryRun> run_;
  std::unique_ptr<Log> exchange_;
  EngineEvents engine_events_;
  std::unique_ptr<Worker> worker_;
  std::deque<Batch> pending_;
  Clock::time_point last_memory_look_{};
  bool refused_ = false;  // the client said no; wait for resume()
  std::atomic<bool> resumed_{false};
  std::atomic<bool> ended_{false};
};

}  // namespace millrace::inline exec
