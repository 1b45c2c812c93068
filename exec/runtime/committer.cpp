#include "exec/runtime/committer.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "exec/log/failpoint.h"

namespace millrace::inline exec {
namespace {

constexpr std::size_t kPendingLimit = 32 << 20;  // bytes in the open transaction that make it end
// Likewise with bytes of changed state: a part of the memory for state; the larger, the more a commit costs.
constexpr std::size_t kParts = 8, kPartsAlone = 16, kLeastLimit = 1 << 20, kDirtyLimit = 128 << 20;
constexpr Clock::duration kLongestGap = std::chrono::milliseconds{40}, kLongestGapBeside = std::chrono::milliseconds{3};
constexpr Clock::duration kGapOfTask = std::chrono::milliseconds{1};
// Queries come and go, and so do the topics that a worker writes to.
constexpr std::chrono::hours kTopicsKept{1};
constexpr std::chrono::minutes kTidyGap{1};
// At most one part in so many of a worker's time goes into what commits begin with: usually, beside those who catch up.
constexpr int kShare = 20, kShareBeside = 4;
constexpr int kShareAlone = 10;  // where nobody else pays for commits

}  // namespace

Committer::Committer(Setup setup, TaskEnvironment& environment, std::function<void()> wake)
    : setup_(std::move(setup)), environment_(environment), wake_(std::move(wake)) {}

Status Committer::open() {
  auto writer = setup_.log->writer(setup_.name, setup_.membership);
  if (!writer) return writer.error();
  writer_ = std::move(*writer);
  writer_->on_commit_done(wake_);
  environment_.writer = writer_.get();
  return {};
}

void Committer::close() {
  environment_.writer = nullptr;
  tasks_.clear();
  under_way_ = false;
  writer_.reset();
}

bool Committer::holds(const Task& task) const {
  return under_way_ && std::find(tasks_.begin(), tasks_.end(), &task) != tasks_.end();
}

bool Committer::large(const Activity& now) const {
  const std::size_t pending = writer_->pending_bytes(), memory = setup_.state_memory_bytes;
  if (pending >= std::clamp(memory / 4, kLeastLimit, kPendingLimit)) return true;
  if (now.dirty_bytes == 0) return false;
  // Changed values cannot leave memory before they are committed, and are written with what is pending, twice: all of
  // it is to be no more than a part of the budget.
  const std::size_t part = memory / (setup_.nobody_else_pays ? kPartsAlone : kParts);
  return pending + now.dirty_bytes >= std::clamp(part, kLeastLimit, kDirtyLimit);
}

Committer::Due Committer::due(const Activity& now) const {
  if (under_way_) return Due::no;
  const auto time = Clock::now();
  if (setup_.at_once || time - last_of_all_ >= setup_.interval || large(now)) return Due::all;
  if (!now.rested || time - last_ < gap(now.beside)) return Due::no;
  return now.beside ? Due::front : Due::all;
}

// From the beginning of one commit to that of the next, when input runs dry. Where a broker pays for each as well, and
// for each partition that it writes to, they pause for as long as they last; the longer, the more tasks share one.
// Beside those who catch up, of whom a commit may take some in, they hardly pause.
Clock::duration Committer::gap(bool beside) const {
  const Clock::duration least = setup_.gap;
  if (least == Clock::duration{}) return least;
  const Clock::duration longest = beside ? kLongestGapBeside : kLongestGap + static_cast<int>(took_of_) * kGapOfTask;
  if (setup_.nobody_else_pays) return std::min((beside ? kShareBeside : kShareAlone) * began_for_, longest);
  const Clock::duration wanted = std::max(2 * took_, (beside ? kShareBeside : kShare) * began_for_);
  return std::max(least, std::min(wanted, longest));
}

std::optional<Committer::Failure> Committer::begin(Tasks tasks, const Waits& waits) {
  const auto began = Clock::now();
  tasks_.clear();
  std::optional<Failure> failed;
  if (auto hit = failpoint::hit(failpoint::kBeforeProgress); !hit) return Failure{nullptr, hit.error()};
  for (const auto& task : tasks) {
    if (!task->dirty() || (waits && task->may_wait() && waits(*task))) continue;
    tasks_.push_back(task.get());
    auto done = task->begin_commit();
    if (done) continue;
    const bool of_the_log = done.error().fault == Fault::external || done.error().fault == Fault::fenced;
    failed = Failure{of_the_log && !setup_.at_once ? nullptr : task.get(), done.error()};
    if (!setup_.at_once) return failed;
    tasks_.pop_back();
  }
  last_ = Clock::now();
  if (!waits) last_of_all_ = last_;
  began_for_ = last_ - began;
  if (auto done = writer_->commit(); !done) return Failure{nullptr, done.error()};
  under_way_ = true;
  return failed;
}

Committer::End Committer::end(std::chrono::milliseconds wait) {
  End end;
  if (!under_way_) return end;
  Writer::CommitState state = writer_->commit_state(wait);
  end.outcome = state.outcome;
  if (state.outcome == Writer::Outcome::pending) return end;
  under_way_ = false;
  if (state.outcome == Writer::Outcome::committed) {
    if (auto hit = failpoint::hit(failpoint::kAfterEnd); !hit) spdlog::warn("{}: {}", setup_.name, hit.error().message);
    took_ = Clock::now() - last_;
    took_of_ = tasks_.size();
    for (Task* task : tasks_) task->commit_done(state.appended);
    end.tasks = std::exchange(tasks_, {});
    if (const auto now = Clock::now(); now - tidied_ > kTidyGap) {
      tidied_ = now;
      writer_->forget_topics(now - kTopicsKept);
    }
    return end;
  }
  end.error = std::move(state.error);
  for (Task* task : tasks_)
    if (std::any_of(state.refused.begin(), state.refused.end(),
                    [&](const auto& where) { return task->wrote_to(where); }))
      end.to_blame.push_back(task);
  tasks_.clear();
  return end;
}

void Committer::abort() {
  tasks_.clear();
  if (!writer_) return;
  if (auto aborted = writer_->abort(); !aborted) spdlog::warn("{}: {}", setup_.name, aborted.error().message);
}

}  // namespace millrace::inline exec
