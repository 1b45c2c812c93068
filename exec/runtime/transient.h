#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include "exec/log/known_bounds.h"
#include "exec/operators/row_limit.h"
#include "exec/runtime/engine.h"
#include "exec/runtime/query_run.h"
#include "exec/runtime/worker.h"

namespace millrace::inline exec {

class EngineImpl;
class TransientHost;

/// One transient query over all partitions, on a host that it shares with others. Its host may stand still: then its
/// client is told, and need not wait.
class TransientRun final : public std::enable_shared_from_this<TransientRun>, private RowReceiver {
 public:
  enum class Kind : std::uint8_t {
    open,       // goes on until its client leaves
    until_end,  // of the topics, as it is at the start
    keeping,    // its state is what is wanted of it, see KeptTable
  };
  TransientRun(EngineImpl& engine, std::shared_ptr<const PhysicalPlan> plan, Kind kind, TransientEvents events,
               std::vector<std::int64_t> from);
  ~TransientRun() override;  // after leave(), and not on the host's thread
  Status open();
  /// open() failed because its host stands still: another one will do.
  bool host_is_late() const { return host_is_late_; }
  void resume();
  /// For the end, whatever open() gave: no event comes after the return, or is under way. The tasks go with it, or when
  /// the host comes to that.
  void leave();
  /// Gives the client what has come, and looks after limits and the end. Worker's thread.
  void after_round();
  /// Ends it for its client, unless that is told something right now. Any thread.
  void give_up(const Error& error);
  TransientHost& host() { return *host_; }
  bool works(const QueryRun* run) const { return run_.get() == run; }
  const std::string& id() const { return plan_->query_id; }
  const std::shared_ptr<QueryRun>& run() const { return run_; }
  /// All up to there was read and is committed. Worker's thread.
  bool has_read(const KnownBounds& bounds) const;

 private:
  Status make_exchange(const QueryLayout& layout);
  Status add_tasks();
  void rows(Batch&& batch) override;
  bool flush() REQUIRES(events_mutex_);
  void tell_position() REQUIRES(events_mutex_);
  void look_after() REQUIRES(events_mutex_);
  Result<std::int64_t> start_of(const LayoutInput& input, int partition, const Log::Bounds& bounds);
  bool reached_end();
  bool drained(const TaskInput& input) const;
  std::optional<Error> too_large();
  void end(std::optional<Error> error) REQUIRES(events_mutex_);

  EngineImpl& engine_;
  const std::shared_ptr<const PhysicalPlan> plan_;
  const Kind kind_;
  // Events are called with it, so that one who holds it knows that none is under way.
  Mutex events_mutex_;
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
  bool ended_ GUARDED_BY(events_mutex_) = false;
  bool host_is_late_ = false;
};

}  // namespace millrace::inline exec
