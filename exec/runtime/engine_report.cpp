#include <algorithm>

#include "exec/runtime/engine_impl.h"
#include "parser/error/mutex.h"

/// What an operator asks of a running engine.
namespace millrace::inline exec {
namespace {

constexpr std::chrono::milliseconds kReportWait{1000};

TaskStatus report(Task& task, bool restoring, int worker) {
  TaskStatus status;
  status.query_id = task.run().plan->query_id;
  status.subtopology = task.run().plan->subtopologies[task.place().subtopology].id;
  status.partition = task.place().partition;
  status.slot = partition_of(task.place().slot);
  status.worker = worker;
  status.restoring = restoring;
  status.dirty = task.dirty();
  status.lag = task.known_lag().value_or(-1);
  for (const auto& entry : task.stores()) status.state_bytes += entry.store->memory_bytes();
  for (const auto& input : task.inputs()) {
    const std::string& topic = input->partition().topic;
    const std::int64_t committed = input->broadcast() ? input->consumed() : task.committed().offset_of(topic, 0);
    status.inputs.push_back({topic, committed, input->consumed(), input->accepted()});
  }
  return status;
}

}  // namespace

// Of a worker that does not come to it, what it said last: whoever looks for the reason must not wait, too.
std::vector<TaskStatus> EngineImpl::tasks() {
  std::vector<TaskStatus> all;
  const auto deadline = Clock::now() + kReportWait;
  const std::vector<Worker*> workers = workers_.all();
  for (std::size_t i = 0; i < workers.size(); ++i) {
    Worker* const worker = workers[i];
    auto tasks = std::make_shared<std::vector<TaskStatus>>();
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now());
    const bool told = worker->call_within(
        [worker, tasks, i] {
          for (const auto& task : worker->tasks())
            tasks->push_back(report(*task, worker->is_restoring(*task), static_cast<int>(i)));
        },
        std::max(left, std::chrono::milliseconds{0}));
    const MutexLock lock(reports_mutex_);
    reports_.resize(std::max(reports_.size(), workers.size()));
    if (told) reports_[i] = std::move(*tasks);
    all.insert(all.end(), reports_[i].begin(), reports_[i].end());
  }
  return all;
}

Result<std::vector<std::string>> EngineImpl::processes() {
  std::vector<std::string> all;
  if (has_others()) {
    auto members = membership_->members();
    if (!members) return members.error();
    all = std::move(*members);
  }
  if (std::ranges::find(all, options_.advertised) == all.end()) all.push_back(options_.advertised);
  return all;
}

Status EngineImpl::back_up(const std::string& directory) {
  // The state first: the log then has all that the state stands for, and what the state lacks is still in the log as
  // long as nothing is truncated.
  {
    const MutexLock lock(notes_mutex_);
    if (std::exchange(backing_up_, true)) return user_error("a backup is being made already");
  }
  Status done = state_ ? state_->checkpoint(directory + "/state") : Status();
  if (done) done = log_.checkpoint(directory + "/log");
  const MutexLock lock(notes_mutex_);
  backing_up_ = false;
  return done;
}

}  // namespace millrace::inline exec
