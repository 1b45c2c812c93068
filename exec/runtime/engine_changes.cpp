#include <spdlog/spdlog.h>

#include <algorithm>
#include <thread>

#include "exec/runtime/engine_impl.h"
#include "parser/error/mutex.h"

// What statements change of what runs. None waits for ever for a worker that does not come to an end of what it does:
// each worker does what it is told in order, so that whoever does not wait for one change may go on to the next.
namespace millrace::inline exec {
namespace {

constexpr std::chrono::milliseconds kControlLook{2};

}  // namespace

Error EngineImpl::still_leaving() {
  return external_error(
      "A worker has not come to the end of the query that this one takes over from: it begins after that.");
}

Status EngineImpl::tell_workers(const std::vector<Worker*>& workers,
                                const std::function<bool(Worker& worker, std::chrono::milliseconds left)>& tell) {
  const auto deadline = Clock::now() + kAnswerWait;
  Status outcome;
  for (Worker* worker : workers) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    if (!tell(*worker, std::max(left, std::chrono::milliseconds{0})) && outcome) outcome = busy(worker->index());
  }
  return outcome;
}

Status EngineImpl::drop_everywhere(const std::shared_ptr<QueryRun>& run, bool commit) {
  const std::vector<Worker*> workers = workers_.of(run->group);
  std::shared_ptr<std::atomic<int>> left_there;
  {
    const MutexLock lock(notes_mutex_);
    auto& known = leaving_[run->plan->query_id];
    if (!known) known = std::make_shared<std::atomic<int>>(0);
    *known += static_cast<int>(workers.size());
    left_there = known;
  }
  return tell_workers(workers, [&](Worker& worker, std::chrono::milliseconds left) {
    const bool dropped = worker.drop_tasks([run](const Task& task) { return task.run_is(*run); }, commit, left);
    if (dropped) {
      --*left_there;
    } else {
      worker.call_within([left_there] { --*left_there; }, std::chrono::milliseconds{0});  // after that
    }
    return dropped;
  });
}

bool EngineImpl::has_left(const std::shared_ptr<QueryRun>& run, bool commit) {
  const std::string& id = run->plan->query_id;
  if (!is_leaving(id)) static_cast<void>(drop_everywhere(run, commit).has_value());
  return !is_leaving(id);
}

bool EngineImpl::is_leaving(const std::string& query_id) {
  const MutexLock lock(notes_mutex_);
  std::erase_if(leaving_, [](const auto& query) { return *query.second == 0; });
  return leaving_.contains(query_id);
}

Error EngineImpl::busy(std::size_t worker) {
  const QueryRun* const works_on = workers_.at(static_cast<int>(worker)).working_on();
  std::string at = "a commit";
  for (const auto& run : all_runs())
    if (run.get() == works_on) at = "a step of " + run->plan->query_id;
  return external_error(
      "Worker {} is at {}, and has not come to the statement within {} s: it is carried out when the worker comes to "
      "it.",
      worker, at, kAnswerWait.count());
}

// Whoever holds control_ may wait for a worker that hangs, which he has to know to have stopped.
Status EngineImpl::in_turn(EngineChange change) {
  const auto deadline = Clock::now() + kAnswerWait;
  std::unique_lock<std::mutex> control(control_, std::defer_lock);
  while (true) {
    {
      const MutexLock lock(notes_mutex_);
      const bool first = late_changes_.empty() && control.try_lock();
      if (!first && Clock::now() >= deadline) {
        late_changes_.push_back(std::move(change));
        return external_error(
            "Slots are being taken from this process, and a worker has not come to that within {} s: the statement is "
            "carried out afterwards.",
            kAnswerWait.count());
      }
      if (first) break;
    }
    std::this_thread::sleep_for(kControlLook);
  }
  return change(false);
}

void EngineImpl::make_late_changes() {
  {
    const MutexLock lock(notes_mutex_);
    if (late_changes_.empty()) return;
  }
  const MutexLock control(control_);
  while (true) {
    EngineChange change;
    {
      const MutexLock lock(notes_mutex_);
      if (late_changes_.empty()) return;
      change = std::move(late_changes_.front());
    }
    if (Status made = change(true); !made) spdlog::warn("{}", made.error().message);
    const MutexLock lock(notes_mutex_);
    late_changes_.erase(late_changes_.begin());
  }
}

// Those that concern other clusters, which may let us wait, come last.
Status EngineImpl::start_queries(std::span<const Start> starts) {
  std::vector<Start> here, elsewhere;
  for (const Start& start : with_parts(starts))
    (other_clusters(*start.plan).empty() ? here : elsewhere).push_back(start);
  const Status outcome = start_together(here);
  const Status others = start_together(elsewhere);
  return outcome ? others : outcome;
}

Status EngineImpl::start_together(std::span<const Start> starts) {
  if (starts.empty()) return {};
  // Accepted they are: when one cannot start now, the housekeeper tries again.
  std::vector<const PhysicalPlan*> plans;
  for (const Start& start : starts) plans.push_back(start.plan.get());
  TopicSizes sizes(log_);
  const Status known = sizes.look_up(plans);
  Layouts layouts;
  for (const PhysicalPlan* plan : plans) {
    if (known) {
      layouts.push_back(layout_to_run(sizes, *plan));
    } else {
      layouts.emplace_back(known.error());
    }
  }
  return in_turn([this, all = std::vector(starts.begin(), starts.end()), layouts = std::move(layouts)](bool) {
    control_.assert_held();
    return start_now(all, layouts);
  });
}

Status EngineImpl::start_now(std::span<const Start> starts, const Layouts& layouts) {
  Runs runs;
  Status outcome;
  for (std::size_t i = 0; i < starts.size(); ++i) {
    const std::string& id = starts[i].plan->query_id;
    if (is_known(id)) {
      if (outcome && users_of(id).empty()) outcome = user_error("the query {} is running already", id);
    } else if (layouts[i] && is_leaving(id)) {
      put_off(starts[i], still_leaving());
      if (outcome) outcome = still_leaving();
    } else if (layouts[i]) {
      runs.push_back(enlist(starts[i], *layouts[i]));
    } else {
      put_off(starts[i], layouts[i].error());
    }
  }
  if (Status launched = launch(runs); !launched && outcome) outcome = launched;
  if (Status resting = rest_parts(); !resting && outcome) outcome = resting;
  return outcome;
}

// Once nobody would start its tasks again, slots may come and go while those there are commit for the last time.
Status EngineImpl::stop_query(const std::string& query_id) {
  std::vector<std::string> ids = leave_parts(query_id);
  ids.insert(ids.begin(), query_id);
  const auto stopped = std::make_shared<Runs>();
  Status outcome = in_turn([this, ids, stopped](bool late) -> Status {
    control_.assert_held();
    Runs runs;
    for (const std::string& id : ids) {
      if (auto run = find(id)) runs.push_back(std::move(run));
      const MutexLock lock(mutex_);
      runs_.erase(id);
      waiting_.erase(id);
    }
    for (const auto& run : runs) run->stopped = true;
    Status rested = rest_parts();
    if (late) return drop_all(runs, std::move(rested));
    *stopped = std::move(runs);
    return rested;
  });
  outcome = drop_all(*stopped, std::move(outcome));
  for (const std::string& id : ids) {
    if (standbys_) standbys_->forget(id);
    const MutexLock lock(readers_mutex_);
    readers_.erase(id);
  }
  return outcome;
}

Status EngineImpl::drop_all(const Runs& runs, Status outcome) {
  for (const auto& run : runs)
    if (Status dropped = drop_everywhere(run, true); !dropped && outcome) outcome = dropped;
  return outcome;
}

Status EngineImpl::pause_query(const std::string& query_id) {
  return in_turn([this, query_id](bool) {
    control_.assert_held();
    Status paused = set_paused(query_id, true);
    Status rested = rest_parts();
    return paused ? rested : paused;
  });
}

Status EngineImpl::resume_query(const std::string& query_id, std::optional<GoOn> lost) {
  return in_turn([this, query_id, lost](bool) {
    control_.assert_held();
    Status resumed = set_paused(query_id, false);
    if (Status parts = rest_parts(); !parts && resumed) resumed = parts;
    std::vector<std::string> all = parts_of(query_id);
    all.push_back(query_id);
    for (const std::string& id : all) try_again(id, lost);
    return resumed;
  });
}

void EngineImpl::try_again(const std::string& query_id, std::optional<GoOn> lost) {
  if (const auto run = find(query_id)) {
    run->lost_records = lost;
    run->lost_records_since = Clock::now();
    if (run->failed) run->try_now();
  }
  const MutexLock lock(mutex_);
  if (const auto waiting = waiting_.find(query_id); waiting != waiting_.end()) waiting->second.due = Clock::now();
}

Status EngineImpl::set_paused(const std::string& query_id, bool paused) {
  const auto run = find(query_id);
  if (!run) {
    const MutexLock lock(mutex_);
    const auto waiting = waiting_.find(query_id);
    if (waiting == waiting_.end()) return user_error("the query {} does not run here", query_id);
    waiting->second.paused = paused;
    return {};
  }
  run->paused = paused;
  return tell_workers(workers_.of(run->group), [&](Worker& worker, std::chrono::milliseconds left) {
    return worker.pause_changed(query_id, left);
  });
}

}  // namespace millrace::inline exec
