#include "exec/runtime/pace.h"

#include <algorithm>

namespace millrace::inline exec {
namespace {

// The rest of a grace period is for rows that are late within their own partition.
constexpr std::int64_t kShareOfGrace = 4;

bool reads(const Subtopology& reader, const Subtopology& writer) {
  const auto* sink = writer.root->as<SinkNode>();
  if (sink == nullptr) return false;
  const std::vector<const PlanNode*> sources = sources_of(*reader.root);
  return std::any_of(sources.begin(), sources.end(),
                     [&](const PlanNode* source) { return source->as<SourceNode>()->topic == sink->topic; });
}

bool any_input(const SubtopologyLayout& layout, bool internal) {
  return std::any_of(layout.inputs.begin(), layout.inputs.end(),
                     [&](const LayoutInput& input) { return input.internal == internal; });
}

}  // namespace

std::unique_ptr<Pace> Pace::of(const PhysicalPlan& plan, const QueryLayout& layout) {
  std::unique_ptr<Pace> pace(new Pace());
  const std::size_t count = plan.subtopologies.size();
  pace->subtopologies_.resize(count);
  std::vector<bool> minds(count), feeds(count);  // looks at time; is before one that does
  std::size_t members = 0;
  for (std::size_t i = count; i-- > 0;) {  // readers first
    const std::size_t rules = pace->rules_.size();
    if (any_input(layout.subtopologies[i], true)) pace->collect(*plan.subtopologies[i].root);
    minds[i] = pace->rules_.size() > rules;
    for (std::size_t reader = i + 1; reader < count; ++reader)
      if ((minds[reader] || feeds[reader]) && reads(plan.subtopologies[reader], plan.subtopologies[i])) feeds[i] = true;
    const bool beside = minds[i] && any_input(layout.subtopologies[i], false);
    Part& part = pace->subtopologies_[i];
    part.inputs = feeds[i] ? Inputs::all : beside ? Inputs::external : Inputs::none;
    part.first = members;
    if (part.inputs != Inputs::none) members += static_cast<std::size_t>(layout.subtopologies[i].tasks);
  }
  if (members < 2) return nullptr;
  pace->members_ = std::vector<Member>(members);
  return pace;
}

void Pace::collect(const PlanNode& node) {
  if (const auto* aggregate = node.as<AggregateNode>(); aggregate != nullptr && aggregate->window) {
    const WindowSpec& window = *aggregate->window;
    const std::int64_t slack = window.grace_ms / kShareOfGrace;
    rules_.push_back(window.type == WindowType::session ? Rule{0, 0, window.size_ms + slack}
                                                        : Rule{window.size_ms, window.advance_ms, slack});
  } else if (const auto* join = node.as<StreamStreamJoinNode>()) {
    rules_.push_back({0, 0, join->grace_ms / kShareOfGrace});
  }
  for (const NodePtr& input : inputs_of(node)) collect(*input);
}

std::size_t Pace::join(std::size_t subtopology, int partition, const void* worker, std::function<void()> wake) {
  const std::size_t member = subtopologies_[subtopology].first + static_cast<std::size_t>(partition);
  members_[member].worker = worker;
  members_[member].at = members_[member].committed = kUnknown;
  const MutexLock lock(mutex_);
  auto& [count, how] = workers_[worker];
  ++count;
  how = std::move(wake);
  return member;
}

void Pace::expect(std::size_t subtopology, int partition, bool here) {
  if (subtopologies_[subtopology].inputs == Inputs::none) return;
  Member& member = members_[subtopologies_[subtopology].first + static_cast<std::size_t>(partition)];
  if (member.worker == nullptr) member.at = member.committed = here ? kUnknown : kNothing;
}

void Pace::leave(std::size_t member, bool returns) {
  const void* worker = members_[member].worker.exchange(nullptr);
  members_[member].at = returns ? kUnknown : kNothing;
  if (members_[member].waits.exchange(false)) --waiting_;
  has_committed(member, returns ? kUnknown : kNothing);
  const MutexLock lock(mutex_);
  const auto found = workers_.find(worker);
  if (found != workers_.end() && --found->second.first == 0) workers_.erase(found);
}

void Pace::has_committed(std::size_t member, std::int64_t time) {
  Member& mine = members_[member];
  if (mine.committed.exchange(time) == time || waiting_ == 0) return;
  const MutexLock lock(mutex_);
  for (Member& other : members_) {
    if (!other.waits || other.worker == mine.worker || !other.waits.exchange(false)) continue;
    --waiting_;
    const auto found = workers_.find(other.worker);
    if (found != workers_.end() && found->second.second) found->second.second();
  }
}

std::int64_t Pace::limit(std::size_t member) const {
  const void* worker = members_[member].worker;
  std::int64_t last = kNothing;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (i == member) continue;
    const Member& other = members_[i];
    last = std::min(last, other.worker == worker ? other.at.load() : other.committed.load());
  }
  return reach(last);
}

/// Up to which time rows may be taken while one of `time` may still come.
std::int64_t Pace::reach(std::int64_t time) const {
  if (time == kUnknown || time == kNothing) return time;
  std::int64_t out = kNothing;
  for (const Rule& rule : rules_) {
    std::int64_t until = time;
    if (rule.size > 0) {  // no window ends that the row counts in
      const std::int64_t windows = time < rule.size ? 0 : (time - rule.size) / rule.advance + 1;
      until = windows * rule.advance + rule.size - 1;
    }
    out = std::min(out, until + rule.slack);
  }
  return out;
}

void Pace::waits(std::size_t member) {
  if (!members_[member].waits.exchange(true)) ++waiting_;
}

}  // namespace millrace::inline exec
