#include <spdlog/spdlog.h>

#include <algorithm>

#include "exec/log/failpoint.h"
#include "exec/runtime/worker.h"

namespace millrace::inline exec {
namespace {

constexpr std::size_t kPendingLimit = 32 << 20;    // bytes in the open transaction that make it end
constexpr std::size_t kDirtyLimit = 128 << 20;     // likewise bytes of changed state
constexpr std::size_t kUndurableLimit = 32 << 20;  // less than a second of restoring
constexpr std::chrono::milliseconds kSpillCheck{100};
constexpr std::chrono::milliseconds kLongestGap{40};

}  // namespace

bool Worker::should_commit() {
  if (!any_dirty()) {
    commit_wanted_ = false;
    return false;
  }
  if (setup_.exchange != nullptr) return !commit_under_way_;
  // Changed values cannot leave memory before they are committed: at most a quarter of the budget is to be such.
  const std::size_t quarter = std::max<std::size_t>(setup_.state_memory_bytes / 4, 1 << 20);
  std::size_t dirty = 0;
  if (setup_.state_memory_bytes > 0)
    for (const Task* task : active_) dirty += task->dirty_bytes();
  const bool large =
      writer_->pending_bytes() >= std::min(kPendingLimit, quarter) || dirty >= std::min(kDirtyLimit, quarter);
  if (commit_under_way_) {
    if (!large) return false;
    settle(std::chrono::seconds{60});
    return !commit_under_way_;
  }
  const auto waited = Clock::now() - last_commit_;
  const bool rested = dry_ && !more_known_ && (active_.empty() || blocked_) && waited >= commit_gap();
  return large || commit_wanted_ || rested || waited >= setup_.commit_interval;
}

// From the beginning of one commit to that of the next, when input runs dry. Where commits are dear (on a broker, which
// pays for each as well), they pause for as long as they last.
std::chrono::milliseconds Worker::commit_gap() const {
  if (setup_.commit_gap.count() == 0) return setup_.commit_gap;
  const auto twice = std::chrono::duration_cast<std::chrono::milliseconds>(2 * commit_took_);
  return std::max(setup_.commit_gap, std::min(twice, kLongestGap));
}

Status Worker::begin_commit() {
  commit_wanted_ = false;
  committing_.clear();
  if (auto hit = failpoint::hit(failpoint::kBeforeProgress); !hit) return hit;
  for (const auto& task : tasks_) {
    if (!task->dirty()) continue;
    committing_.push_back(task.get());
    if (auto done = task->begin_commit(); !done) {
      if (!done.error().retriable()) {
        task_failed(*task, done.error());
        return {};
      }
      return done;
    }
  }
  last_commit_ = Clock::now();
  commit_under_way_ = true;
  if (auto done = writer_->commit(); !done) return done;
  settle(std::chrono::milliseconds{0});
  return {};
}

void Worker::settle(std::chrono::milliseconds wait) {
  if (!commit_under_way_) return;
  const Writer::CommitState state = writer_->commit_state(wait);
  if (state.outcome == Writer::Outcome::committed) committed(state);
  if (state.outcome == Writer::Outcome::failed) commit_failed(*state.error);
}

void Worker::committed(const Writer::CommitState& state) {
  if (auto hit = failpoint::hit(failpoint::kAfterEnd); !hit) spdlog::warn("{}: {}", setup_.name, hit.error().message);
  commit_under_way_ = false;
  commit_took_ = Clock::now() - last_commit_;
  failures_ = 0;
  {
    const std::lock_guard lock(mail_mutex_);
    trouble_.reset();
  }
  for (Task* task : committing_) {
    task->commit_done(state.appended);
    measure_lag(*task);
    if (setup_.exchange == nullptr && setup_.host != nullptr)
      for (const auto& input : task->inputs())
        if (input->internal())
          setup_.host->read_up_to(input->partition(), task->committed().offset_of(input->partition().topic, 0));
  }
  committing_.clear();
}

void Worker::commit_failed(const Error& error) {
  spdlog::warn("{}: a commit failed: {}", setup_.name, error.message);
  commit_under_way_ = false;
  if (error.fault == Fault::fenced) {
    fenced();
    return;
  }
  roll_back();
  back_off(error);
}

// Everything since the last commit, of all tasks. What a commit under way did stays if it succeeds.
void Worker::roll_back() {
  settle(std::chrono::seconds{60});
  if (commit_under_way_) spdlog::error("{}: the outcome of a commit is unknown", setup_.name);
  commit_under_way_ = false;
  if (auto aborted = writer_ ? writer_->abort() : Status{}; !aborted)
    spdlog::warn("{}: {}", setup_.name, aborted.error().message);
  committing_.clear();
  for (const auto& task : tasks_) {
    if (restoring_.contains(task.get())) continue;
    if (auto done = task->roll_back(); !done) task->run().fail(done.error());
    for (auto& input : task->inputs())
      if (auto moved = feeds_of(*input).moved(*input); !moved) back_off(moved.error());
  }
}

void Worker::back_off(const Error& error) {
  failures_ = std::min(failures_ + 1, 7);
  if (setup_.threaded) resume_at_ = Clock::now() + std::chrono::milliseconds{10} * (1 << failures_);
  const std::lock_guard lock(mail_mutex_);
  trouble_ = error;
}

void Worker::fenced() {
  committing_.clear();
  for (const auto& task : tasks_) {
    unsubscribe(*task);
    restorer_->forget(*task);
    if (restoring_.contains(task.get())) --task->run().restoring;
  }
  restoring_.clear();
  active_.clear();
  active_set_.clear();
  tasks_.clear();
  environment_.writer = nullptr;
  writer_.reset();
  revive();
}

// A fenced writer is of no use any more. Where no new one is to be had (the log is unreachable), it is tried again.
void Worker::revive() {
  Log& target = setup_.exchange != nullptr ? *setup_.exchange : *setup_.log;
  auto writer = target.writer(setup_.name, setup_.membership);
  if (!writer) return back_off(writer.error());
  writer_ = std::move(*writer);
  writer_->on_commit_done([this] { feeds_->wake(); });
  environment_.writer = writer_.get();
  if (setup_.host != nullptr) setup_.host->worker_fenced(setup_.index);
}

void Worker::commit_all(std::chrono::milliseconds wait) {
  const auto deadline = Clock::now() + wait;
  const auto left = [&] { return std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()); };
  settle(left());
  if (!any_dirty() || commit_under_way_) return;
  if (auto begun = begin_commit(); !begun) {
    commit_failed(begun.error());
    return;
  }
  while (commit_under_way_ && left().count() > 0) settle(left());
}

void Worker::spill_as_needed() {
  if (environment_.state == nullptr || commit_under_way_) return;
  const auto now = Clock::now();
  if (now - last_spill_check_ < kSpillCheck) return;
  last_spill_check_ = now;
  std::size_t memory = 0, undurable = 0;
  for (const auto& task : tasks_) {
    for (const auto& entry : task->stores()) {
      memory += entry.store->memory_bytes();
      undurable += entry.store->undurable_bytes();
    }
  }
  if (memory <= setup_.state_memory_bytes && undurable <= kUndurableLimit) return;
  const double keep = memory > setup_.state_memory_bytes
                          ? 0.5 * static_cast<double>(setup_.state_memory_bytes) / static_cast<double>(memory)
                          : 1.0;
  for (const auto& task : tasks_) spill_task(*task, keep);
}

void Worker::spill_task(Task& task, double keep) {
  for (auto& entry : task.stores()) {
    const auto target = static_cast<std::size_t>(static_cast<double>(entry.store->memory_bytes()) * keep);
    if (auto done = entry.store->spill(target); !done) {
      spdlog::warn("{}: state cannot be written: {}", setup_.name, done.error().message);
      back_off(done.error());
      continue;
    }
    if (setup_.truncate_changelogs && !entry.changelog.empty() && setup_.host != nullptr)
      setup_.host->read_up_to({entry.changelog, task.place().partition}, entry.store->durable_position());
  }
}

void Worker::spill_everything() {
  if (environment_.state == nullptr || commit_under_way_) return;
  for (const auto& task : tasks_)
    if (!task->dirty()) spill_task(*task, 1.0);
}

}  // namespace millrace::inline exec
