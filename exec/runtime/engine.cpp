#include <spdlog/spdlog.h>

#include <algorithm>

#include "exec/data/wall_clock.h"
#include "exec/runtime/engine_impl.h"
#include "exec/runtime/transient_host.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec {
namespace {

constexpr std::chrono::milliseconds kIdlePoll{2};
constexpr int kMaxIdleRounds = 1 << 20;
constexpr int kStoreForm = 1;  // of keys and values as stores and changelogs have them

/// How long the steps of something took, for whoever wonders why others waited.
class Steps {
 public:
  explicit Steps(std::string_view what) : what_(what) {}
  void done(std::string_view step) const {
    spdlog::debug("{}: {} after {} ms", what_, step,
                  std::chrono::ceil<std::chrono::milliseconds>(Clock::now() - began_).count());
  }

 private:
  const std::string_view what_;
  const Clock::time_point began_ = Clock::now();
};

}  // namespace

Result<std::unique_ptr<Engine>> Engine::start(Log& log, EngineOptions options, EngineEvents events) {
  auto engine = std::make_unique<EngineImpl>(log, std::move(options), std::move(events));
  if (auto opened = engine->open(); !opened) return opened.error();
  return std::unique_ptr<Engine>(std::move(engine));
}

EngineImpl::EngineImpl(Log& log, EngineOptions options, EngineEvents events)
    : log_(log),
      options_(std::move(options)),
      events_(to_users(std::move(events))),
      workers_(std::max(1, options_.workers), [this](const std::string& clusters, int lane, int index) {
        return make_worker(clusters, lane, index);
      }) {}

EngineImpl::~EngineImpl() {
  stop(true);
}

void EngineImpl::kill() {
  stop(false);
}

void EngineImpl::hand_over() {
  if (!has_others()) return;
  const auto members = membership_->members();
  if (members && members->size() > 1) stop_working(true);
}

// What was committed is for the others to go on from: what they restore waits neither for our disk nor for threads of
// ours that wait for the log.
void EngineImpl::stop_working(bool clean) {
  if (std::exchange(at_rest_, true)) return;
  {
    const MutexLock lock(notes_mutex_);
    stopping_ = true;
  }
  workers_.close();
  const Steps steps("stopping");
  for (Worker* worker : workers_.all()) worker->retire();
  if (slots_) slots_->stop();
  house_wake_.notify_all();
  if (house_.joinable()) house_.join();
  steps.done("the membership rests");
  if (lender_) lender_->end();
  stop_workers(clean);
  steps.done("everything is committed");
  if (lender_) lender_->stop();
  if (lender_ && clean) lender_->leave();
  {
    const MutexLock lock(mutex_);
    std::fill(slot_worker_.begin(), slot_worker_.end(), -1);
  }
  if (membership_ && clean) membership_->leave();
  steps.done("the group has taken the leave");
  if (chores_.joinable()) chores_.join();
  if (paces_) paces_->stop();
}

// Side by side: each waits for its last commit, but where that cannot succeed.
void EngineImpl::stop_workers(bool clean) {
  std::vector<std::thread> stopping;
  workers_.each_group([&](const Workers::Group& group) {
    const bool last_commit = clean && !any_away(group);
    for (const auto& worker : group.workers)
      stopping.emplace_back([one = worker.get(), last_commit] { one->stop(last_commit); });
  });
  for (std::thread& one : stopping) one.join();
}

bool EngineImpl::any_away(const Workers::Group& group) const {
  std::string_view clusters = group.clusters;
  while (!clusters.empty()) {
    const std::string_view one = clusters.substr(0, clusters.find(','));
    if (log_.is_away(one)) return true;
    clusters.remove_prefix(std::min(one.size() + 1, clusters.size()));
  }
  return false;
}

void EngineImpl::stop(bool clean) {
  if (stopped_) return;
  stopped_ = true;
  {
    const MutexLock lock(notes_mutex_);
    stopping_ = true;
  }
  house_wake_.notify_all();
  if (options_.remote) options_.remote->stop();
  if (owners_) owners_->stop();
  stop_working(clean);
  while (!let_go_of_runs()) std::this_thread::sleep_for(kIdlePoll);
  stop_keeping();
  if (departed_) departed_->stop();
  if (clean)
    for (Worker* worker : workers_.all()) worker->put_away();
  workers_.clear();
  standbys_.reset();
  {
    const MutexLock submitting(submitting_);
    admin_.reset();
  }
  owners_.reset();
  lender_.reset();
  departed_.reset();
  membership_.reset();
  state_.reset();
}

Status EngineImpl::open() {
  auto slots = SlotTable::open(log_, slots_topic(options_.service_id),
                               TopicConfig{.partitions = options_.slots,
                                           .replicas = options_.internal_replicas,
                                           .min_insync_replicas = options_.internal_min_insync});
  if (!slots) return slots.error();
  slots_ = std::move(*slots);
  {
    const MutexLock lock(mutex_);
    slot_worker_.assign(static_cast<std::size_t>(slots_->slots()), -1);
    slot_owned_.assign(slot_worker_.size(), Clock::now());
  }
  if (!options_.state_directory.empty()) {
    StateDbOptions state;
    state.directory = options_.state_directory;
    state.block_cache_bytes =
        std::clamp<std::size_t>(options_.state_memory_bytes / 2, 8 << 20, state.block_cache_bytes);
    auto opened = StateDb::open(state);
    if (!opened) return opened.error();
    state_ = std::move(*opened);
  }
  if (log_.traits().membership) {
    auto membership = log_.membership(options_.service_id + "processes", slots_->topic(), options_.advertised);
    if (!membership) return membership.error();
    membership_ = std::move(*membership);
    if (options_.remote) open_lender();
    const auto cluster = log_.cluster_id();
    if (!cluster) return cluster.error();
    service_mark_ = stable_hash(fmt::format("{}@{} stores of form {}", options_.service_id, *cluster, kStoreForm));
    paces_ = std::make_unique<PaceWatch>(log_, slots_->topic(), [this] { return all_runs(); });
    open_standbys();
  }
  if (auto home = workers_.open({}); !home) return home.error();
  return join();
}

Result<std::unique_ptr<Worker>> EngineImpl::make_worker(const std::string& clusters, int lane, int index) {
  WorkerSetup setup;
  setup.log = &log_;
  setup.membership = membership_.get();
  setup.host = this;
  setup.index = index;
  setup.name = clusters.empty() ? writers().worker(lane) : writers().worker(clusters, lane);
  setup.commit_interval = options_.commit_interval;
  setup.threaded = options_.workers > 0;
  if (options_.workers == 0) setup.commit_gap = std::chrono::milliseconds{0};
  // What is copied from other clusters comes on top of the budget.
  constexpr std::size_t kShareOfOthers = 4;
  setup.state_memory_bytes = options_.state_memory_bytes / static_cast<std::size_t>(workers_.lanes()) /
                             (clusters.empty() ? 1 : kShareOfOthers);
  setup.truncate_changelogs = log_.traits().changelog_is_redo_only && state_ != nullptr;
  TaskEnvironment environment;
  environment.state = state_.get();
  environment.events = &events_;
  environment.batch_rows = options_.batch_rows;
  environment.sources.schemas = options_.schemas.get();
  environment.slots_topic = slots_->topic();
  auto worker = Worker::make(std::move(setup), std::move(environment));
  if (worker && options_.workers > 0) (*worker)->start();
  return worker;
}

Result<QueryLayout> EngineImpl::layout_to_run(TopicSizes& sizes, const PhysicalPlan& plan) {
  auto layout = make_layout(sizes, plan, slots_->slots());
  if (!layout) return layout;
  if (auto group = workers_.open(other_clusters(plan)); !group) return group.error();
  return layout;
}

std::shared_ptr<QueryRun> EngineImpl::find(const std::string& query_id) {
  const MutexLock lock(mutex_);
  if (const auto found = runs_.find(query_id); found != runs_.end()) return found->second;
  const auto kept = kept_.find(query_id);
  return kept == kept_.end() ? nullptr : kept->second;
}

Worker* EngineImpl::worker_of(const QueryRun& run, std::size_t subtopology, int partition) {
  if (run.keeper != nullptr) return run.keeper;
  const SlotId slot = run.layout.slot_of(subtopology, partition);
  const MutexLock lock(mutex_);
  const int lane = slot_worker_[index_of(slot)];
  return lane < 0 ? nullptr : &workers_.at(workers_.index_of(run.group, lane));
}

bool EngineImpl::is_known(const std::string& query_id) {
  const MutexLock lock(mutex_);
  return runs_.contains(query_id) || waiting_.contains(query_id);
}

void EngineImpl::put_off(const Start& start, const Error& error) {
  const std::string& id = start.plan->query_id;
  spdlog::error("query {}: {}", id, error.message);
  const MutexLock lock(mutex_);
  Waiting& waiting = waiting_[id];
  const bool again = waiting.plan != nullptr;
  const auto longest = error.fault == Fault::unavailable ? std::min(QueryRun::kLongestAway, options_.retry_longest)
                                                         : options_.retry_longest;
  waiting.wait = again ? std::min(2 * waiting.wait, longest) : options_.retry_first;
  waiting.plan = start.plan;
  waiting.paused = start.paused;
  waiting.identity = start.identity;
  waiting.error = error;
  waiting.due = Clock::now() + waiting.wait;
  waiting.failed_at_ms = wall_clock_ms();
}

// Under control_.
std::shared_ptr<QueryRun> EngineImpl::enlist(const Start& start, QueryLayout layout) {
  auto run = std::make_shared<QueryRun>(start.plan, std::move(layout), start.identity);
  run->paused = start.paused;
  run->group = workers_.open(other_clusters(*start.plan)).value();  // there since it was laid out
  if (run->pace && paces_) run->pace->look_elsewhere_by([this] { paces_->look(); });
  const MutexLock lock(mutex_);
  runs_[start.plan->query_id] = run;
  waiting_.erase(start.plan->query_id);
  return run;
}

std::optional<QueryStatus> EngineImpl::own_status(const std::string& query_id) {
  QueryStatus status;
  const auto run = find(query_id);
  if (!run) {
    const MutexLock lock(mutex_);
    const auto waiting = waiting_.find(query_id);
    if (waiting == waiting_.end()) return std::nullopt;
    status.state = QueryState::error;
    status.error = waiting->second.error.message;
    status.error_time = waiting->second.failed_at_ms;
    status.lag = -1;
    return status;
  }
  if (const auto failure = run->last_failure()) status.error = failure->message;
  status.error_time = run->last_failure_ms();
  status.rows_in = run->rows_in;
  status.rows_out = run->rows_out;
  status.late_rows = run->late_rows;
  status.bad_records = run->bad_records;
  for (const auto& [name, counters] : run->operators)
    status.operators.push_back({name, counters.late_rows, counters.errors, counters.rows_in, counters.rows_out,
                                std::chrono::nanoseconds(counters.busy_ns), counters.state_bytes});
  status.restarts = run->restarts;
  status.lag = run->lags_unknown > 0 || run->failed ? -1 : run->lag.load();
  if (run->failed) {
    status.state = QueryState::error;
  } else if (run->paused) {
    status.state = QueryState::paused;
  } else if (run->restoring > 0) {
    status.state = QueryState::restoring;
  }
  return status;
}

int EngineImpl::owned_slots() const {
  const MutexLock lock(mutex_);
  return static_cast<int>(
      std::count_if(slot_worker_.begin(), slot_worker_.end(), [](int worker) { return worker >= 0; }));
}

std::uint64_t EngineImpl::rows_decoded() const {
  std::uint64_t rows = 0;
  for (const Worker* worker : workers_.all()) rows += worker->rows_decoded();
  return rows;
}

bool EngineImpl::wait_until_idle(std::chrono::milliseconds wait) {
  const auto deadline = Clock::now() + wait;
  while (true) {
    // A pass of one worker may feed another, so all must be idle twice; and nothing may be about to start.
    MutexLock control(control_);
    bool idle = options_.workers > 0 ? owned_slots() > 0 : run_until_idle().has_value();
    const std::vector<Worker*> workers = workers_.all();
    for (int pass = 0; pass < 2 && idle; ++pass)
      idle = std::ranges::all_of(workers, [](Worker* worker) { return worker->idle(); });
    control.unlock();
    if (idle) return true;
    if (Clock::now() >= deadline) return false;
    std::this_thread::sleep_for(kIdlePoll);
  }
}

Status EngineImpl::run_until_idle() {
  constexpr std::chrono::milliseconds kNoWait{0};
  for (int round = 0; round < kMaxIdleRounds; ++round) {
    bool moved = false;
    const std::vector<Worker*> workers = workers_.all();
    for (Worker* worker : workers) moved = worker->iterate(kNoWait) || moved;
    for (TransientHost* host : stepped_) moved = host->step() || moved;
    const bool quiet = std::ranges::all_of(workers, [](const Worker* worker) { return worker->quiet(); });
    if (!moved && quiet) return {};
    for (const Worker* worker : workers)
      if (auto trouble = worker->trouble()) return *trouble;
  }
  return external_error("the queries do not come to rest");
}

void EngineImpl::add_stepped(TransientHost& host) {
  stepped_.push_back(&host);
}
void EngineImpl::remove_stepped(TransientHost& host) {
  stepped_.remove(&host);
}

}  // namespace millrace::inline exec
