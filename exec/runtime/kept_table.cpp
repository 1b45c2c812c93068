#include "exec/runtime/kept_table.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <thread>

#include "exec/log/known_bounds.h"
#include "exec/runtime/engine_impl.h"
#include "exec/runtime/transient.h"
#include "exec/runtime/transient_host.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec {
namespace {

constexpr std::chrono::milliseconds kFirstLook{1}, kLongestLook{50};

class KeptTableImpl final : public KeptTable {
 public:
  KeptTableImpl(EngineImpl& engine, std::shared_ptr<const PhysicalPlan> plan)
      : engine_(engine),
        plan_(std::move(plan)),
        name_(sources_of(*plan_->subtopologies.front().root).front()->as<SourceNode>()->name) {
    TransientEvents events;
    events.on_rows = [](const Batch&) { return true; };
    events.on_end = [this](const std::optional<Error>& error) {
      const MutexLock lock(mutex_);
      failure_ = error;
    };
    run_ = std::make_shared<TransientRun>(engine_, plan_, TransientRun::Kind::keeping, std::move(events),
                                          std::vector<std::int64_t>());
  }

  ~KeptTableImpl() override {
    engine_.forget_kept(plan_->query_id);
    run_->leave();
    if (StateDb* state = engine_.state())
      if (auto dropped = state->drop(plan_->query_id + "|"); !dropped)
        spdlog::warn("{}: its state is left behind: {}", plan_->query_id, dropped.error().message);
  }

  Status open() {
    if (auto opened = run_->open(); !opened) return opened;
    const QueryLayout& layout = run_->run()->layout;
    layout.each_source([&](const LayoutInput& input) {
      for (int partition = 0; partition < input.partitions; ++partition) topic_.push_back({input.topic, partition});
    });
    engine_.enlist_kept(run_->run());
    return {};
  }

  bool host_is_late() const { return run_->host_is_late(); }
  const std::shared_ptr<const PhysicalPlan>& plan() const override { return plan_; }

  Status catch_up(std::chrono::milliseconds at_most) override {
    const auto deadline = Clock::now() + at_most;
    auto ends = known_bounds(engine_.log(), topic_);
    if (!ends)
      return ends.error().fault == Fault::external ? unavailable_error("{}", ends.error().message) : ends.error();
    for (auto look = kFirstLook;; look = std::min(2 * look, kLongestLook)) {
      if (is_known_to_have(*ends)) return {};
      if (const auto failure = this->failure()) return *failure;
      if (engine_.options().workers == 0)
        if (Status stepped = engine_.run_until_idle(); !stepped) return stepped;
      if (Status asked = ask(*ends); !asked) return asked;
      if (is_known_to_have(*ends)) return {};
      if (Clock::now() >= deadline)
        return unavailable_error("Table {} is being materialized: {} %. Try again.", name_, percent(*ends));
      std::this_thread::sleep_for(look);
    }
  }

  std::size_t memory_bytes() const override {
    std::int64_t bytes = 0;
    for (const auto& [step, counters] : run_->run()->operators) bytes += counters.state_bytes;
    return static_cast<std::size_t>(std::max<std::int64_t>(0, bytes));
  }

 private:
  bool is_known_to_have(const KnownBounds& ends) {
    const MutexLock lock(mutex_);
    for (const auto& [partition, bounds] : ends) {
      const auto had = had_.find(partition);
      if (had == had_.end() || had->second.end < bounds.end) return false;
    }
    return true;
  }

  std::optional<Error> failure() {
    const MutexLock lock(mutex_);
    return failure_;
  }

  /// Whether it has read so far, and notes that.
  Status ask(const KnownBounds& ends) {
    const auto there = std::make_shared<std::atomic<bool>>(false);
    const auto look = [run = run_, ends, there] { *there = run->has_read(ends); };
    if (!run_->host().worker().call_within(look, TransientHost::kAnswerWait)) return TransientHost::late_error();
    if (!*there) return {};
    const MutexLock lock(mutex_);
    for (const auto& [partition, bounds] : ends) {
      Log::Bounds& had = had_[partition];
      had.end = std::max(had.end, bounds.end);
    }
    return {};
  }

  /// Of the records that there are to read.
  int percent(const KnownBounds& ends) const {
    std::int64_t all = 0;
    for (const auto& [partition, bounds] : ends) all += bounds.end - bounds.begin;
    const auto read = static_cast<std::int64_t>(run_->run()->rows_in);
    return all == 0 ? 0 : static_cast<int>(std::min<std::int64_t>(99, read * 100 / all));
  }

  EngineImpl& engine_;
  const std::shared_ptr<const PhysicalPlan> plan_;
  const std::string name_;
  std::shared_ptr<TransientRun> run_;
  std::vector<TopicPartition> topic_;
  Mutex mutex_;
  std::optional<Error> failure_ GUARDED_BY(mutex_);
  KnownBounds had_ GUARDED_BY(mutex_);  // it has been found to hold what lies before these ends
};

}  // namespace

Result<std::shared_ptr<KeptTable>> EngineImpl::keep_table(std::shared_ptr<const PhysicalPlan> plan) {
  for (bool again = false;; again = true) {
    auto kept = std::make_shared<KeptTableImpl>(*this, plan);
    const Status opened = kept->open();
    if (opened) return std::shared_ptr<KeptTable>(std::move(kept));
    if (!kept->host_is_late() || again) return opened.error();
  }
}

void EngineImpl::enlist_kept(const std::shared_ptr<QueryRun>& run) {
  const MutexLock lock(mutex_);
  kept_[run->plan->query_id] = run;
}

void EngineImpl::forget_kept(const std::string& id) {
  const MutexLock lock(mutex_);
  kept_.erase(id);
}

// One, made with the first table: what it has is the state of a process that lives.
Result<std::shared_ptr<TransientHost>> EngineImpl::keeping_host() {
  const MutexLock lock(push_mutex_);
  if (keeping_ != nullptr && keeping_->late()) return TransientHost::late_error();
  if (keeping_ != nullptr) return keeping_;
  if (state_)
    if (Status dropped = state_->drop(std::string(kKeptTablePrefix)); !dropped) return dropped.error();
  auto made = TransientHost::make(*this, false, true);
  if (!made) return made.error();
  keeping_ = *made;
  return made;
}

// Before the state database goes.
void EngineImpl::stop_keeping() {
  std::shared_ptr<TransientHost> host;
  {
    const MutexLock lock(push_mutex_);
    host = std::move(keeping_);
  }
  if (!host) return;
  host->worker().stop(false);
  host->worker().drop_tasks([](const Task&) { return true; }, false);
}

}  // namespace millrace::inline exec
