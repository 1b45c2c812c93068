#include "exec/runtime/worker.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <future>

namespace millrace::inline exec {
namespace {

constexpr std::chrono::milliseconds kIdleWait{200};
constexpr std::chrono::milliseconds kBlockedWait{10};
constexpr std::chrono::milliseconds kMoreWait{5};

}  // namespace

Worker::Worker(WorkerSetup setup, TaskEnvironment environment)
    : setup_(std::move(setup)), environment_(std::move(environment)) {}

Worker::~Worker() {
  stop(false);
  tasks_.clear();
  writer_.reset();  // its last callback may still want the feeds
}

Result<std::unique_ptr<Worker>> Worker::make(WorkerSetup setup, TaskEnvironment environment) {
  std::unique_ptr<Worker> worker(new Worker(std::move(setup), std::move(environment)));
  if (auto opened = worker->open(); !opened) return opened.error();
  return worker;
}

Status Worker::open() {
  auto reader = setup_.log->reader(setup_.name);
  if (!reader) return reader.error();
  feeds_ = std::make_unique<Feeds>(std::move(*reader));
  Log& target = setup_.exchange != nullptr ? *setup_.exchange : *setup_.log;
  if (setup_.exchange != nullptr) {
    auto exchange = setup_.exchange->reader(setup_.name);
    if (!exchange) return exchange.error();
    exchange_ = std::make_unique<Feeds>(std::move(*exchange));
  }
  auto writer = target.writer(setup_.name, setup_.membership);
  if (!writer) return writer.error();
  writer_ = std::move(*writer);
  writer_->on_commit_done([this] { feeds_->wake(); });
  environment_.writer = writer_.get();
  restorer_ = std::make_unique<Restorer>(*setup_.log, setup_.name, setup_.state_memory_bytes);
  return {};
}

void Worker::start() {
  thread_ = std::thread([this] { run(); });
}

void Worker::run() {
  while (!stopping_) iterate(kIdleWait);
}

void Worker::stop(bool clean) {
  if (clean) {
    call([this] {
      commit_all(std::chrono::seconds{30});
      spill_everything();
    });
  }
  stopping_ = true;
  if (thread_.joinable()) {
    wake();
    thread_.join();
  }
  serve_visits();
}

// Work on the worker's thread, or right here when it has none.
void Worker::call(std::function<void()> work) {
  if (!thread_.joinable()) {
    {
      const std::lock_guard lock(gate_);
      work();
    }
    return serve_visits();
  }
  std::promise<void> done;
  {
    const std::lock_guard lock(mail_mutex_);
    mail_.push_back([&] {
      work();
      done.set_value();
    });
  }
  wake();
  done.get_future().wait();
}

void Worker::run_mail() {
  std::vector<std::function<void()>> mail;
  {
    const std::lock_guard lock(mail_mutex_);
    mail.swap(mail_);
  }
  for (auto& work : mail) work();
}

bool Worker::any_dirty() const {
  return std::any_of(tasks_.begin(), tasks_.end(), [](const auto& task) { return task->dirty(); });
}

// A poll that brings nothing does not mean that input has run dry: a broker needs a moment to answer.
bool Worker::more_is_coming() {
  for (const auto& task : tasks_) {
    if (!task->dirty() || task->run().paused) continue;
    for (const auto& input : task->inputs())
      if (!input->full() && feeds_of(*input).has_more(*input)) return true;
  }
  return false;
}

bool Worker::quiet() const {
  return dry_ && at_rest();
}
bool Worker::at_rest() const {
  return active_.empty() && !commit_under_way_ && restorer_->empty() && !any_dirty();
}

// How long the next poll may sleep: until something is due.
std::chrono::milliseconds Worker::wait_at_most(std::chrono::milliseconds wait, bool worked) const {
  using std::chrono::milliseconds;
  const auto until = [now = Clock::now()](Clock::time_point due) {
    return due <= now ? milliseconds{0} : std::chrono::ceil<milliseconds>(due - now);
  };
  if (resume_at_ > Clock::now()) return std::min(wait, until(resume_at_));
  if (worked || !restorer_->empty()) return milliseconds{0};
  if (blocked_) wait = std::min(wait, kBlockedWait);
  if (held_ || commit_under_way_ || !any_dirty()) return wait;
  if (!dry_) return milliseconds{0};
  if (more_known_) return std::min(wait, kMoreWait);
  return std::min(wait, until(last_commit_ + commit_gap()));
}

bool Worker::iterate(std::chrono::milliseconds wait) {
  bool worked = false;
  {
    const std::lock_guard lock(gate_);
    run_mail();
    settle(std::chrono::milliseconds{0});
    restore_some();
    if (!writer_ && Clock::now() >= resume_at_) revive();
    if (writer_ && Clock::now() >= resume_at_) {
      worked = step_tasks();
      // Before the next commit is under way: on a slow disk one follows another.
      const bool due = should_commit();
      spill_as_needed();
      if (due)
        if (auto begun = begin_commit(); !begun) commit_failed(begun.error());
    }
    wait = wait_at_most(wait, worked);
  }
  serve_visits();
  // Readers of state go first: a worker that never sleeps would starve them.
  for (int spins = 0; visitors_.load() > 0 && spins < 1000; ++spins) std::this_thread::yield();
  // What has come to its end does not wait for more.
  if (after_round_ && wait.count() > 0) after_round_();
  if (stopping_) return worked;
  bool arrived = false;
  Status polled = poll_feeds(*feeds_, wait, arrived);
  if (polled && exchange_ && !exchange_->empty())
    polled = poll_feeds(*exchange_, std::chrono::milliseconds{0}, arrived);
  if (!polled) {
    const std::lock_guard lock(gate_);
    back_off(polled.error());
  }
  serve_visits();
  dry_ = !arrived;
  more_known_ = dry_ && more_is_coming();
  measure_lags();
  if (after_round_) after_round_();
  return worked || arrived;
}

Status Worker::poll_feeds(Feeds& feeds, std::chrono::milliseconds wait, bool& arrived) {
  auto fetch = feeds.poll(environment_.batch_rows, wait);
  if (!fetch) return fetch.error();
  if (*fetch) {
    arrived = arrived || !(*fetch)->records.empty();
    take_in(std::move(**fetch), feeds);
  }
  return feeds.balance();
}

Task* Worker::ready_task(const QueryRun& run, std::size_t subtopology, int partition) {
  for (const auto& task : tasks_) {
    if (task->place().partition != partition || task->place().subtopology != subtopology) continue;
    if (task->run_is(run) && !restoring_.contains(task.get())) return task.get();
  }
  return nullptr;
}

bool Worker::visit_task(const QueryRun& run, std::size_t subtopology, int partition,
                        const std::function<void(Task&)>& visit) {
  Task* task = nullptr;
  {
    ++visitors_;
    const std::lock_guard lock(gate_);
    --visitors_;
    task = ready_task(run, subtopology, partition);
    if (task != nullptr) visit(*task);
  }
  serve_visits();
  return task != nullptr;
}

void Worker::visit_soon(Visit visit) {
  if (gate_.try_lock()) {
    visit.with(ready_task(*visit.run, visit.subtopology, visit.partition));
    gate_.unlock();
  } else {
    const std::lock_guard lock(mail_mutex_);
    visits_.push_back(std::move(visit));
    visits_wait_ = true;
  }
  serve_visits();
}

// Whoever gives the gate back looks for visits that came meanwhile; whoever leaves one behind tries the gate
// afterwards. So none is forgotten while the worker sleeps.
void Worker::serve_visits() {
  while (visits_wait_ && gate_.try_lock()) {
    answer_visits();
    gate_.unlock();
  }
}

// With the gate held, between two batches.
void Worker::answer_visits() {
  if (!visits_wait_) return;
  std::vector<Visit> visits;
  {
    const std::lock_guard lock(mail_mutex_);
    visits.swap(visits_);
    visits_wait_ = false;
  }
  for (Visit& visit : visits) visit.with(ready_task(*visit.run, visit.subtopology, visit.partition));
}

bool Worker::idle() {
  bool result = true;
  call([&] {
    if (commit_under_way_ || !restorer_->empty()) result = false;
    for (const auto& task : tasks_) {
      if (task->run().failed || task->run().paused) continue;
      if (task->dirty()) result = false;
      for (const auto& input : task->inputs()) {
        if (!result) return;
        if (input->has_queued() || input->has_head()) result = false;
        Log& log = input->internal() && setup_.exchange != nullptr ? *setup_.exchange : *setup_.log;
        auto bounds = log.bounds(input->partition());
        if (!bounds || input->accepted() < bounds->end) result = false;
      }
    }
  });
  return result;
}

std::optional<Error> Worker::trouble() const {
  const std::lock_guard lock(mail_mutex_);
  return trouble_;
}

void Worker::add_tasks(std::vector<NewTask> tasks) {
  call([&] {
    for (NewTask& task : tasks) add_task(std::move(task));
  });
}

void Worker::drop_tasks(const Chosen& chosen, bool commit) {
  call([&] {
    const bool any = std::any_of(tasks_.begin(), tasks_.end(), [&](const auto& task) { return chosen(*task); });
    if (!any) return;
    if (commit) commit_all(std::chrono::seconds{10});
    remove_tasks(chosen);
  });
}

void Worker::pause_changed(const std::string& query_id) {
  call([&] {
    for (const auto& task : tasks_) {
      if (task->run().plan->query_id != query_id) continue;
      for (auto& input : task->inputs()) feeds_of(*input).exclude(*input, task->run().paused);
      activate(*task);
    }
    for (Feeds* feeds : {feeds_.get(), exchange_.get()})
      if (feeds != nullptr)
        if (auto done = feeds->balance(); !done) back_off(done.error());
  });
}

}  // namespace millrace::inline exec
