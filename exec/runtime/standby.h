#pragma once

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "exec/log/log.h"
#include "exec/runtime/task.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec {

/// Warm copies of the state of tasks that run on other processes: follows their changelogs into the state database, so
/// that whoever takes over a task here replays only the rest. Has a thread of its own, which works a bounded share of
/// the time and keeps little in memory. Thread-safe; locks are held while some records are replayed or written.
class StandbyCopies {
 public:
  /// A task whose state is to be kept warm.
  struct Wanted {
    std::shared_ptr<const QueryRun> run;  // as this process runs its own part of the query
    TaskPlace place;
  };
  struct Setup {
    Log* log = nullptr;
    StateDb* state = nullptr;  // not null
    const EngineEvents* events = nullptr;
    SchemaCache* schemas = nullptr;
    std::string client_id;
    std::size_t memory_bytes = 8 << 20;  // that are not on disk yet
    double share = 0.5;                  // of one core
    /// The newest progress of tasks in these slots, in their order; absent where there is none. May wait.
    std::function<std::vector<std::optional<Progress>>(std::span<const Wanted>)> progress;
  };
  explicit StandbyCopies(Setup setup);
  /// Puts everything away.
  ~StandbyCopies();
  StandbyCopies(const StandbyCopies&) = delete;
  StandbyCopies& operator=(const StandbyCopies&) = delete;

  /// These are to be kept from now on, but for slots that are taken, and no others.
  void keep(std::vector<Wanted> wanted);
  /// This process runs these slots itself now: what there is of them is on disk on return, and nobody writes there.
  void take(std::span<const SlotId> slots);
  /// It does not any more.
  void give_back(std::span<const SlotId> slots);
  /// The query's state is not worth anything any more.
  void forget(const std::string& query_id);
  void stop();

  /// How far a copy is behind: records of its changelogs.
  struct Lag {
    std::string store, changelog;
    std::int64_t position = 0, end = 0;  // next offsets; equal: nothing is known to lack
  };
  struct Copy {
    std::string query_id;
    std::size_t subtopology = 0;
    int partition = 0;
    SlotId slot = kNoSlot;
    std::vector<Lag> stores;
    std::int64_t behind() const;
  };
  std::vector<Copy> report() const;
  /// How far the copies of each slot are behind, together. Not in it: slots of which some task that is to be here is
  /// not.
  std::map<SlotId, std::int64_t> behind() const;

  enum class Visited : std::uint8_t { yes, absent, behind };
  /// What a copy has is the state as of some moment, once it has caught up with what there was when it was begun. Runs
  /// `with` on the copy of a task, between two fetches. behind: it may lack more than `lag` records of what the log had
  /// a moment ago.
  Visited visit(const std::string& query_id, std::size_t subtopology, int partition, std::int64_t lag,
                const std::function<void(Task&)>& with);

 private:
  struct Follower {  // of one changelog
    std::size_t store = 0;
    ReadHandle source = kNoRead;
    std::int64_t position = 0, end = 0;
    std::int64_t whole_from = 0;  // a position before is in the middle of what compaction has left: of no moment
  };
  struct Kept;
  using Key = std::tuple<std::string, std::size_t, int>;  // query, subtopology, partition
  using Copies = std::map<Key, std::unique_ptr<Kept>>;

  static Key key_of(const Wanted& wanted);
  void run();
  void start_some();
  Status open(const Wanted& wanted, const Progress& progress, std::span<const Log::Bounds> bounds) REQUIRES(mutex_);
  void follow(const Fetch& fetch) REQUIRES(mutex_);
  void ask_ends();
  void look_at_ends() REQUIRES(mutex_);
  void put_away(const std::function<bool(const Kept&)>& chosen, bool write) REQUIRES(mutex_);
  void write_all() REQUIRES(mutex_);
  void write_if_due() REQUIRES(mutex_);
  bool is_wanted(const Wanted& wanted) const REQUIRES(mutex_);
  void rest(Clock::duration worked);
  static bool keeps_up(const Kept& copy, std::int64_t lag);
  static std::int64_t behind(const Kept& copy);

  const Setup setup_;
  TaskEnvironment environment_;
  std::unique_ptr<Reader> reader_;  // of the thread
  Clock::time_point last_asked_{};  // the same
  mutable Mutex mutex_;
  std::condition_variable wake_;
  Copies copies_ GUARDED_BY(mutex_);
  std::map<Key, Wanted> wanted_ GUARDED_BY(mutex_);
  std::set<SlotId> taken_ GUARDED_BY(mutex_);
  std::vector<ReadHandle> gone_ GUARDED_BY(mutex_);             // sources that nobody follows any more
  std::map<Key, Clock::time_point> failed_ GUARDED_BY(mutex_);  // not long ago
  Clock::time_point last_written_ GUARDED_BY(mutex_) = Clock::now();
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace millrace::inline exec
