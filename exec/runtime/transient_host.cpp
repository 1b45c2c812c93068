#include "exec/runtime/transient_host.h"

#include <algorithm>

#include "exec/log/local/memory.h"
#include "exec/runtime/engine_impl.h"
#include "exec/runtime/transient.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec {
namespace {

std::atomic<std::uint64_t> host_count{0};
constexpr std::chrono::seconds kLook{1};
constexpr int kStillLooks = 10;

}  // namespace

TransientHost::TransientHost(EngineImpl& engine)
    : engine_(engine), exchange_(make_memory_log()), events_(engine.events()) {}

TransientHost::~TransientHost() {
  if (!worker_) return;
  worker_->stop(false);
  if (engine_.options().workers == 0) engine_.remove_stepped(*this);
}

Result<std::shared_ptr<TransientHost>> TransientHost::make(EngineImpl& engine, bool alone, bool keeping) {
  std::shared_ptr<TransientHost> host(new TransientHost(engine));
  if (auto opened = host->open(alone, keeping); !opened) return opened.error();
  return host;
}

Status TransientHost::open(bool alone, bool keeping) {
  const EngineOptions& options = engine_.options();
  WorkerSetup setup;
  setup.log = &engine_.log();
  setup.exchange = exchange_.get();
  setup.alone = alone;
  setup.name = fmt::format("{}{}-transient-{}", options.service_id, options.process_id, ++host_count);
  setup.thread_name = keeping ? "keep" : "push";
  setup.commit_gap = std::chrono::milliseconds{0};
  setup.threaded = options.workers > 0;
  // Kept tables come on top of the budget.
  constexpr std::size_t kShareOfKept = 4;
  setup.state_memory_bytes = keeping ? options.state_memory_bytes / kShareOfKept : options.state_memory_bytes;
  TaskEnvironment environment;
  if (keeping) environment.state = engine_.state();
  environment.events = &events_;
  environment.batch_rows = options.batch_rows;
  environment.sources.schemas = options.schemas.get();
  auto worker = Worker::make(std::move(setup), std::move(environment));
  if (!worker) return worker.error();
  worker_ = std::move(*worker);
  worker_->after_round([this] { after_round(); });
  if (options.workers > 0) {
    worker_->start();
  } else {
    engine_.add_stepped(*this);
  }
  return {};
}

Error TransientHost::late_error() {
  return unavailable_error("The thread that is to run the query does not come to an end of what it does: ask again");
}

void TransientHost::add(std::shared_ptr<TransientRun> run) {
  ++count_;
  {
    const MutexLock lock(members_mutex_);
    std::erase_if(members_, [](const auto& member) { return member.expired(); });
    members_.push_back(run);
  }
  // The call keeps none of it: a run does not end on this thread.
  worker_->tell([this, run = std::move(run)]() mutable { runs_.push_back(std::move(run)); });
}

bool TransientHost::remove(TransientRun& run, const std::shared_ptr<QueryRun>& tasks) {
  worker_->tell(
      [this, gone = &run] { count_ -= std::erase_if(runs_, [&](const auto& one) { return one.get() == gone; }); });
  return worker_->drop_tasks([tasks](const Task& task) { return task.run_is(*tasks); }, true, kAnswerWait);
}

void TransientHost::remind(std::shared_ptr<std::atomic<bool>> gone) {
  worker_->tell([gone = std::move(gone)] { *gone = true; });
}

// A process that was stopped for a while is looked at right after that, perhaps before its threads go on: so looks are
// counted, not seconds.
void TransientHost::look() {
  const std::uint64_t round = worker_->rounds();
  looks_ = round == std::exchange(round_, round) ? looks_ + 1 : 0;
  still_ = looks_ >= kStillLooks;
  if (!still_) return;
  std::vector<std::shared_ptr<TransientRun>> runs;
  {
    const MutexLock lock(members_mutex_);
    for (const auto& member : members_)
      if (auto run = member.lock()) runs.push_back(std::move(run));
  }
  const Error error = still_error(runs);
  for (const auto& run : runs) run->give_up(error);
}

Error TransientHost::still_error(std::span<const std::shared_ptr<TransientRun>> runs) const {
  const QueryRun* const works_on = worker_->working_on();
  const auto at = std::ranges::find_if(runs, [&](const auto& run) { return run->works(works_on); });
  return unavailable_error("The thread that runs the query has been at {} for {} s: ask again",
                           at == runs.end() ? "one thing" : "a step of " + (*at)->id(), looks_);
}

bool TransientHost::step() {
  return worker_->iterate(std::chrono::milliseconds{0});
}

void TransientHost::after_round() {
  for (const auto& run : runs_) run->after_round();
}

Result<std::shared_ptr<void>> EngineImpl::own_reader() {
  const int most = options_.own_readers;
  if (own_readers_->fetch_add(1) >= most) {
    own_readers_->fetch_sub(1);
    return unavailable_error(
        "{} PRINTs and pull queries that read topics are running, as many as millrace.topic.readers.max allows: try "
        "again, or raise it",
        most);
  }
  return std::shared_ptr<void>(nullptr, [count = own_readers_](void*) { count->fetch_sub(1); });
}

/// The one with the fewest of as many as there are workers, or as many again where threads stand still.
Result<std::shared_ptr<TransientHost>> EngineImpl::push_host() {
  const MutexLock lock(push_mutex_);
  std::erase_if(push_hosts_, [](const auto& host) { return host.expired(); });
  std::vector<std::shared_ptr<TransientHost>> hosts;
  for (const auto& host : push_hosts_)
    if (auto there = host.lock(); there && !there->late()) hosts.push_back(std::move(there));
  const auto least =
      std::min_element(hosts.begin(), hosts.end(), [](const auto& a, const auto& b) { return a->runs() < b->runs(); });
  const auto most = static_cast<std::size_t>(std::max(1, options_.workers));
  if (least != hosts.end() && ((*least)->runs() == 0 || hosts.size() >= most || push_hosts_.size() >= 2 * most))
    return *least;
  if (push_hosts_.size() >= 2 * most) return TransientHost::late_error();
  auto made = TransientHost::make(*this, false);
  if (made) push_hosts_.push_back(*made);
  return made;
}

void EngineImpl::left_behind(std::shared_ptr<TransientRun> run) {
  auto gone = std::make_shared<std::atomic<bool>>(false);
  run->host().remind(gone);
  const MutexLock lock(push_mutex_);
  left_runs_.push_back({std::move(run), std::move(gone)});
}

/// Those that their hosts have come to letting go. False: there are others.
bool EngineImpl::let_go_of_runs() {
  std::vector<LeftRun> gone;  // a host ends with its last run
  const MutexLock lock(push_mutex_);
  for (LeftRun& left : left_runs_)
    if (*left.gone) gone.push_back(std::move(left));
  std::erase_if(left_runs_, [](const LeftRun& left) { return left.run == nullptr; });
  return left_runs_.empty();
}

// For the housekeeper.
void EngineImpl::look_after_push_hosts() {
  if (Clock::now() - last_push_look_ < kLook) return;
  last_push_look_ = Clock::now();
  static_cast<void>(let_go_of_runs());
  std::vector<std::shared_ptr<TransientHost>> hosts;
  {
    const MutexLock lock(push_mutex_);
    for (const auto& host : push_hosts_)
      if (auto there = host.lock()) hosts.push_back(std::move(there));
  }
  for (const auto& host : hosts) host->look();
}

}  // namespace millrace::inline exec
