#include <spdlog/spdlog.h>

#include <algorithm>

#include "exec/runtime/worker.h"

namespace millrace::inline exec {
namespace {

constexpr std::chrono::milliseconds kRestoreWait{5};
constexpr std::chrono::milliseconds kLagLook{100};
constexpr std::chrono::milliseconds kShareOfThoseBehind{4};  // of a round
constexpr int kRestOfThoseBehind = 6;                        // times as long as they worked, while rows come in front
constexpr int kStepsOfRound = 8;                             // at most, of tasks in front

}  // namespace

void Worker::add_task(NewTask task) {
  if (by_name_.contains(name_of(*task.run, task.place.subtopology, task.place.partition))) return;
  auto made = Task::make(task.run, task.place, environment_, task.progress);
  if (!made) {
    task.run->fail(made.error());
    return;
  }
  Task& added = **made;
  any_idle_clock_ = any_idle_clock_ || added.has_idle_clock();
  tasks_.push_back(std::move(*made));
  by_name_[name_of(added)] = &added;
  for (const auto& input : added.inputs()) {
    owner_[input.get()] = &added;
    for (const auto& [topic, end] : task.ends)
      if (topic == input->partition().topic && !input->broadcast()) input->stop_at(end);
  }
  auto ready = restorer_->start(added);
  if (!ready) return give_up(added, ready.error());
  if (!*ready) {
    restoring_.insert(&added);
    ++added.run().restoring;
    added.report_lag(std::nullopt);  // how much is not known yet
    return;
  }
  if (auto done = subscribe(added); !done) return give_up_reading(added, done.error());
  if (task.moved) added.mark_dirty();
}

/// Tasks whose inputs have been quiet for long enough. True: time went on for one.
bool Worker::step_idle() {
  bool moved = false;
  for (const auto& task : tasks_) {
    const QueryRun& run = task->run();
    if (!task->has_idle_clock() || run.paused || run.failed || run.held || restoring_.contains(task.get())) continue;
    const auto stepped = task->step_idle(
        [this](const TaskInput& input, Clock::time_point /*since*/) { return feeds_of(input).has_more(input); });
    if (!stepped) {
      task_failed(*task, stepped.error());
      return true;
    }
    moved = moved || *stepped;
  }
  return moved;
}

Status Worker::subscribe(Task& task) {
  for (auto& input : task.inputs()) {
    Feeds& feeds = feeds_of(*input);
    if (auto done = feeds.add(*input); !done) return done;
    if (task.run().paused) feeds.exclude(*input, true);
  }
  measure_lag(task);
  activate(task);  // others may wait to hear that it has nothing
  return {};
}

// In between commits the end of the log moves, and so does a position over markers and gaps.
void Worker::measure_lags() {
  const auto now = Clock::now();
  if (setup_.exchange != nullptr || now - last_lag_look_ < kLagLook) return;
  last_lag_look_ = now;
  for (const auto& task : tasks_) {
    if (task->lag() != 0 || task->dirty() || active_set_.contains(task.get())) measure_lag(*task);
    // It has come to its end, over markers and gaps that are no rows.
    if (task->untold() && !task->run().failed && !task->run().paused) task->mark_dirty();
  }
}

void Worker::measure_lag(Task& task) {
  std::int64_t lag = 0;
  bool ended = true;
  for (const auto& input : task.inputs()) {
    const Feeds& feeds = feeds_of(*input);
    const auto behind = feeds.behind(*input);
    if (!behind) return task.report_lag(std::nullopt);
    lag += *behind + input->accepted() - task.settled(*input);
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

bool Worker::catching_up(const Task& task) const {
  const auto& inputs = const_cast<Task&>(task).inputs();
  return std::any_of(inputs.begin(), inputs.end(),
                     [&](const auto& input) { return feeds_of(*input).catching_up(*input); });
}

Worker::Stepped Worker::step(Task& task) {
  if (task.run().failed || task.run().paused) return Stepped::nothing;
  if (task.run().held) return Stepped::held;
  working_on_.store(&task.run(), std::memory_order_relaxed);
  auto stepped = task.step([&](const TaskInput& input, Clock::time_point since) {
    Feeds& feeds = feeds_of(input);
    if (feeds.ended(input, since)) return false;
    feeds.ask_end(input);
    return true;
  });
  if (!stepped) {
    task_failed(task, stepped.error());
    return Stepped::failed;
  }
  return *stepped == Task::Step::worked    ? Stepped::worked
         : *stepped == Task::Step::nothing ? Stepped::nothing
         : *stepped == Task::Step::paced   ? Stepped::paced
                                           : Stepped::blocked;
}

// Has those tell what they have whom others wait for. True: somebody has.
bool Worker::answer_asked() {
  bool answered = false;
  for (std::size_t i = 0; i < tasks_.size(); ++i) {
    Task& task = *tasks_[i];
    if (!task.asked() || task.run().failed || task.run().paused || task.run().held) continue;
    if (step(task) == Stepped::failed) return true;
    if (task.asked()) {
      activate(task);  // the log has to be asked first
    } else {
      answered = true;
    }
  }
  return answered;
}

// Beside those who catch up a round lasts: what has come in front is worked on in one.
bool Worker::step_in_front() {
  bool again = step_tasks();
  const bool worked = again;
  for (int i = 1; i < kStepsOfRound && again && active_in_front_ > 0 && feeds_->any_behind(); ++i) again = step_tasks();
  return worked;
}

// One batch of every task in front that has one.
bool Worker::step_tasks() {
  const bool apart = feeds_->any_behind();
  std::size_t behind = 0;
  bool worked = false;
  blocked_ = false;
  active_in_front_ = 0;
  for (std::size_t i = 0; i < active_.size();) {
    inbox_.answer();
    Task& task = *active_[i];
    if (apart && catching_up(task)) {
      ++behind;
      ++i;
      continue;
    }
    const Stepped stepped = step(task);
    if (stepped == Stepped::failed) return true;
    worked = worked || stepped == Stepped::worked;
    blocked_ = blocked_ || stepped == Stepped::blocked || stepped == Stepped::paced;
    if (stepped == Stepped::nothing) {
      active_set_.erase(&task);
      active_[i] = active_.back();
      active_.pop_back();
    } else {
      ++i;
    }
  }
  active_in_front_ = active_.size() - behind;
  return worked;
}

// Those that catch up get a share of the time.
bool Worker::step_those_behind() {
  blocked_behind_ = false;
  if (!feeds_->any_behind()) return false;
  std::vector<Task*> behind;
  std::copy_if(active_.begin(), active_.end(), std::back_inserter(behind),
               [&](Task* task) { return catching_up(*task); });
  bool worked = false;
  const auto began = Clock::now();
  for (std::size_t i = 0; i < behind.size() && (i == 0 || Clock::now() - began < kShareOfThoseBehind); ++i) {
    inbox_.answer();
    std::this_thread::yield();  // those who answer clients come first, also where all cores are busy
    Task& task = *behind[++turn_ % behind.size()];
    const Stepped stepped = step(task);
    if (stepped == Stepped::failed) return true;
    worked = worked || stepped == Stepped::worked;
    blocked_behind_ = blocked_behind_ || stepped == Stepped::paced;
    if (stepped != Stepped::nothing) continue;
    active_set_.erase(&task);
    std::erase(active_, &task);
  }
  const auto ended = Clock::now();
  behind_again_ = ended + kRestOfThoseBehind * (ended - began);
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
    if (auto done = subscribe(*task); !done) give_up_reading(*task, done.error());
  }
  if (!failure || !restoring_.contains(failure->task)) return;
  if (failure->again) {
    back_off(failure->error);
  } else {
    give_up(*failure->task, failure->error);
  }
}

void Worker::remove_tasks(const Chosen& chosen) {
  bool unsaved = false, under_way = false;
  for (const auto& task : tasks_) {
    if (!chosen(*task)) continue;
    unsaved = unsaved || task->dirty();
    under_way = under_way || committer_->holds(*task);
  }
  if ((unsaved || under_way) && !settle(kOutcomeWait)) {
    spdlog::error("{}: the outcome of a commit is unknown: starting again from the log", setup_.name);
    return fenced();
  }
  if (unsaved && setup_.exchange == nullptr && !roll_back()) return;
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
    by_name_.erase(name_of(task));
    it = tasks_.erase(it);
  }
  // What they have written is for their own tasks alone, and its topics go soon.
  if (unsaved && setup_.exchange != nullptr) begin_commit();
}

// Their partition is gone, or we may not read it: that is their own affair.
void Worker::fail_tasks_of_broken(Feeds& feeds) {
  for (const Feeds::Broken& broken : feeds.take_broken()) {
    const auto owner = owner_.find(broken.input);
    if (owner == owner_.end()) continue;
    if (broken.other) owner->second->run().note_other(broken.input->partition());
    give_up_reading(*owner->second, broken.error);
  }
}

void Worker::give_up_reading(Task& task, Error error) {
  if (setup_.host != nullptr && error.fault == Fault::user)
    error.message += fmt::format(
        "; SET 'auto.offset.reset' = 'earliest' (or 'latest') and RESUME {} go on with the first (or after the last) "
        "record that is there",
        task.run().plan->query_id);
  give_up(task, error);
}

// What every task did since the last commit goes with it: it is one transaction. The failed query is put aside first.
void Worker::task_failed(Task& task, const Error& error) {
  if (setup_.exchange == nullptr && (error.fault == Fault::external || error.fault == Fault::fenced)) {
    spdlog::error("query {}: {}", task.run().plan->query_id, error.message);
    if (roll_back()) back_off(error);
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
