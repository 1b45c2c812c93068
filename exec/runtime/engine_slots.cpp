#include <spdlog/spdlog.h>

#include <algorithm>
#include <numeric>

#include "exec/runtime/engine_impl.h"

// Who runs what: slots of this process, dealt to its workers; and the housekeeper.
namespace millrace::inline exec {
namespace {

constexpr std::chrono::milliseconds kHousePoll{50};
constexpr std::chrono::seconds kTruncateEvery{2};
constexpr std::chrono::seconds kRefreshEvery{60};

}  // namespace

Status EngineImpl::join() {
  if (!membership_) {
    std::vector<int> all(slot_worker_.size());
    std::iota(all.begin(), all.end(), 0);
    granted(all);
  } else {
    Membership::Events events;
    events.granted = [this](const std::vector<int>& slots) { granted(slots); };
    events.revoked = [this](const std::vector<int>& slots) { given_up(slots, true); };
    events.lost = [this](const std::vector<int>& slots) { given_up(slots, false); };
    if (auto joined = membership_->join(options_.process_id, std::move(events)); !joined) return joined;
  }
  if (options_.workers > 0) house_ = std::thread([this] { keep_house(); });
  return {};
}

// A new slot goes to the worker that has the fewest; those that have one keep it.
void EngineImpl::granted(const std::vector<int>& slots) {
  const std::lock_guard control(control_);
  std::vector<std::shared_ptr<QueryRun>> runs;
  {
    const std::lock_guard lock(mutex_);
    std::vector<int> load(workers_.size(), 0);
    for (const int worker : slot_worker_)
      if (worker >= 0) ++load[static_cast<std::size_t>(worker)];
    for (const int slot : slots) {
      const auto least = std::min_element(load.begin(), load.end());
      slot_worker_[static_cast<std::size_t>(slot)] = static_cast<int>(least - load.begin());
      ++*least;
    }
    for (const auto& [id, run] : runs_) runs.push_back(run);
  }
  for (const auto& run : runs)
    if (auto launched = launch(run, -1); !launched) run->fail(launched.error());
}

void EngineImpl::given_up(const std::vector<int>& slots, bool commit) {
  const std::lock_guard control(control_);
  {
    const std::lock_guard lock(mutex_);
    for (const int slot : slots) slot_worker_[static_cast<std::size_t>(slot)] = -1;
  }
  const auto gone = [&](const Task& task) {
    return std::find(slots.begin(), slots.end(), task.place().slot) != slots.end();
  };
  for (auto& worker : workers_) worker->drop_tasks(gone, commit);
}

std::vector<int> EngineImpl::slots_of(const QueryRun& run) {
  std::vector<int> slots;
  const std::lock_guard lock(mutex_);
  for (std::size_t sub = 0; sub < run.layout.subtopologies.size(); ++sub) {
    for (int partition = 0; partition < run.layout.subtopologies[sub].tasks; ++partition) {
      const int slot = run.layout.slot_of(sub, partition);
      if (slot_worker_[static_cast<std::size_t>(slot)] >= 0) slots.push_back(slot);
    }
  }
  std::sort(slots.begin(), slots.end());
  slots.erase(std::unique(slots.begin(), slots.end()), slots.end());
  return slots;
}

Result<Progress> EngineImpl::progress_of(const QueryRun& run, std::size_t subtopology, int partition, int slot) {
  const auto key = progress_key(run.plan->query_id, run.plan->subtopologies[subtopology].id, partition);
  if (const auto found = slots_->find(slot, key)) return decode_progress(*found);
  return initial_progress(run.plan->options, run.layout.subtopologies[subtopology], partition);
}

// Adds the tasks whose slots are ours; those that run already stay as they are.
Status EngineImpl::launch(const std::shared_ptr<QueryRun>& run, int only_worker) {
  const auto slots = slots_of(*run);
  if (auto done = slots_->refresh(slots); !done) return done;
  std::vector<std::vector<Worker::NewTask>> dealt(workers_.size());
  for (std::size_t sub = 0; sub < run->layout.subtopologies.size(); ++sub) {
    for (int partition = 0; partition < run->layout.subtopologies[sub].tasks; ++partition) {
      const int slot = run->layout.slot_of(sub, partition);
      int worker = -1;
      {
        const std::lock_guard lock(mutex_);
        worker = slot_worker_[static_cast<std::size_t>(slot)];
      }
      if (worker < 0 || (only_worker >= 0 && worker != only_worker)) continue;
      auto progress = progress_of(*run, sub, partition, slot);
      if (!progress) return progress.error();
      dealt[static_cast<std::size_t>(worker)].push_back({run, {sub, partition, slot}, std::move(*progress), {}});
    }
  }
  for (std::size_t i = 0; i < dealt.size(); ++i)
    if (!dealt[i].empty()) workers_[i]->add_tasks(std::move(dealt[i]));
  return {};
}

void EngineImpl::keep_house() {
  while (true) {
    {
      std::unique_lock lock(notes_mutex_);
      if (!membership_) house_wake_.wait_for(lock, kHousePoll, [&] { return stopping_ || !fenced_.empty(); });
      if (stopping_) return;
    }
    keep_house_once();
  }
}

void EngineImpl::keep_house_once() {
  if (membership_)
    if (auto polled = membership_->poll(kHousePoll); !polled) spdlog::warn("membership: {}", polled.error().message);
  replace_fenced();
  restart_failed();
  start_waiting();
  const auto now = Clock::now();
  if (now - last_truncate_ >= kTruncateEvery) {
    last_truncate_ = now;
    truncate();
  }
  if (last_refresh_ == Clock::time_point{}) last_refresh_ = now;
  if (now - last_refresh_ >= kRefreshEvery) {
    last_refresh_ = now;
    std::vector<int> owned;
    {
      const std::lock_guard lock(mutex_);
      for (std::size_t slot = 0; slot < slot_worker_.size(); ++slot)
        if (slot_worker_[slot] >= 0) owned.push_back(static_cast<int>(slot));
    }
    const std::lock_guard control(control_);
    if (auto done = slots_->refresh(owned); !done) spdlog::warn("slots: {}", done.error().message);
  }
}

void EngineImpl::restart_failed() {
  std::vector<std::shared_ptr<QueryRun>> due;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, run] : runs_)
      if (run->failed && run->due(options_.retry_first, options_.retry_longest) <= Clock::now()) due.push_back(run);
  }
  for (const auto& run : due) {
    const std::lock_guard control(control_);
    if (find(run->plan->query_id) != run) continue;
    for (auto& worker : workers_) worker->drop_tasks([&](const Task& task) { return task.run_is(*run); }, false);
    ++run->restarts;
    run->failed = false;
    if (auto launched = launch(run, -1); !launched) run->fail(launched.error());
  }
}

void EngineImpl::start_waiting() {
  std::vector<std::string> due;
  {
    const std::lock_guard lock(mutex_);
    for (const auto& [id, waiting] : waiting_)
      if (waiting.due <= Clock::now()) due.push_back(id);
  }
  for (const std::string& id : due) {
    const std::lock_guard control(control_);
    Waiting waiting;
    {
      const std::lock_guard lock(mutex_);
      const auto found = waiting_.find(id);
      if (found == waiting_.end()) continue;
      waiting = found->second;
    }
    auto begun = begin_query(waiting.plan, waiting.paused);
    const std::lock_guard lock(mutex_);
    if (begun) {
      waiting_.erase(id);
      continue;
    }
    waiting.error = begun.error();
    waiting.due = Clock::now() + options_.retry_first;
    waiting_[id] = std::move(waiting);
    return;  // it took its time
  }
}

void EngineImpl::replace_fenced() {
  std::set<int> fenced;
  {
    const std::lock_guard lock(notes_mutex_);
    fenced.swap(fenced_);
  }
  for (const int worker : fenced) {
    const std::lock_guard control(control_);
    std::vector<std::shared_ptr<QueryRun>> runs;
    {
      const std::lock_guard lock(mutex_);
      for (const auto& [id, run] : runs_) runs.push_back(run);
    }
    for (const auto& run : runs)
      if (auto launched = launch(run, worker); !launched) run->fail(launched.error());
  }
}

void EngineImpl::truncate() {
  std::map<TopicPartition, std::int64_t> work;
  {
    const std::lock_guard lock(notes_mutex_);
    work.swap(read_up_to_);
  }
  for (const auto& [partition, offset] : work)
    if (auto done = log_.truncate_before(partition, offset); !done)
      spdlog::debug("truncate {}: {}", partition.topic, done.error().message);
}

void EngineImpl::worker_fenced(int worker) {
  {
    const std::lock_guard lock(notes_mutex_);
    fenced_.insert(worker);
  }
  house_wake_.notify_all();
}

void EngineImpl::read_up_to(const TopicPartition& partition, std::int64_t offset) {
  const std::lock_guard lock(notes_mutex_);
  read_up_to_[partition] = offset;
}

}  // namespace millrace::inline exec
