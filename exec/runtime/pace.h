#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <vector>

#include "exec/log/log.h"
#include "exec/runtime/layout.h"
#include "parser/error/mutex.h"
#include "planner/physical/plan.h"

namespace millrace::inline exec {

/// Keeps the partitions of a query that is behind near each other in event time. Where rows are moved between
/// partitions, those of a partition that ran hours ahead would close the windows that the rows of another still have to
/// come to. So nobody goes further than whoever is last allows. Among the tasks of one worker, whose transaction
/// everything goes into, it counts where they are; between workers, what they have committed; of those that other
/// processes run, what their progress records say (PaceWatch). Thread-safe.
class Pace {
 public:
  /// Nothing is known of those who come next; nobody may pass.
  static constexpr std::int64_t kUnknown = std::numeric_limits<std::int64_t>::min();
  /// Nothing is waited for.
  static constexpr std::int64_t kNothing = std::numeric_limits<std::int64_t>::max();

  /// Null where no result depends on it: rows are not moved, or nobody looks at their time after that.
  static std::unique_ptr<Pace> of(const PhysicalPlan& plan, const QueryLayout& layout);

  /// Which inputs of a subtopology's tasks keep the pace.
  enum class Inputs : std::uint8_t { none, external, all };
  Inputs inputs(std::size_t subtopology) const { return subtopologies_[subtopology].inputs; }

  /// A task of the subtopology. `worker` stands for the one that it is on, `wake` wakes that.
  std::size_t join(std::size_t subtopology, int partition, const void* worker, std::function<void()> wake);
  /// `returns`: it is going to be made again.
  void leave(std::size_t member, bool returns);
  /// Other processes may run what this one does not; `look` has `elsewhere` told soon. Before anything else is called.
  void look_elsewhere_by(std::function<void()> look) { look_ = std::move(look); }
  /// Before any of them joins: whether this process is going to have the task.
  void expect(std::size_t subtopology, int partition, bool here);

  /// Whether another process runs one of the tasks.
  bool shared() const { return elsewhere_ > 0; }
  struct Elsewhere {
    std::size_t member = 0, subtopology = 0;
    int partition = 0;
  };
  std::vector<Elsewhere> elsewhere() const;
  /// Where a member in another process was when it was last looked for. `ended`: when nothing was waiting for it, if
  /// so.
  void is_elsewhere(std::size_t member, std::int64_t time, std::optional<Clock::time_point> ended);
  /// All of `elsewhere()` have been told.
  void looked();

  /// The time of the member's next row. `known`: when it had nothing, of kNothing.
  void is_at(std::size_t member, std::int64_t time, Clock::time_point known);
  /// What it did before this time is committed.
  void has_committed(std::size_t member, std::int64_t time, Clock::time_point known);
  std::int64_t committed(std::size_t member) const { return members_[member].committed; }
  /// When others have asked last whether it has nothing.
  Clock::time_point asked(std::size_t member) const {
    return Clock::time_point{Clock::duration{members_[member].asked}};
  }
  /// It may take rows up to this time, of those that were read at `read`: those who had nothing before that may have
  /// got something since, and are asked. `last_read`: when the last of those behind these were read.
  std::int64_t limit(std::size_t member, Clock::time_point read, Clock::time_point last_read);
  /// It cannot go on before the limit has moved: its worker is woken then.
  void waits(std::size_t member);

 private:
  static constexpr Clock::rep kAlways = std::numeric_limits<Clock::rep>::max();
  struct Member {
    std::atomic<std::int64_t> at{kNothing}, committed{kNothing};
    // When it had nothing, as it says and as is committed; when it has been asked.
    std::atomic<Clock::rep> known{kAlways}, committed_known{kAlways}, asked{0};
    std::atomic<const void*> worker{nullptr};
    std::atomic<bool> waits{false};
    std::atomic<bool> elsewhere{false};
    std::atomic<Clock::rep> ended{0};  // one elsewhere: when nothing was waiting for it; 0: something was
  };
  struct Part {
    Inputs inputs = Inputs::none;
    std::size_t first = 0;  // member
    int tasks = 0;
  };
  Pace() = default;
  std::int64_t reach(std::int64_t time) const;
  void set_elsewhere(Member& member, bool elsewhere);
  void wake_others(const void* worker);
  void ask(Member& member, Clock::rep time, const void* worker);

  std::vector<Part> subtopologies_;
  std::vector<PaceRule> rules_;
  std::vector<Member> members_;
  std::atomic<int> waiting_{0}, elsewhere_{0};
  std::atomic<std::int64_t> look_again_{0};  // when what is known of those elsewhere is old
  std::function<void()> look_;               // null: there are no other processes
  Mutex mutex_;
  std::map<const void*, std::pair<int, std::function<void()>>> workers_ GUARDED_BY(mutex_);  // members, how to wake
};

}  // namespace millrace::inline exec
