#include "exec/runtime/standby.h"

#include <spdlog/spdlog.h>

#include <algorithm>

#include "exec/runtime/restorer.h"
#include "exec/state/spill.h"

namespace millrace::inline exec {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kRecordsPerFetch = 4096;
constexpr auto kFollowWait = 100ms;
constexpr auto kLongestRest = 1s;
constexpr auto kWriteEvery = 30s;  // what a crash of this process would replay
constexpr auto kRenewEvery = 60s;  // windows that have expired leave with that
constexpr auto kTryAgain = 5s;
constexpr auto kAskEvery = 250ms;  // where the changelogs end
constexpr auto kEndHolds = 1s;     // what the log said of that

bool has_windows(const Subtopology& subtopology) {
  return std::ranges::any_of(subtopology.stores, [](const StorePlan& store) { return store.retention_ms.has_value(); });
}

}  // namespace

struct StandbyCopies::Kept {
  std::shared_ptr<const QueryRun> original;
  std::shared_ptr<QueryRun> run;  // of its own: nothing is counted, nobody is waited for
  std::unique_ptr<Task> task;
  std::vector<Follower> followers;
  Clock::time_point made = Clock::now();
  Clock::time_point ends_known{};  // when the log was asked last for where its changelogs end
};

std::int64_t StandbyCopies::Copy::behind() const {
  std::int64_t sum = 0;
  for (const Lag& lag : stores) sum += lag.end - lag.position;
  return sum;
}

StandbyCopies::StandbyCopies(Setup setup) : setup_(std::move(setup)) {
  environment_.state = setup_.state;
  environment_.events = setup_.events;
  environment_.sources.schemas = setup_.schemas;
  environment_.wake = [] {};
  thread_ = std::thread([this] { run(); });
}

StandbyCopies::~StandbyCopies() {
  stop();
}

void StandbyCopies::stop() {
  {
    const MutexLock lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
  }
  if (!thread_.joinable()) return;
  thread_.join();
  const MutexLock lock(mutex_);
  put_away([](const Kept&) { return true; }, true);
}

StandbyCopies::Key StandbyCopies::key_of(const Wanted& wanted) {
  return {wanted.run->plan->query_id, wanted.place.subtopology, wanted.place.partition};
}

bool StandbyCopies::is_wanted(const Wanted& wanted) const {
  const auto found = wanted_.find(key_of(wanted));
  return found != wanted_.end() && found->second.run == wanted.run && !wanted.run->stopped &&
         !taken_.contains(wanted.place.slot);
}

void StandbyCopies::keep(std::vector<Wanted> wanted) {
  std::map<Key, Wanted> by_key;
  for (Wanted& one : wanted) by_key.emplace(key_of(one), std::move(one));
  const MutexLock lock(mutex_);
  wanted_.swap(by_key);
  wake_.notify_all();
}

void StandbyCopies::take(std::span<const SlotId> slots) {
  const MutexLock lock(mutex_);
  taken_.insert(slots.begin(), slots.end());
  put_away([&](const Kept& copy) REQUIRES(mutex_) { return taken_.contains(copy.task->place().slot); }, true);
}

void StandbyCopies::give_back(std::span<const SlotId> slots) {
  const MutexLock lock(mutex_);
  for (const SlotId slot : slots) taken_.erase(slot);
  wake_.notify_all();
}

void StandbyCopies::forget(const std::string& query_id) {
  const MutexLock lock(mutex_);
  std::erase_if(wanted_, [&](const auto& entry) { return std::get<0>(entry.first) == query_id; });
  put_away([&](const Kept& copy) { return copy.run->plan->query_id == query_id; }, false);
}

void StandbyCopies::put_away(const std::function<bool(const Kept&)>& chosen, bool write) {
  std::vector<Store*> stores;
  for (const auto& [key, copy] : copies_)
    if (write && chosen(*copy))
      for (const Follower& follower : copy->followers)
        stores.push_back(copy->task->stores()[follower.store].store.get());
  // Where that fails the changelog has it all the same.
  if (!stores.empty())
    if (Status written = spill_stores(*setup_.state, stores); !written)
      spdlog::warn("standby: {}", written.error().message);
  std::erase_if(copies_, [&](const auto& entry) REQUIRES(mutex_) {
    if (!chosen(*entry.second)) return false;
    for (const Follower& follower : entry.second->followers)
      if (follower.source != kNoRead) gone_.push_back(follower.source);
    return true;
  });
}

void StandbyCopies::run() {
  MutexLock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    start_some();
    lock.lock();
    if (copies_.empty()) {
      reader_.reset();
      gone_.clear();
      wake_.wait_for(lock, kLongestRest);
      continue;
    }
    lock.unlock();
    auto fetch = reader_->poll(kRecordsPerFetch, kFollowWait);
    const auto began = Clock::now();
    lock.lock();
    if (!fetch) {
      const ReadHandle source = reader_->at_fault();
      spdlog::warn("standby: {}", fetch.error().message);
      put_away(
          [&](const Kept& copy) {
            return source != kNoRead && std::ranges::any_of(copy.followers, [&](const Follower& follower) {
                     return follower.source == source;
                   });
          },
          true);
    } else if (*fetch) {
      follow(**fetch);
    }
    look_at_ends();
    write_if_due();
    lock.unlock();
    ask_ends();
    rest(fetch ? Clock::now() - began : kLongestRest);
    lock.lock();
  }
}

/// So that the work takes no more than its share of a core.
void StandbyCopies::rest(Clock::duration worked) {
  const auto rest = std::min<Clock::duration>(
      std::chrono::duration_cast<Clock::duration>(worked * (1.0 / setup_.share - 1.0)), kLongestRest);
  if (rest < 1ms) return;
  MutexLock lock(mutex_);
  wake_.wait_for(lock, rest, [&]() REQUIRES(mutex_) { return stopping_; });
}

/// Those that are wanted and not there; and anew those whose windows should expire.
void StandbyCopies::start_some() {
  std::vector<Wanted> missing;
  {
    const MutexLock lock(mutex_);
    const auto now = Clock::now();
    put_away(
        [&](const Kept& copy) REQUIRES(mutex_) {
          return !is_wanted({copy.original, copy.task->place()}) ||
                 (now - copy.made > kRenewEvery &&
                  has_windows(copy.run->plan->subtopologies[copy.task->place().subtopology]));
        },
        true);
    std::erase_if(failed_, [&](const auto& failed) { return now - failed.second > kTryAgain; });
    for (const auto& [key, wanted] : wanted_) {
      if (copies_.contains(key) || !is_wanted(wanted)) continue;
      if (!failed_.contains(key)) missing.push_back(wanted);
    }
    if (reader_)
      for (const ReadHandle source : gone_) reader_->remove(source);
    gone_.clear();
  }
  if (missing.empty()) return;
  std::vector<TopicPartition> changelogs;
  for (const Wanted& wanted : missing)
    for (const StorePlan& store : wanted.run->plan->subtopologies[wanted.place.subtopology].stores)
      if (!store.changelog_topic.empty()) changelogs.push_back({store.changelog_topic, wanted.place.partition});
  const auto asked = Clock::now();
  const auto bounds = setup_.log->bounds_of(changelogs, false);
  const auto progress = setup_.progress(missing);
  if (!reader_) {
    auto reader = setup_.log->reader(setup_.client_id);
    if (reader) reader_ = std::move(*reader);
  }
  std::size_t at = 0;
  const MutexLock lock(mutex_);
  for (std::size_t i = 0; i < missing.size(); ++i) {
    const auto& stores = missing[i].run->plan->subtopologies[missing[i].place.subtopology].stores;
    const auto count = static_cast<std::size_t>(
        std::ranges::count_if(stores, [](const StorePlan& store) { return !store.changelog_topic.empty(); }));
    const std::size_t first = std::exchange(at, at + count);
    if (!is_wanted(missing[i])) continue;
    const Key key = key_of(missing[i]);
    Status opened = !bounds        ? Status(bounds.error())
                    : !reader_     ? Status(unavailable_error("no reader"))
                    : !progress[i] ? Status(unavailable_error("no progress is known"))
                                   : open(missing[i], *progress[i], std::span(*bounds).subspan(first, count));
    if (opened) {
      copies_.at(key)->ends_known = asked;
      continue;
    }
    spdlog::warn("standby of {} partition {}: {}", std::get<0>(key), std::get<2>(key), opened.error().message);
    failed_[key] = Clock::now();
  }
}

Status StandbyCopies::open(const Wanted& wanted, const Progress& progress, std::span<const Log::Bounds> bounds) {
  auto copy = std::make_unique<Kept>();
  copy->original = wanted.run;
  copy->run = std::make_shared<QueryRun>(wanted.run->plan, wanted.run->layout);
  auto made = Task::make(copy->run, wanted.place, environment_, progress);
  if (!made) return made.error();
  copy->task = std::move(*made);
  Status outcome;
  auto& stores = copy->task->stores();
  std::size_t at = 0;
  for (std::size_t i = 0; i < stores.size() && outcome; ++i) {
    if (stores[i].changelog.empty()) continue;
    // Stores are made in the order of the operators, bounds are in that of the plan.
    const auto& plans = wanted.run->plan->subtopologies[wanted.place.subtopology].stores;
    at = 0;
    for (const StorePlan& plan : plans) {
      if (&plan == stores[i].plan) break;
      if (!plan.changelog_topic.empty()) ++at;
    }
    const auto from = begin_of_tail(*copy->task, stores[i], bounds[at], true);
    if (!from) {
      outcome = from.error();
      break;
    }
    auto source = reader_->add({stores[i].changelog, wanted.place.partition}, *from);
    if (!source)
      outcome = source.error();
    else
      copy->followers.push_back({i, *source, *from, bounds[at].end, bounds[at].end});
  }
  if (!outcome) {
    for (const Follower& follower : copy->followers) reader_->remove(follower.source);
    return outcome;
  }
  copies_[key_of(wanted)] = std::move(copy);
  return {};
}

void StandbyCopies::follow(const Fetch& fetch) {
  for (auto& [key, copy] : copies_) {
    for (Follower& follower : copy->followers) {
      if (follower.source != fetch.source) continue;
      Store& store = *copy->task->stores()[follower.store].store;
      Status done = store.restore(fetch.records);
      if (done) done = store.restored(fetch.next_offset);
      follower.position = fetch.next_offset;
      follower.end = std::max(follower.end, follower.position);
      if (done) return;
      spdlog::warn("standby of {} partition {}: {}", std::get<0>(key), std::get<2>(key), done.error().message);
      failed_[key] = Clock::now();
      const Kept* broken = copy.get();
      return put_away([&](const Kept& one) { return &one == broken; }, false);
    }
  }
}

/// Waits for the log, without locks.
void StandbyCopies::ask_ends() {
  const auto asked = Clock::now();
  if (asked - last_asked_ < kAskEvery) return;
  last_asked_ = asked;
  std::vector<TopicPartition> changelogs;
  {
    const MutexLock lock(mutex_);
    for (const auto& [key, copy] : copies_)
      for (const Follower& follower : copy->followers)
        changelogs.push_back({copy->task->stores()[follower.store].changelog, copy->task->place().partition});
  }
  const auto bounds = setup_.log->bounds_of(changelogs);
  if (!bounds) return;
  std::map<TopicPartition, std::int64_t> ends;
  for (std::size_t i = 0; i < changelogs.size(); ++i) ends[changelogs[i]] = (*bounds)[i].end;
  const MutexLock lock(mutex_);
  for (auto& [key, copy] : copies_) {
    bool all = true;
    for (Follower& follower : copy->followers) {
      const auto end = ends.find({copy->task->stores()[follower.store].changelog, copy->task->place().partition});
      all = all && end != ends.end();
      if (end != ends.end()) follower.end = std::max(follower.position, end->second);
    }
    if (all) copy->ends_known = asked;
  }
}

void StandbyCopies::look_at_ends() {
  for (auto& [key, copy] : copies_) {
    for (Follower& follower : copy->followers) {
      // How far markers and gaps go comes as a fetch without records. What the reader takes for the end may lie beyond
      // records that it has not given.
      if (!reader_->ended(follower.source)) reader_->ask_end(follower.source);
      follower.end = std::max(follower.end, follower.position);
    }
  }
}

void StandbyCopies::write_if_due() {
  std::size_t undurable = 0;
  for (const auto& [key, copy] : copies_)
    for (const Follower& follower : copy->followers)
      undurable += copy->task->stores()[follower.store].store->undurable_bytes();
  if (undurable > setup_.memory_bytes || (undurable > 0 && Clock::now() - last_written_ > kWriteEvery)) write_all();
}

void StandbyCopies::write_all() {
  last_written_ = Clock::now();
  std::vector<Store*> stores;
  for (const auto& [key, copy] : copies_)
    for (const Follower& follower : copy->followers) stores.push_back(copy->task->stores()[follower.store].store.get());
  if (Status written = spill_stores(*setup_.state, stores); !written)
    return spdlog::warn("standby: {}", written.error().message);
  for (Store* store : stores) store->shrink(0);
}

std::vector<StandbyCopies::Copy> StandbyCopies::report() const {
  std::vector<Copy> all;
  const MutexLock lock(mutex_);
  for (const auto& [key, kept] : copies_) {
    Copy copy{std::get<0>(key), std::get<1>(key), std::get<2>(key), kept->task->place().slot, {}};
    for (const Follower& follower : kept->followers) {
      const Task::StoreEntry& store = kept->task->stores()[follower.store];
      copy.stores.push_back({store.plan->name, store.changelog, follower.position, follower.end});
    }
    all.push_back(std::move(copy));
  }
  return all;
}

/// A reader that is cut off from the log would not notice that it goes on: the log itself has to have told lately.
bool StandbyCopies::keeps_up(const Kept& copy, std::int64_t lag) {
  const auto whole = [](const Follower& follower) { return follower.position >= follower.whole_from; };
  if (!std::ranges::all_of(copy.followers, whole)) return false;
  if (lag == std::numeric_limits<std::int64_t>::max()) return true;
  if (Clock::now() - copy.ends_known > kEndHolds) return false;
  return behind(copy) <= lag;
}

std::int64_t StandbyCopies::behind(const Kept& copy) {
  std::int64_t sum = 0;
  for (const Follower& follower : copy.followers) sum += follower.end - follower.position;
  return sum;
}

std::map<SlotId, std::int64_t> StandbyCopies::behind() const {
  std::map<SlotId, std::int64_t> slots;
  std::set<SlotId> lacking;
  const MutexLock lock(mutex_);
  for (const auto& [key, wanted] : wanted_) {
    const auto found = copies_.find(key);
    if (found == copies_.end())
      lacking.insert(wanted.place.slot);
    else
      slots[wanted.place.slot] += behind(*found->second);
  }
  for (const SlotId slot : lacking) slots.erase(slot);
  return slots;
}

StandbyCopies::Visited StandbyCopies::visit(const std::string& query_id, std::size_t subtopology, int partition,
                                            std::int64_t lag, const std::function<void(Task&)>& with) {
  const MutexLock lock(mutex_);
  const auto found = copies_.find({query_id, subtopology, partition});
  if (found == copies_.end()) return Visited::absent;
  if (!keeps_up(*found->second, lag)) return Visited::behind;
  with(*found->second->task);
  return Visited::yes;
}

}  // namespace millrace::inline exec
