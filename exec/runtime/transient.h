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
class TransientHost;

/// One transient query over all partitions, on a host that it shares with others.
class TransientRun final : public TransientQuery, private RowReceiver {
 public:
  TransientRun(EngineImpl& engine, std::shared_ptr<const PhysicalPlan> plan, bool until_end, TransientEvents events,
               std::vector<std::int64_t> from);
  ~TransientRun() override;
  Status open();
  void resume() override;
  /// Gives the client what has come, and looks after limits and the end. Worker's thread.
  void after_round();

 private:
  Status make_exchange(const QueryLayout& layout);
  Status add_tasks();
  void rows(Batch&& batch) override;
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
  std::shared_ptr<void> own_reader_;  // where the host is its own
  std::shared_ptr<TransientHost> host_;
  std::vector<std::string> exchanged_;  // topics of its own in the host's exchange
  std::deque<Batch> pending_;
  Clock::time_point last_memory_look_{};
  std::uint64_t looked_at_ = 0;  // rows that had come in by then
  bool refused_ = false;         // the client said no; wait for resume()
  std::atomic<bool> resumed_{false};
  std::atomic<bool> ended_{false};
};

}  // namespace millrace::inline exec
