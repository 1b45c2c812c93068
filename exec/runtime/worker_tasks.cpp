#include <spdlog/spdlog.h>

#include <algorithm>

#include "exec/runtime/worker.h"

namespace millrace::inline exec {
namespace {

constexpr std::chrono::milliseconds kRestoreWait{5};
constexpr std::chrono::milliseconds kLagLook{100};

}  // namespace

void Worker::add_task(NewTask task) {
  const auto same = [&](const auto& known) {
    return known->run().plan->query_id == task.run->plan->query_id &&
           known->place().partition == task.place.partition && known->place().subtopology == task.place.subtopology;
  };
  if (std::any_of(tasks_.begin(), tasks_.end(), same)) return;
  auto made = Task::make(task.run, task.place, environment_, task.progress);
  if (!made) {
    task.run->fail(made.error());
    return;
  }
  Task& added = **made;
  tasks_.push_back(std::move(*made));
  for (const auto& input : added.inputs()) {
    owner_[input.get()] = &added;
    for (const auto& [topic, end] : task.ends)
      if (topic == input->partition().topic) input->stop_at(end);
  }
  auto ready = restorer_->start(added);
  if (!ready) return give_up(added, ready.error());
  if (!*ready) {
    restoring_.insert(&added);
    ++added.run().restoring;
    added.report_lag(1);  // how much is not known yet
    return;
  }
  if (auto done = subscribe(added); !done) give_up(added, done.error());
}

Status Worker::subscribe(Task& task) {
  for (auto& input : task.inputs()) {
    Feeds& feeds = feeds_of(*input);
    if (auto done = feeds.add(*input); !done) return done;
    if (task.run().paused) feeds.exclude(*input, true);
  }
  measure_lag(task);
  return {};
}

// In between commits the end of the log moves, and so does a position over markers and gaps.
void Worker::measure_lags() {
  const auto now = Clock::now();
  if (setup_.exchange != nullptr || now - last_lag_look_ < kLagLook) return;
  last_lag_look_ = now;
  for (const auto& task : tasks_)
    if (task->lag() != 0 || task->dirty() || active_set_.contains(task.get())) measure_lag(*task);
}

void Worker::measure_lag(Task& task) {
  std::int64_t lag = 0;
  bool ended = true;
  for (const auto& input : task.inputs()) {
    const Feeds& feeds = feeds_of(*input);
    lag += feeds.behind(*input) + input->accepted() - task.settled(*input);
    ended = ended && feeds.ended(*input);
  }
  // Nothing is known to be left, but more may be on its way.
  task.report_lag(ended ? lag : std::max<std::int64_t>(lag, 1));
}

void Worker::unsubscribe(Task& task) {
  for (auto& input : task.inputs()) {
    feeds_of(*input).remove(*input);
    owner_.erase(input.get());
  }
}

void Worker::activate(Task& task) {
  if (active_set_.insert(&task).second) active_.push_back(&task);
}

void Worker::take_in(Fetch&& fetch, Feeds& feeds) {
  takers_.clear();
  if (auto done = feeds.deliver(std::move(fetch), takers_); !done) back_off(done.error());
  for (TaskInput* input : takers_) {
    const auto owner = owner_.find(input);
    if (owner != owner_.end()) activate(*owner->second);
  }
}

bool Worker::step_tasks() {
  if (held_) return false;
  bool worked = false, blocked = false;
  for (std::size_t i = 0; i < active_.size();) {
    answer_visits();
    Task& task = *active_[i];
    Task::Step step = Task::Step::nothing;
    if (!task.run().failed && !task.run().paused) {
      auto stepped = task.step([&](const TaskInput& input) {
        Feeds& feeds = feeds_of(input);
        if (feeds.ended(input)) return false;
        feeds.ask_end(input);
        return true;
      });
      if (!stepped) {
        task_failed(task, stepped.error());
        return true;
      }
      step = *stepped;
    }
    worked = worked || step == Task::Step::worked;
    blocked = blocked || step == Task::Step::blocked;
    if (step == Task::Step::nothing) {
      active_set_.erase(&task);
      active_[i] = active_.back();
      active_.pop_back();
    } else {
      ++i;
    }
    if (held_) break;
  }
  blocked_ = blocked;
  return worked;
}

void Worker::restore_some() {
  if (restorer_->empty()) return;
  std::vector<Task*> ready;
  const bool nothing_else = tasks_.size() == restoring_.size() || (dry_ && active_.empty());
  const auto wait = nothing_else ? kRestoreWait : std::chrono::milliseconds{0};
  const auto failure = restorer_->poll(wait, ready);
  for (Task* task : ready) {
    if (restoring_.erase(task) == 0) continue;
    --task->run().restoring;
    if (auto done = subscribe(*task); !done) give_up(*task, done.error());
  }
  if (!failure || !restoring_.contains(failure->task)) return;
  if (failure->again) {
    back_off(failure->error);
  } else {
    give_up(*failure->task, failure->error);
  }
}

void Worker::remove_tasks(const Chosen& chosen) {
  const bool unsaved =
      std::any_of(tasks_.begin(), tasks_.end(), [&](const auto& task) { return chosen(*task) && task->dirty(); });
  settle(std::chrono::seconds{10});
  if (unsaved) roll_back();
  for (auto it = tasks_.begin(); it != tasks_.end();) {
    Task& task = **it;
    if (!chosen(task)) {
      ++it;
      continue;
    }
    unsubscribe(task);
    restorer_->forget(task);
    if (restoring_.erase(&task) > 0) --task.run().restoring;
    std::erase(active_, &task);
    active_set_.erase(&task);
    std::erase(committing_, &task);
    it = tasks_.erase(it);
  }
}

// What every task did since the last commit goes with it: it is one transaction. The failed query is put aside first.
void Worker::task_failed(Task& task, const Error& error) {
  if (error.fault == Fault::external || error.fault == Fault::fenced) {
    spdlog::error("query {}: {}", task.run().plan->query_id, error.message);
    roll_back();
    back_off(error);
    return;
  }
  task.mark_dirty();
  give_up(task, error);
}

// The query starts again after a while. What its tasks did since the last commit is rolled back.
void Worker::give_up(Task& task, const Error& error) {
  spdlog::error("query {}: {}", task.run().plan->query_id, error.message);
  task.run().fail(error);
  const std::shared_ptr<QueryRun> run = task.shared_run();
  remove_tasks([&](const Task& other) { return other.shared_run() == run; });
}

}  // namespace millrace::inline exec
