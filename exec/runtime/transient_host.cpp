#include "exec/runtime/transient_host.h"

#include <algorithm>

#include "exec/log/local/memory.h"
#include "exec/runtime/engine_impl.h"
#include "exec/runtime/transient.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec {
namespace {

std::atomic<std::uint64_t> host_count{0};

}  // namespace

TransientHost::TransientHost(EngineImpl& engine)
    : engine_(engine), exchange_(make_memory_log()), events_(engine.events()) {}

TransientHost::~TransientHost() {
  if (!worker_) return;
  worker_->stop(false);
  if (engine_.options().workers == 0) engine_.remove_stepped(*this);
}

Result<std::shared_ptr<TransientHost>> TransientHost::make(EngineImpl& engine, bool alone) {
  std::shared_ptr<TransientHost> host(new TransientHost(engine));
  if (auto opened = host->open(alone); !opened) return opened.error();
  return host;
}

Status TransientHost::open(bool alone) {
  const EngineOptions& options = engine_.options();
  WorkerSetup setup;
  setup.log = &engine_.log();
  setup.exchange = exchange_.get();
  setup.alone = alone;
  setup.name = fmt::format("{}{}-transient-{}", options.service_id, options.process_id, ++host_count);
  setup.thread_name = "push";
  setup.commit_gap = std::chrono::milliseconds{0};
  setup.threaded = options.workers > 0;
  setup.state_memory_bytes = options.state_memory_bytes;
  TaskEnvironment environment;
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

void TransientHost::add(TransientRun& run) {
  ++count_;
  worker_->call([&] { runs_.push_back(&run); });
}

void TransientHost::remove(TransientRun& run, const QueryRun& tasks) {
  worker_->call([&] { count_ -= std::erase(runs_, &run); });
  worker_->drop_tasks([&](const Task& task) { return task.run_is(tasks); }, true);
}

bool TransientHost::step() {
  return worker_->iterate(std::chrono::milliseconds{0});
}

void TransientHost::after_round() {
  for (TransientRun* run : runs_) run->after_round();
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

/// The one with the fewest of as many as there are workers.
Result<std::shared_ptr<TransientHost>> EngineImpl::push_host() {
  const MutexLock lock(push_mutex_);
  std::erase_if(push_hosts_, [](const auto& host) { return host.expired(); });
  std::vector<std::shared_ptr<TransientHost>> hosts;
  for (const auto& host : push_hosts_)
    if (auto there = host.lock()) hosts.push_back(std::move(there));
  const auto least =
      std::min_element(hosts.begin(), hosts.end(), [](const auto& a, const auto& b) { return a->runs() < b->runs(); });
  const auto most = static_cast<std::size_t>(std::max(1, options_.workers));
  if (least != hosts.end() && ((*least)->runs() == 0 || hosts.size() >= most)) return *least;
  auto made = TransientHost::make(*this, false);
  if (made) push_hosts_.push_back(*made);
  return made;
}

}  // namespace millrace::inline exec
