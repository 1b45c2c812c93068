#include "exec/runtime/pace.h"

#include <algorithm>
#include <chrono>

#include "exec/log/log.h"
#include "planner/physical/pace_rules.h"

namespace millrace::inline exec {
namespace {

// Of a grace period, what partitions may be ahead of others; the rest is for rows that are late within their own.
constexpr std::int64_t kShareOfGrace = 4;
// After how long those in other processes are looked for again, so that nobody has to wait while rows keep coming.
constexpr std::chrono::milliseconds kLookAgain{300};

std::int64_t now_ms(std::chrono::milliseconds later = {}) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(Clock::now().time_since_epoch() + later).count();
}

}  // namespace

std::unique_ptr<Pace> Pace::of(const PhysicalPlan& plan, const QueryLayout& layout) {
  std::unique_ptr<Pace> pace(new Pace());
  const std::size_t count = plan.subtopologies.size();
  pace->subtopologies_.resize(count);
  const PaceRoles roles = pace_roles(plan);
  const auto add = [&](const std::vector<PaceRule>& rules) {
    pace->rules_.insert(pace->rules_.end(), rules.begin(), rules.end());
  };
  for (const InternalTopic& topic : plan.topics) add(topic.paces);
  std::size_t members = 0;
  for (std::size_t i = count; i-- > 0;) {
    const Subtopology& one = plan.subtopologies[i];
    if (roles.looks[i]) add(pace_rules(*one.root));
    const bool beside = roles.looks[i] && reads_any(one, false);
    Part& part = pace->subtopologies_[i];
    part.inputs = roles.feeds[i] ? Inputs::all : beside ? Inputs::external : Inputs::none;
    part.first = members;
    part.tasks = layout.subtopologies[i].tasks;
    if (part.inputs != Inputs::none) members += static_cast<std::size_t>(layout.subtopologies[i].tasks);
  }
  if (members < 2) return nullptr;
  pace->members_ = std::vector<Member>(members);
  return pace;
}

std::size_t Pace::join(std::size_t subtopology, int partition, const void* worker, std::function<void()> wake) {
  const std::size_t member = subtopologies_[subtopology].first + static_cast<std::size_t>(partition);
  set_elsewhere(members_[member], false);
  members_[member].worker = worker;
  members_[member].at = members_[member].committed = kUnknown;
  members_[member].asked = 0;
  const MutexLock lock(mutex_);
  auto& [count, how] = workers_[worker];
  ++count;
  how = std::move(wake);
  return member;
}

void Pace::expect(std::size_t subtopology, int partition, bool here) {
  if (subtopologies_[subtopology].inputs == Inputs::none) return;
  Member& member = members_[subtopologies_[subtopology].first + static_cast<std::size_t>(partition)];
  if (member.worker != nullptr) return;
  const bool elsewhere = !here && look_ != nullptr;
  if (elsewhere && member.elsewhere) return;  // what was told of it holds
  set_elsewhere(member, elsewhere);
  member.known = member.committed_known = kAlways;
  member.at = member.committed = here || elsewhere ? kUnknown : kNothing;
}

void Pace::set_elsewhere(Member& member, bool elsewhere) {
  member.ended = 0;
  if (member.elsewhere.exchange(elsewhere) != elsewhere) elsewhere_ += elsewhere ? 1 : -1;
}

std::vector<Pace::Elsewhere> Pace::elsewhere() const {
  std::vector<Elsewhere> out;
  for (std::size_t sub = 0; sub < subtopologies_.size(); ++sub) {
    const Part& part = subtopologies_[sub];
    if (part.inputs == Inputs::none) continue;
    for (int partition = 0; partition < part.tasks; ++partition) {
      const std::size_t member = part.first + static_cast<std::size_t>(partition);
      if (members_[member].elsewhere) out.push_back({member, sub, partition});
    }
  }
  return out;
}

void Pace::is_elsewhere(std::size_t member, std::int64_t time, std::optional<Clock::time_point> ended) {
  Member& one = members_[member];
  if (!one.elsewhere) return;  // it has come here meanwhile
  one.ended = ended ? ended->time_since_epoch().count() : 0;
  one.committed = time;
}

void Pace::looked() {
  look_again_ = now_ms(kLookAgain);
  if (waiting_ > 0) wake_others(nullptr);
}

void Pace::leave(std::size_t member, bool returns) {
  const void* worker = members_[member].worker.exchange(nullptr);
  // Whoever gets it next is told from its progress, unless that is this process.
  const bool elsewhere = !returns && look_ != nullptr;
  const std::int64_t left_at = returns || elsewhere ? kUnknown : kNothing;
  set_elsewhere(members_[member], elsewhere);
  is_at(member, left_at, Clock::time_point::max());
  if (members_[member].waits.exchange(false)) --waiting_;
  has_committed(member, left_at, Clock::time_point::max());
  const MutexLock lock(mutex_);
  const auto found = workers_.find(worker);
  if (found != workers_.end() && --found->second.first == 0) workers_.erase(found);
}

void Pace::is_at(std::size_t member, std::int64_t time, Clock::time_point known) {
  if (time == kNothing) members_[member].known = known.time_since_epoch().count();
  members_[member].at = time;
}

void Pace::has_committed(std::size_t member, std::int64_t time, Clock::time_point known) {
  Member& mine = members_[member];
  const Clock::rep as_of = known.time_since_epoch().count();
  const bool later = time == kNothing && mine.committed_known.exchange(as_of) != as_of;
  const bool moved = mine.committed.exchange(time) != time;
  if ((moved || later) && waiting_ > 0) wake_others(mine.worker);
}

/// Whether it still has nothing.
void Pace::ask(Member& member, Clock::rep time, const void* worker) {
  Clock::rep before = member.asked;
  while (before < time && !member.asked.compare_exchange_weak(before, time)) {
  }
  if (before >= time || member.worker == worker) return;
  const MutexLock lock(mutex_);
  const auto found = workers_.find(member.worker);
  if (found != workers_.end() && found->second.second) found->second.second();
}

void Pace::wake_others(const void* worker) {
  const MutexLock lock(mutex_);
  for (Member& other : members_) {
    if (!other.waits || other.worker == worker || !other.waits.exchange(false)) continue;
    --waiting_;
    const auto found = workers_.find(other.worker);
    if (found != workers_.end() && found->second.second) found->second.second();
  }
}

std::int64_t Pace::limit(std::size_t member, Clock::time_point read, Clock::time_point last_read) {
  const void* worker = members_[member].worker;
  bool look = shared() && now_ms() >= look_again_;
  const Clock::rep needed = read.time_since_epoch().count(), soon = last_read.time_since_epoch().count();
  std::int64_t last = kNothing;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (i == member) continue;
    Member& other = members_[i];
    if (const Clock::rep ended = other.elsewhere ? other.ended.load() : 0; ended > 0) {
      look = look || ended < soon;
      if (ended >= needed) continue;
    }
    const bool near = other.worker == worker;
    const std::int64_t time = near ? other.at : other.committed;
    const Clock::rep known = near ? other.known : other.committed_known;
    if (time == kNothing && known < soon) ask(other, soon, worker);
    last = std::min(last, time == kNothing && known < needed ? kUnknown : time);
  }
  if (look) look_();
  return reach(last);
}

/// Up to which time rows may be taken while one of `time` may still come.
std::int64_t Pace::reach(std::int64_t time) const {
  if (time == kUnknown || time == kNothing) return time;
  std::int64_t out = kNothing;
  for (const PaceRule& rule : rules_) {
    const std::int64_t first =
        time - (rule.grace_ms - rule.grace_ms / kShareOfGrace);  // of what may come behind that row
    std::int64_t until = first + rule.gap_ms;
    if (rule.size_ms > 0) {  // the end of the first window that it counts in
      const std::int64_t windows = first < rule.size_ms ? 0 : (first - rule.size_ms) / rule.advance_ms + 1;
      until = windows * rule.advance_ms + rule.size_ms - 1;
    }
    out = std::min(out, until + rule.grace_ms);
  }
  return out;
}

void Pace::waits(std::size_t member) {
  if (!members_[member].waits.exchange(true)) ++waiting_;
  if (shared()) look_();
}

}  // namespace millrace::inline exec
