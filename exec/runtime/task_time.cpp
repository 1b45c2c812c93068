#include <algorithm>

#include "exec/data/wall_clock.h"
#include "exec/runtime/task.h"

// What a task does about time that no row brings.
namespace millrace::inline exec {
namespace {

/// How far behind stream time something may still be open, at most.
std::int64_t reach_of(const PlanNode& node) {
  std::int64_t reach = 0;
  if (const auto* aggregate = node.as<AggregateNode>(); aggregate != nullptr && aggregate->window)
    reach = aggregate->window->size_ms + aggregate->window->grace_ms;
  if (const auto* join = node.as<StreamStreamJoinNode>()) reach = join->retention_ms().value_or(0);
  if (const auto* sort = node.as<TimeSortNode>()) reach = sort->grace_ms;
  if (const auto* windows = node.as<CloseWindowsNode>()) reach = windows->input->window->size_ms.value_or(0);
  for (const NodePtr& input : inputs_of(node)) reach += reach_of(*input);
  return reach;
}

/// How long the streams that the tree reads have to be quiet; nothing: one of them may be for ever.
std::optional<std::int64_t> idle_timeout(const PlanNode& root) {
  std::optional<std::int64_t> timeout;
  for (const PlanNode* node : sources_of(root)) {
    const auto& source = *node->as<SourceNode>();
    if (source.broadcast || (node->kind == RelationKind::table && !node->window)) continue;
    if (!source.idle_ms) return std::nullopt;
    timeout = std::max(timeout.value_or(0), *source.idle_ms);
  }
  return timeout;
}

/// How often time goes on where windows go by the clock. Each time is a commit, so long windows end less exactly.
constexpr std::int64_t kLeastTickMs = 100, kMostTickMs = 1000, kTicksOfWindow = 10;

std::int64_t clock_tick(const PlanNode& node) {
  std::int64_t tick = kMostTickMs;
  if (const auto* aggregate = node.as<AggregateNode>(); aggregate != nullptr && aggregate->window)
    tick =
        (aggregate->window->type == WindowType::session ? aggregate->window->size_ms : aggregate->window->advance_ms) /
        kTicksOfWindow;
  for (const NodePtr& input : inputs_of(node)) tick = std::min(tick, clock_tick(*input));
  return std::clamp(tick, kLeastTickMs, kMostTickMs);
}

bool has_intervals(const PlanNode& node) {
  const auto inputs = inputs_of(node);
  return node.as<EveryNode>() != nullptr ||
         std::any_of(inputs.begin(), inputs.end(), [](const NodePtr& input) { return has_intervals(*input); });
}

bool goes_by_clock(const PlanNode& node) {
  const auto* retime = node.as<RetimeNode>();
  if (retime != nullptr && retime->time.empty()) return true;
  const auto inputs = inputs_of(node);
  return std::any_of(inputs.begin(), inputs.end(), [](const NodePtr& input) { return goes_by_clock(*input); });
}

}  // namespace

void Task::start_idle_clock() {
  goes_by_clock_ = has_intervals(*subtopology_.root);
  if (goes_by_clock(*subtopology_.root)) {
    // What lives by the clock may stand in another subtopology.
    std::int64_t reach = 0, tick = kMostTickMs;
    for (const Subtopology& subtopology : run_->plan->subtopologies) {
      reach += reach_of(*subtopology.root);
      tick = std::min(tick, clock_tick(*subtopology.root));
    }
    idle_.emplace(tick, reach + tick, wall_clock_ms(), true);
    return restore_idle_clock();
  }
  const auto timeout = idle_timeout(*subtopology_.root);
  if (timeout) idle_.emplace(*timeout, reach_of(*subtopology_.root), wall_clock_ms());
  restore_idle_clock();
}

void Task::restore_idle_clock() {
  if (idle_) idle_->restore(committed_.stream_time, wall_clock_ms());
}

Status Task::give_time(TaskInput& input) {
  if (idle_) idle_->busy(wall_clock_ms());
  const auto time = input.take_time();
  if (!time) return input.nothing_comes() ? this->time(LeastTime::kNothing) : Status{};
  for (const TaskInput::Leaf& leaf : input.leaves())
    if (auto done = pipeline_->time(leaf.leaf, *time); !done) return done;
  return {};
}

Result<bool> Task::step_idle(const HasMore& has_more) {
  return contained([&]() -> Result<bool> {
    const std::int64_t now = wall_clock_ms();
    if (clock_due(now)) {
      dirty_ = true;
      if (auto done = pipeline_->clock(now); !done) return done.error();
      return true;
    }
    if (!idle_ || !idle_->due(now)) return false;
    for (const auto& input : inputs_) {
      if (!input->has_head() && !input->has_queued() && !input->waits_for_schema() && !has_more(*input, {})) continue;
      idle_->busy(now);
      return false;
    }
    dirty_ = true;
    const auto time = idle_->step(now);
    if (!time) {  // those who read what it writes need not wait for it
      if (auto done = this->time(LeastTime::kNothing); !done) return done.error();
      return true;
    }
    for (auto& input : inputs_) {
      if (input->broadcast() || input->timed()) continue;  // whoever writes it says how far it has come
      for (const TaskInput::Leaf& leaf : input->leaves()) {
        if (leaf.stage->is_table() && !leaf.stage->has_window()) continue;
        if (auto done = pipeline_->time(leaf.leaf, *time); !done) return done.error();
      }
    }
    return true;
  });
}

Status Task::time(std::int64_t time) {
  return sink_ ? sink_->write_time(time, *environment_.writer) : Status{};
}

}  // namespace millrace::inline exec
