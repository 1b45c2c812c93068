#include <spdlog/spdlog.h>

#include <algorithm>

#include "exec/runtime/worker.h"
#include "parser/error/mutex.h"

// When a worker commits, and what follows from how a commit ended.
namespace millrace::inline exec {

Committer::Activity Worker::activity() const {
  Committer::Activity now;
  now.beside = front_waits() && !blocked_behind_;  // others may wait for what those behind have committed
  now.rested = dry_ && !more_known_ && (active_.empty() || blocked_ || blocked_behind_ || now.beside);
  if (setup_.state_memory_bytes > 0)
    for (const Task* task : active_) now.dirty_bytes += task->dirty_bytes();
  return now;
}

// Those in front have worked on all there was, and do not wait for those who catch up.
bool Worker::front_waits() const {
  if (!feeds_->any_behind() || active_in_front_ > 0) return false;
  return std::any_of(tasks_.begin(), tasks_.end(),
                     [&](const auto& task) { return task->dirty() && !catching_up(*task); });
}

void Worker::commit_if_due() {
  const bool dirty = any_dirty();
  const Committer::Activity now = dirty ? activity() : Committer::Activity{};
  // No more is worked on then; whoever reads is answered meanwhile, however long it takes.
  full_ = dirty && committer_->under_way() && committer_->large(now) &&
          !settle(setup_.threaded ? std::chrono::milliseconds{0} : kOutcomeWait);
  const Committer::Due due = dirty && committer_->is_open() ? committer_->due(now) : Committer::Due::no;
  // Before the next commit is under way: on a slow disk one follows another.
  spill_as_needed();
  if (due == Committer::Due::all) begin_commit();
  if (due == Committer::Due::front) begin_commit([this](const Task& task) { return catching_up(task); });
}

void Worker::begin_commit(const Committer::Waits& waits) {
  working_on_.store(nullptr, std::memory_order_relaxed);
  const auto failure = committer_->begin(tasks_, waits);
  if (committer_->under_way()) settle(std::chrono::milliseconds{0});
  if (!failure) return;
  if (failure->task != nullptr) {
    task_failed(*failure->task, failure->error);
  } else {
    commit_failed(failure->error, {});
  }
}

// False: it is not known yet how the commit under way ends.
bool Worker::settle(std::chrono::milliseconds wait) {
  const Committer::End end = committer_->end(wait);
  if (end.outcome == Writer::Outcome::committed) committed(end.tasks);
  if (end.outcome == Writer::Outcome::failed) commit_failed(*end.error, end.to_blame);
  return end.outcome != Writer::Outcome::pending;
}

void Worker::committed(const std::vector<Task*>& tasks) {
  failures_ = 0;
  {
    const MutexLock lock(trouble_mutex_);
    trouble_.reset();
  }
  for (Task* task : tasks) {
    measure_lag(*task);
    for (const auto& input : task->inputs()) {
      const auto read = input->internal() ? read_by_all(*task, input->partition()) : std::nullopt;
      if (!read) continue;
      if (setup_.exchange != nullptr) {
        static_cast<void>(setup_.exchange->truncate_before(input->partition(), *read).has_value());
      } else if (setup_.host != nullptr) {
        setup_.host->read_up_to(input->partition(), *read);
      }
    }
    if (setup_.truncate_changelogs || setup_.host == nullptr) continue;
    for (Task::StoreEntry& entry : task->stores()) {
      if (entry.changelog.empty() || entry.store->expired_position() <= entry.changelog_begin) continue;
      entry.changelog_begin = entry.store->expired_position();
      setup_.host->read_up_to({entry.changelog, task->place().partition}, entry.changelog_begin);
    }
  }
}

// Up to where all tasks that read a partition of the query's own have committed; those are of one slot. Absent: one of
// them is not there, or others read it too.
std::optional<std::int64_t> Worker::read_by_all(const Task& task, const TopicPartition& partition) const {
  const QueryLayout& layout = task.run().layout;
  if (const LayoutInput* input = layout.input_of(partition.topic); input == nullptr || input->given)
    return std::nullopt;
  if (layout.readers_of(partition.topic) == 1) return task.committed().offset_of(partition.topic, 0);
  std::vector<std::pair<std::size_t, std::int64_t>> positions;
  for (const auto& other : tasks_)
    if (other->run_is(task.run()) && other->place().partition == partition.partition)
      positions.emplace_back(other->place().subtopology, other->committed().offset_of(partition.topic, 0));
  return layout.read_by_all(partition.topic, positions);
}

// What the log refuses is the fault of those who wrote it: they are put aside, the others go on at once.
void Worker::commit_failed(const Error& error, const std::vector<Task*>& to_blame) {
  spdlog::warn("{}: a commit failed: {}", setup_.name, error.message);
  if (error.fault == Fault::fenced) return fenced();
  std::vector<std::shared_ptr<QueryRun>> runs;
  for (Task* task : to_blame) runs.push_back(task->shared_run());
  if (!roll_back()) return;
  if (runs.empty()) return back_off(error);
  for (const auto& run : runs) {
    spdlog::error("query {}: {}", run->plan->query_id, error.message);
    run->fail(error);
    remove_tasks([&](const Task& task) { return task.run_is(*run); });
  }
}

// Everything since the last commit, of all tasks. What a commit under way did stays if it succeeds; when that is not to
// be known, nothing here can be relied on any more. False: so all tasks are gone.
bool Worker::roll_back() {
  if (!settle(kOutcomeWait)) {
    spdlog::error("{}: the outcome of a commit is unknown: starting again from the log", setup_.name);
    fenced();
    return false;
  }
  committer_->abort();
  for (const auto& task : tasks_) {
    if (restoring_.contains(task.get())) continue;
    if (auto done = task->roll_back(); !done) task->run().fail(done.error());
    activate(*task);
  }
  for (Feeds* feeds : {feeds_.get(), exchange_.get()})
    if (feeds != nullptr) feeds->rewind();
  return true;
}

void Worker::back_off(const Error& error) {
  failures_ = std::min(failures_ + 1, 7);
  if (setup_.threaded) resume_at_ = Clock::now() + std::chrono::milliseconds{10} * (1 << failures_);
  const MutexLock lock(trouble_mutex_);
  trouble_ = error;
}

// Tasks and writer go; what is committed is read again from the log once a new writer has ended what this one left.
void Worker::fenced() {
  for (const auto& task : tasks_) {
    task->will_return();
    unsubscribe(*task);
    restorer_->forget(*task);
    if (restoring_.contains(task.get())) --task->run().restoring;
  }
  restoring_.clear();
  active_.clear();
  active_set_.clear();
  active_in_front_ = 0;
  by_name_.clear();
  tasks_.clear();
  committer_->close();
  revive();
}

// Where no new writer is to be had (the log is unreachable), it is tried again.
void Worker::revive() {
  if (retiring_) return;
  if (auto opened = committer_->open(); !opened) return back_off(opened.error());
  if (setup_.host != nullptr) setup_.host->worker_fenced(setup_.index);
}

void Worker::commit_all(std::chrono::milliseconds wait) {
  const auto deadline = Clock::now() + wait;
  const auto left = [&] { return std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()); };
  settle(left());
  if (!any_dirty() || committer_->under_way() || !committer_->is_open()) return;
  begin_commit();
  while (committer_->under_way() && left().count() > 0) settle(left());
}

void Worker::spill_as_needed() {
  if (environment_.state == nullptr || committer_->under_way()) return;
  if (auto done = spiller_->spill_as_needed(tasks_); !done) back_off(done.error());
}

void Worker::spill_everything() {
  if (environment_.state == nullptr || committer_->under_way()) return;
  static_cast<void>(spiller_->spill_all(tasks_).has_value());
}

}  // namespace millrace::inline exec
