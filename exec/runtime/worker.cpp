#include "exec/runtime/worker.h"

#include <pthread.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <future>
#include <set>

#include "exec/log/known_bounds.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec {
namespace {

constexpr std::chrono::milliseconds kIdleWait{200};
constexpr std::chrono::milliseconds kBlockedWait{10};
constexpr std::chrono::milliseconds kMoreWait{5};
constexpr int kFetchesOfRound = 16;                  // at most in a round
constexpr std::chrono::milliseconds kBehindWait{2};  // those in front are not looked at meanwhile
constexpr std::chrono::seconds kLive{1}, kLastCommitWait{10};
// Records that wait for their tasks: of a worker, of an input.
constexpr std::size_t kQueuedRows = 1 << 15;
constexpr std::size_t kLeastQueue = 1024, kLargestQueue = 4 * kMaxBatchRows;

}  // namespace

Worker::Worker(WorkerSetup setup, TaskEnvironment environment)
    : setup_(std::move(setup)),
      environment_(std::move(environment)),
      inbox_([this](const QueryRun& run, std::size_t subtopology, int partition) {
        return ready_task(run, subtopology, partition);
      }) {
  environment_.wake = [this] { wake(); };
  if (setup_.alone) return;
  decoders_.emplace(environment_.sources.schemas);
  environment_.sources.decoders = &*decoders_;
  environment_.predicates = &predicates_;
}

Worker::~Worker() {
  stop(false);
  by_name_.clear();
  tasks_.clear();
  if (committer_) committer_->close();  // its last callback may still want the feeds
}

Result<std::unique_ptr<Worker>> Worker::make(WorkerSetup setup, TaskEnvironment environment) {
  std::unique_ptr<Worker> worker(new Worker(std::move(setup), std::move(environment)));
  if (auto opened = worker->open(); !opened) return opened.error();
  return worker;
}

Status Worker::open() {
  auto reader = setup_.log->reader(setup_.name);
  if (!reader) return reader.error();
  Feeds::OpenReader more;
  if (!setup_.alone)
    more = [this](int number) { return setup_.log->reader(fmt::format("{}-behind-{}", setup_.name, number)); };
  feeds_ = std::make_unique<Feeds>(std::move(*reader), std::move(more));
  if (setup_.exchange != nullptr) {
    auto exchange = setup_.exchange->reader(setup_.name);
    if (!exchange) return exchange.error();
    exchange_ = std::make_unique<Feeds>(std::move(*exchange));
  }
  Committer::Setup commits;
  commits.log = setup_.exchange != nullptr ? setup_.exchange : setup_.log;
  commits.membership = setup_.membership;
  commits.name = setup_.name;
  commits.interval = setup_.commit_interval;
  commits.gap = setup_.commit_gap;
  commits.nobody_else_pays = setup_.log->traits().commits_are_own;
  commits.state_memory_bytes = setup_.state_memory_bytes;
  commits.at_once = setup_.exchange != nullptr;
  committer_ = std::make_unique<Committer>(std::move(commits), environment_, [this] { feeds_->wake(); });
  if (auto opened = committer_->open(); !opened) return opened;
  restorer_ =
      std::make_unique<Restorer>(*setup_.log, setup_.name, setup_.state_memory_bytes, !setup_.truncate_changelogs);
  Spiller::Durable durable;
  if (setup_.truncate_changelogs && setup_.host != nullptr)
    durable = [host = setup_.host](const TopicPartition& changelog, std::int64_t position) {
      host->read_up_to(changelog, position);
    };
  spiller_ = std::make_unique<Spiller>(setup_.name, environment_.state, *setup_.log, setup_.state_memory_bytes,
                                       std::move(durable));
  return {};
}

void Worker::start() {
  inbox_.open();
  thread_ = std::thread([this] { run(); });
}

void Worker::run() {
  pthread_setname_np(pthread_self(), fmt::format("{}-{}", setup_.thread_name, setup_.index).c_str());
  while (!stopping_) iterate(kIdleWait);
}

void Worker::stop(bool clean) {
  retire();
  if (clean) {
    call([this] {
      commit_all(kLastCommitWait);
      stopping_ = true;
    });
  }
  stopping_ = true;
  if (thread_.joinable()) {
    wake();
    thread_.join();
    inbox_.close();
  }
  inbox_.serve();
}

void Worker::put_away() {
  call([this] { spill_everything(); });
}

// Work on the worker's thread, or right here when it has none.
void Worker::call(std::function<void()> work) {
  std::promise<void> done;
  const bool posted = inbox_.post([&] {
    work();
    done.set_value();
  });
  if (!posted) return do_here(work);
  wake();
  done.get_future().wait();
}

bool Worker::call_within(std::function<void()> work, std::chrono::milliseconds wait) {
  if (wait == kForEver) {
    call(std::move(work));
    return true;
  }
  auto done = std::make_shared<std::promise<void>>();
  const bool posted = inbox_.post([this, done, work] {
    awaited_in_vain_ = false;
    work();
    done->set_value();
  });
  if (posted) {
    wake();
    if (awaited_in_vain_) wait = std::chrono::milliseconds{0};
    const std::future<void> answer = done->get_future();
    if (answer.wait_for(wait) == std::future_status::ready) return true;
    awaited_in_vain_ = true;
    const bool answered = answer.wait_for(std::chrono::milliseconds{0}) == std::future_status::ready;
    if (answered) awaited_in_vain_ = false;
    return answered;
  }
  do_here(work);
  return true;
}

void Worker::tell(std::function<void()> work) {
  if (!inbox_.post(work)) return do_here(work);
  wake();
}

void Worker::do_here(const std::function<void()>& work) {
  {
    const MutexLock lock(inbox_.gate());
    work();
  }
  inbox_.serve();
}

bool Worker::any_dirty() const {
  return std::any_of(tasks_.begin(), tasks_.end(), [](const auto& task) { return task->dirty(); });
}

// A poll that brings nothing does not mean that input has run dry: a broker needs a moment to answer.
bool Worker::more_is_coming() {
  const bool apart = feeds_->any_behind();
  for (const auto& task : tasks_) {
    if (!task->dirty() || task->run().paused || (apart && catching_up(*task))) continue;
    for (const auto& input : task->inputs())
      if (!input->full() && feeds_of(*input).has_more(*input)) return true;
  }
  return false;
}

bool Worker::quiet() const {
  return dry_ && dry_behind_ && at_rest();
}

bool Worker::at_rest() const {
  return active_.empty() && !committer_->under_way() && restorer_->empty() && !any_dirty();
}

// How long the next poll may sleep: until something is due.
std::chrono::milliseconds Worker::wait_at_most(std::chrono::milliseconds wait, bool worked) const {
  using std::chrono::milliseconds;
  const auto until = [now = Clock::now()](Clock::time_point due) {
    return due <= now ? milliseconds{0} : std::chrono::ceil<milliseconds>(due - now);
  };
  if (resume_at_ > Clock::now()) return std::min(wait, until(resume_at_));
  if (worked || more_in_exchange_ || !restorer_->empty()) return milliseconds{0};
  if (blocked_ || blocked_behind_ || full_) wait = std::min(wait, kBlockedWait);
  if (committer_->under_way() || !any_dirty()) return wait;
  if (!dry_) return milliseconds{0};
  if (more_known_) return std::min(wait, kMoreWait);
  return std::min(wait, until(committer_->next()));
}

bool Worker::iterate(std::chrono::milliseconds wait) {
  bool worked = false;
  rounds_.fetch_add(1, std::memory_order_relaxed);
  {
    const MutexLock lock(inbox_.gate());
    work_round(worked);
    wait = wait_at_most(wait, worked);
  }
  inbox_.serve();
  inbox_.let_in();
  // What has come to its end does not wait for more.
  if (after_round_ && wait.count() > 0) after_round_();
  if (stopping_) return worked;
  const bool arrived = poll_round(wait);
  if (after_round_) after_round_();
  return worked || arrived;
}

// With the gate held.
void Worker::work_round(bool& worked) {
  inbox_.run_calls();
  settle(std::chrono::milliseconds{0});
  restore_some();
  if (!committer_->is_open() && Clock::now() >= resume_at_) revive();
  if (!committer_->is_open() || Clock::now() < resume_at_) return;
  worked = !full_ && step_in_front();
  if (any_idle_clock_ && !full_) worked = step_idle() || worked;
  commit_if_due();  // what those in front have done does not wait for the others
  if (!full_ && wait_of_those_behind().count() == 0) worked = step_those_behind() || worked;
  if (!full_) worked = answer_asked() || worked;
}

// While rows come in front, those behind have a seventh of the time at most: what answers clients wants to run as well.
std::chrono::milliseconds Worker::wait_of_those_behind() const {
  const auto now = Clock::now();
  if (now >= behind_again_ || now - arrived_in_front_ >= kLive) return std::chrono::milliseconds{0};
  return std::chrono::ceil<std::chrono::milliseconds>(behind_again_ - now);
}

bool Worker::poll_round(std::chrono::milliseconds wait) {
  bool arrived = false, arrived_behind = false, more = false;
  Status polled;
  if (feeds_->any_behind()) {
    polled = poll_in_front(arrived, more);
    if (wait_of_those_behind().count() == 0)
      take_in(feeds_->poll_behind(environment_.batch_rows,
                                  arrived ? std::chrono::milliseconds{0} : std::min(wait, kBehindWait)),
              *feeds_, polled, arrived_behind);
    feeds_->balance();
  } else {
    polled = poll_feeds(*feeds_, wait, arrived);
    more = arrived;
  }
  more_in_exchange_ = false;
  if (polled && exchange_ && !exchange_->empty()) polled = poll_all(*exchange_, arrived, more_in_exchange_);
  if (!polled || feeds_->any_broken()) {
    const MutexLock lock(inbox_.gate());
    if (!polled) back_off(polled.error());
    fail_tasks_of_broken(*feeds_);
  }
  inbox_.serve();
  dry_ = !more;
  dry_behind_ = !arrived_behind;
  more_known_ = dry_ && more_is_coming();
  measure_lags();
  return arrived || arrived_behind;
}

Status Worker::poll_in_front(bool& arrived, bool& more) {
  auto polled = poll_all(*feeds_, arrived, more);
  if (const auto wait = wait_of_those_behind(); polled && !arrived && wait.count() > 0) {
    polled = poll_feeds(*feeds_, wait, more);
    arrived = more;
  }
  if (arrived) arrived_in_front_ = Clock::now();
  return polled;
}

// A fetch is of one partition, and those of one query do not wait for those of another. `more`: the last brought
// something.
Status Worker::poll_all(Feeds& feeds, bool& arrived, bool& more) {
  for (int i = 0; i < kFetchesOfRound; ++i) {
    more = false;
    if (auto polled = poll_feeds(feeds, std::chrono::milliseconds{0}, more); !polled) return polled;
    arrived = arrived || more;
    if (!more) break;
  }
  return {};
}

Status Worker::poll_feeds(Feeds& feeds, std::chrono::milliseconds wait, bool& arrived) {
  Status outcome;
  take_in(feeds.poll_front(environment_.batch_rows, wait), feeds, outcome, arrived);
  feeds.balance();
  return outcome;
}

void Worker::take_in(Result<std::optional<Fetch>> fetch, Feeds& feeds, Status& outcome, bool& arrived) {
  if (!fetch) {
    outcome = fetch.error();
    return;
  }
  if (!*fetch) return;
  arrived = arrived || !(*fetch)->records.empty();
  takers_.clear();
  feeds.deliver(std::move(**fetch), takers_);
  for (TaskInput* input : takers_) {
    const auto owner = owner_.find(input);
    if (owner == owner_.end()) continue;
    owner->second->arrived();
    activate(*owner->second);
  }
}

Task* Worker::ready_task(const QueryRun& run, std::size_t subtopology, int partition) {
  const auto found = by_name_.find(name_of(run, subtopology, partition));
  if (found == by_name_.end() || !found->second->run_is(run) || restoring_.contains(found->second)) return nullptr;
  return found->second;
}

bool Worker::idle() {
  bool result = true;
  call([&] {
    if (committer_->under_way() || !committer_->is_open() || !restorer_->empty()) result = false;
    for (const auto& task : tasks_) {
      if (task->run().failed || task->run().paused) continue;
      if (task->dirty() || task->idle_due()) result = false;
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
  const MutexLock lock(trouble_mutex_);
  return trouble_;
}

/// The partitions that new ones among the tasks read and restore from.
void Worker::look_ahead(const std::vector<NewTask>& tasks, Ahead& ahead) const {
  std::set<TopicPartition> inputs;
  for (const NewTask& task : tasks) {
    const std::size_t subtopology = task.place.subtopology;
    const int partition = task.place.partition;
    if (by_name_.contains(name_of(*task.run, subtopology, partition))) continue;
    for (const StorePlan& store : task.run->plan->subtopologies[subtopology].stores)
      if (!store.changelog_topic.empty()) ahead.changelogs.push_back({store.changelog_topic, partition});
    for (const LayoutInput& input : task.run->layout.subtopologies[subtopology].inputs)
      if (partition < input.partitions && !(input.internal && exchange_)) inputs.insert({input.topic, partition});
  }
  ahead.inputs.assign(inputs.begin(), inputs.end());
}

// What the log is asked about new tasks it is asked here: those that run do not wait for the answers.
bool Worker::add_tasks(std::vector<NewTask> tasks, std::chrono::milliseconds at_most) {
  const auto owned = std::make_shared<std::vector<NewTask>>(std::move(tasks));
  const auto ahead = std::make_shared<Ahead>();
  KnownBounds inputs, changelogs;
  if (call_within([this, owned, ahead] { look_ahead(*owned, *ahead); }, at_most)) {
    if (auto known = known_bounds(*setup_.log, ahead->inputs)) inputs = std::move(*known);
    if (auto known = known_bounds(*setup_.log, ahead->changelogs, false)) changelogs = std::move(*known);
  }
  auto add = [this, owned, inputs = std::move(inputs), changelogs = std::move(changelogs)]() mutable {
    feeds_->expect(std::move(inputs));
    restorer_->expect(std::move(changelogs));
    for (NewTask& task : *owned) add_task(std::move(task));
    restorer_->expect({});
    share_queues();
  };
  return call_within(std::move(add), at_most);
}

// What waits in front of tasks does not grow with the partitions. Inputs of one partition hold the same records.
void Worker::share_queues() {
  std::set<TopicPartition> partitions;
  for (const auto& [input, task] : owner_) partitions.insert(input->partition());
  const std::size_t share =
      std::clamp<std::size_t>(kQueuedRows / std::max<std::size_t>(1, partitions.size()), kLeastQueue, kLargestQueue);
  for (const auto& task : tasks_)
    for (const auto& input : task->inputs()) input->limit_queue(share);
}

bool Worker::drop_tasks(Chosen chosen, bool commit, std::chrono::milliseconds at_most) {
  const auto drop = [this, chosen = std::move(chosen), commit] {
    const bool any = std::any_of(tasks_.begin(), tasks_.end(), [&](const auto& task) { return chosen(*task); });
    if (!any) return;
    if (commit) commit_all(kLastCommitWait);
    remove_tasks(chosen);
    share_queues();
  };
  return call_within(drop, at_most);
}

void Worker::discard(std::shared_ptr<const QueryRun> run) {
  const auto drop = [this, run = std::move(run)] {
    remove_tasks([&](const Task& task) { return task.run_is(*run); });
    share_queues();
  };
  tell(drop);
}

bool Worker::pause_changed(const std::string& query_id, std::chrono::milliseconds at_most) {
  const auto change = [this, query_id] {
    for (const auto& task : tasks_) {
      if (task->run().plan->query_id != query_id) continue;
      for (auto& input : task->inputs()) feeds_of(*input).exclude(*input, task->run().paused);
      activate(*task);
    }
    for (Feeds* feeds : {feeds_.get(), exchange_.get()})
      if (feeds != nullptr) feeds->balance();
  };
  return call_within(change, at_most);
}

}  // namespace millrace::inline exec
