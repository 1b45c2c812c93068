#include <spdlog/spdlog.h>

#include <algorithm>
#include <iterator>

#include "exec/runtime/engine_impl.h"
#include "exec/runtime/topic_counts.h"
#include "parser/error/mutex.h"

// Who runs what: slots of this process, dealt to its workers; and the housekeeper.
namespace millrace::inline exec {
namespace {

constexpr std::chrono::milliseconds kHousePoll{50};
constexpr std::chrono::seconds kLongHouse{1};
constexpr std::chrono::seconds kPartitionsEvery{1}, kPartitionsSeldom{5};
constexpr std::chrono::milliseconds kLongLook{100};
constexpr std::chrono::seconds kTruncateEvery{2}, kFollowEvery{2};
constexpr std::chrono::seconds kRefreshEvery{60};
constexpr std::chrono::minutes kChoiceHolds{1};
constexpr std::chrono::milliseconds kStateLookAtMost{60'000};

}  // namespace

Status EngineImpl::join() {
  if (!membership_) {
    granted(all_slots(slots_->slots()));
  } else {
    Membership::Events events;
    events.granted = [this](const std::vector<SlotId>& slots) { granted(slots); };
    events.revoked = [this](const std::vector<SlotId>& slots) {
      const MutexLock control(control_);
      if (lender_)
        lender_->revoked(slots);
      else
        stop_slots(slots, true);
    };
    events.lost = [this](const std::vector<SlotId>& slots) {
      const MutexLock control(control_);
      if (lender_)
        lender_->lost();
      else
        stop_slots(slots, false);
    };
    const int workers = workers_.lanes();
    const std::string member = member_id_of(options_.process_id, workers);
    if (auto joined = membership_->join(member, std::move(events)); !joined) return joined;
    departed_ = std::make_unique<DepartedProcesses>(log_, *membership_, options_.service_id, member, workers, [this] {
      std::vector<std::string> combinations;
      workers_.each_group([&](const Workers::Group& group) { combinations.push_back(group.clusters); });
      return combinations;
    });
  }
  if (options_.workers > 0) {
    house_ = std::thread([this] { keep_house(); });
    chores_ = std::thread([this] { do_chores(); });
  }
  return {};
}

void EngineImpl::granted(const std::vector<SlotId>& slots) {
  if (departed_) departed_->look();
  const MutexLock control(control_);
  if (lender_)
    lender_->granted(slots);
  else
    run_slots(slots);
}

// A new slot goes to the worker that has the fewest; those that have one keep it.
void EngineImpl::run_slots(const std::vector<SlotId>& slots) {
  control_.assert_held();
  if (standbys_) standbys_->take(slots);
  {
    const MutexLock lock(mutex_);
    std::vector<int> load(static_cast<std::size_t>(workers_.lanes()), 0);
    for (const int lane : slot_worker_)
      if (lane >= 0) ++load[static_cast<std::size_t>(lane)];
    for (const SlotId slot : slots) {
      if (slot_worker_[index_of(slot)] >= 0) continue;
      const auto least = std::min_element(load.begin(), load.end());
      slot_worker_[index_of(slot)] = static_cast<int>(least - load.begin());
      ++*least;
    }
  }
  static_cast<void>(launch(all_runs()).has_value());
}

EngineImpl::Runs EngineImpl::all_runs() {
  Runs runs;
  const MutexLock lock(mutex_);
  for (const auto& [id, run] : runs_) runs.push_back(run);
  return runs;
}

void EngineImpl::stop_slots(const std::vector<SlotId>& slots, bool commit) {
  control_.assert_held();
  {
    const MutexLock lock(mutex_);
    for (const SlotId slot : slots) slot_worker_[index_of(slot)] = -1;
  }
  const auto gone = [&](const Task& task) {
    return std::find(slots.begin(), slots.end(), task.place().slot) != slots.end();
  };
  // Others wait for the slots: what goes to a cluster that is away is done again there.
  workers_.each_group([&](const Workers::Group& group) {
    const bool last_commit = commit && !any_away(group);
    for (const auto& worker : group.workers) worker->drop_tasks(gone, last_commit);
  });
  if (standbys_) standbys_->give_back(slots);
}

// With the first partitions of each subtopology: they tell which there were when the query was accepted.
std::vector<SlotId> EngineImpl::owned_slots_of(const QueryRun& run) {
  std::vector<SlotId> slots;
  const MutexLock lock(mutex_);
  for (std::size_t sub = 0; sub < run.layout.subtopologies.size(); ++sub) {
    for (int partition = 0; partition < run.layout.subtopologies[sub].tasks; ++partition) {
      const SlotId slot = run.layout.slot_of(sub, partition);
      if (slot_worker_[index_of(slot)] >= 0) slots.push_back(slot);
    }
  }
  if (slots.empty()) return slots;
  for (std::size_t sub = 0; sub < run.layout.subtopologies.size(); ++sub) slots.push_back(run.layout.slot_of(sub, 0));
  return slots;
}

Result<Progress> EngineImpl::progress_of(const QueryRun& run, std::size_t subtopology, int partition, SlotId slot) {
  const auto key = progress_key(*run.plan, run.plan->subtopologies[subtopology], partition);
  if (const auto found = slots_->find(slot, key)) return decode_progress(*found);
  // It was written when the query was accepted, so it is lost, unless the partition has come since.
  const SubtopologyLayout& layout = run.layout.subtopologies[subtopology];
  const auto first = progress_key(*run.plan, run.plan->subtopologies[subtopology], 0);
  const bool grown = partition > 0 && slots_->find(run.layout.slot_of(subtopology, 0), first);
  if (grown && !run.plan->subtopologies[subtopology].stores.empty())
    return user_error(
        "a source topic of {} has got more partitions ({} now): the rows of a key would not meet its state any more; "
        "drop the query and create it again",
        run.plan->query_id, layout.tasks);
  QueryOptions options = run.plan->options;
  if (!grown && !run.lost_records)
    return user_error("the progress of {} partition {} is missing in the topic {}: drop the query and create it again",
                      run.plan->query_id, partition, slots_->topic());
  options.from_earliest = grown || *run.lost_records == GoOn::at_begin;
  return initial_progress(options, layout, partition);
}

// For those who were asked to: to the first or the last record there is, where the one they stood at is not there.
Result<bool> EngineImpl::pass_over_lost(QueryRun& run, std::size_t subtopology, int partition, Progress& progress) {
  if (!run.lost_records) return false;
  bool moved = false;
  for (const LayoutInput& input : run.layout.subtopologies[subtopology].inputs) {
    if (input.internal || partition >= input.partitions) continue;
    const auto bounds = log_.bounds({input.topic, partition}, false);
    if (!bounds) return bounds.error();
    const bool other = run.is_other({input.topic, partition});
    for (auto& [topic, offset] : progress.offsets) {
      if (topic != input.topic || (!other && offset >= bounds->begin && offset <= bounds->end)) continue;
      const std::int64_t next = *run.lost_records == GoOn::at_begin ? bounds->begin : bounds->end;
      spdlog::warn("query {}: goes on at offset {} of topic '{}' partition {}; it stood at {}", run.plan->query_id,
                   next, topic, partition, offset);
      offset = next;
      std::erase_if(progress.witnesses, [&](const auto& witness) { return witness.first == input.topic; });
      run.accept_other({input.topic, partition});
      moved = true;
    }
  }
  return moved;
}

// Adds the tasks whose slots are ours; those that run already stay as they are. A worker gets all of its own at once,
// so that those over one topic begin to read it together.
Status EngineImpl::launch(const Runs& runs, int only_worker) {
  Runs ours;
  std::vector<SlotId> slots;
  for (const auto& run : runs) {
    if (Clock::now() - run->lost_records_since > kChoiceHolds) run->lost_records.reset();
    const std::vector<SlotId> owned = owned_slots_of(*run);
    if (owned.empty()) continue;
    slots.insert(slots.end(), owned.begin(), owned.end());
    ours.push_back(run);
  }
  if (ours.empty()) return {};
  std::sort(slots.begin(), slots.end());
  slots.erase(std::unique(slots.begin(), slots.end()), slots.end());
  if (auto done = slots_->refresh(slots); !done) {
    for (const auto& run : ours) run->fail(done.error());
    return {};
  }
  Dealt dealt;
  for (const auto& run : ours) {
    Dealt its;
    if (auto done = deal(run, only_worker, its); !done) {
      run->fail(done.error());
      continue;
    }
    for (auto& [worker, tasks] : its) std::move(tasks.begin(), tasks.end(), std::back_inserter(dealt[worker]));
  }
  std::vector<Worker*> concerned;
  for (const auto& [worker, tasks] : dealt) concerned.push_back(&workers_.at(worker));
  return tell_workers(concerned, [&](Worker& worker, std::chrono::milliseconds left) {
    return worker.add_tasks(std::move(dealt[static_cast<int>(worker.index())]), left);
  });
}

Status EngineImpl::deal(const std::shared_ptr<QueryRun>& run, int only_worker, Dealt& dealt) {
  for (std::size_t sub = 0; sub < run->layout.subtopologies.size(); ++sub) {
    for (int partition = 0; partition < run->layout.subtopologies[sub].tasks; ++partition) {
      const SlotId slot = run->layout.slot_of(sub, partition);
      int lane = -1;
      {
        const MutexLock lock(mutex_);
        lane = slot_worker_[index_of(slot)];
      }
      const int worker = lane < 0 ? -1 : workers_.index_of(run->group, lane);
      // Before the first of them runs: it must not take those to come for absent.
      if (run->pace) run->pace->expect(sub, partition, worker >= 0);
      if (worker < 0 || (only_worker >= 0 && worker != only_worker)) continue;
      auto progress = progress_of(*run, sub, partition, slot);
      if (!progress) return progress.error();
      const auto moved = pass_over_lost(*run, sub, partition, *progress);
      if (!moved) return moved.error();
      dealt[worker].push_back({run, {sub, partition, slot}, std::move(*progress), {}, *moved});
    }
  }
  return {};
}

void EngineImpl::keep_house() {
  while (true) {
    if (!membership_) {
      MutexLock lock(notes_mutex_);
      house_wake_.wait_for(lock, kHousePoll, [&]() REQUIRES(notes_mutex_) { return stopping_ || !fenced_.empty(); });
    }
    if (stopping_) return;
    keep_house_once();
  }
}

void EngineImpl::keep_house_once() {
  if (membership_)
    if (auto polled = membership_->poll(kHousePoll); !polled) spdlog::warn("membership: {}", polled.error().message);
  look_after_standbys();
  make_late_changes();
  replace_fenced();
  restart_failed();
  start_waiting();
  images_.forget_idle();
  look_after_push_hosts();
  const auto now = Clock::now();
  if (now - last_state_look_ >= std::min(options_.keep_state_elsewhere / 2, kStateLookAtMost)) {
    last_state_look_ = now;
    drop_state_elsewhere();
  }
  if (last_refresh_ == Clock::time_point{}) last_refresh_ = now;
  if (now - last_refresh_ >= kRefreshEvery) {
    last_refresh_ = now;
    std::vector<SlotId> owned;
    {
      const MutexLock lock(mutex_);
      for (const SlotId slot : all_slots(slots_->slots()))
        if (slot_worker_[index_of(slot)] >= 0) owned.push_back(slot);
    }
    if (auto done = slots_->refresh(owned); !done) spdlog::warn("slots: {}", done.error().message);
  }
}

/// What may wait for the log: apart from the membership, which wants to be polled.
void EngineImpl::do_chores() {
  auto truncation_due = Clock::now() + kTruncateEvery;
  auto partitions_due = Clock::now(), following_due = Clock::now() + kFollowEvery;
  while (true) {
    {
      MutexLock lock(notes_mutex_);
      house_wake_.wait_until(lock, std::min({truncation_due, partitions_due, following_due}),
                             [&]() REQUIRES(notes_mutex_) { return stopping_.load(); });
    }
    if (stopping_) return;
    if (Clock::now() >= following_due) {
      if (membership_ || has_parts())
        if (Status followed = slots_->follow(); !followed) spdlog::debug("progress: {}", followed.error().message);
      following_due = Clock::now() + kFollowEvery;
    }
    if (Clock::now() >= truncation_due) {
      truncate_parts();
      truncate();
      truncation_due = Clock::now() + kTruncateEvery;
    }
    const auto began = Clock::now();
    if (began < partitions_due) continue;
    look_for_partitions();
    partitions_due = Clock::now() + (Clock::now() - began > kLongLook ? kPartitionsSeldom : kPartitionsEvery);
  }
}

void EngineImpl::restart_failed() {
  std::vector<std::shared_ptr<QueryRun>> due = all_runs();
  std::erase_if(due, [&](const auto& run) {
    return !run->failed || run->due(options_.retry_first, options_.retry_longest) > Clock::now();
  });
  for (const auto& run : due) {
    if (stopping_) return;
    const MutexLock control(control_);
    if (find(run->plan->query_id) != run) continue;
    if (!has_left(run, false)) continue;  // it will be due the next time
    ++run->restarts;
    run->started();
    static_cast<void>(launch({run}).has_value());
  }
}

void EngineImpl::watch_partitions(const std::shared_ptr<QueryRun>& transient) {
  const MutexLock lock(push_mutex_);
  std::erase_if(watched_, [](const auto& run) { return run.expired(); });
  watched_.push_back(transient);
}

// Topics that have got partitions since their queries were started: those start anew, before rows that moved with
// their keys come to state that is not theirs.
void EngineImpl::look_for_partitions() {
  const Runs runs = all_runs();
  Runs transients;
  {
    const MutexLock lock(push_mutex_);
    for (const auto& watched : watched_)
      if (auto run = watched.lock()) transients.push_back(std::move(run));
  }
  std::set<std::string> names;
  for (const Runs& list : {runs, transients})
    for (const auto& run : list) run->layout.each_source([&](const LayoutInput& input) { names.insert(input.topic); });
  if (names.empty()) return;
  auto counts = partition_counts(log_, names);
  if (!counts) return;  // the next look will tell
  const auto grown_topic = [&](const QueryRun& run) {
    const LayoutInput* grown = nullptr;
    run.layout.each_source([&](const LayoutInput& input) {
      if ((*counts)[input.topic] > input.partitions) grown = &input;
    });
    return grown;
  };
  for (const auto& run : transients)
    if (const LayoutInput* grown = grown_topic(*run))
      run->fail(user_error("topic '{}' has got more partitions ({} now), which this query does not read: ask again",
                           grown->topic, (*counts)[grown->topic]));
  std::set<std::string> concerned;  // who reads what grown parts give has to know of their new tasks
  for (const auto& run : runs) {
    if (grown_topic(*run) == nullptr) continue;
    concerned.insert(run->plan->query_id);
    concerned.merge(users_of(run->plan->query_id));
  }
  for (const auto& run : runs) {
    if (stopping_) return;
    if (!concerned.contains(run->plan->query_id)) continue;
    TopicSizes sizes(log_);
    auto layout = make_layout(sizes, *run->plan, slots_->slots());
    const MutexLock control(control_);
    if (stopping_) return;  // the workers may have ended
    if (!layout || find(run->plan->query_id) != run) continue;
    spdlog::warn("query {}: a source topic has got more partitions", run->plan->query_id);
    if (!has_left(run, true)) continue;  // the next look finds it again
    {
      const MutexLock lock(mutex_);
      runs_.erase(run->plan->query_id);
    }
    static_cast<void>(launch({enlist({run->plan, run->paused, run->identity}, std::move(*layout))}).has_value());
  }
}

// What others have owned for long takes room here, and would be out of date if it came back.
void EngineImpl::drop_state_elsewhere() {
  if (!membership_ || !state_) return;
  const MutexLock control(control_);  // nobody takes the slots over meanwhile
  for (const std::string& name : state_elsewhere())
    if (auto dropped = state_->drop_store(name); !dropped) spdlog::warn("state: {}", dropped.error().message);
}

std::vector<std::string> EngineImpl::state_elsewhere() {
  std::vector<std::string> names;
  const auto now = Clock::now();
  const MutexLock lock(mutex_);
  for (std::size_t slot = 0; slot < slot_worker_.size(); ++slot)
    if (slot_worker_[slot] >= 0) slot_owned_[slot] = now;
  for (const auto& [id, run] : runs_) {
    for (std::size_t sub = 0; sub < run->layout.subtopologies.size(); ++sub) {
      for (int partition = 0; partition < run->layout.subtopologies[sub].tasks; ++partition) {
        const std::size_t slot = index_of(run->layout.slot_of(sub, partition));
        if (now - slot_owned_[slot] <= options_.keep_state_elsewhere) continue;
        for (const StorePlan& store : run->plan->subtopologies[sub].stores)
          names.push_back(state_name(*run->plan, store.name, partition));
      }
    }
  }
  return names;
}

void EngineImpl::start_waiting() {
  std::vector<std::shared_ptr<const PhysicalPlan>> due;
  {
    const MutexLock lock(mutex_);
    for (const auto& [id, waiting] : waiting_)
      if (waiting.due <= Clock::now()) due.push_back(waiting.plan);
  }
  const auto began = Clock::now();
  for (const auto& plan : due) {
    if (stopping_) return;
    TopicSizes sizes(log_);
    auto layout = layout_to_run(sizes, *plan);  // may take its time, and holds up nobody
    const MutexLock control(control_);
    Start start{plan};
    {
      const MutexLock lock(mutex_);
      const auto found = waiting_.find(plan->query_id);
      if (found == waiting_.end() || found->second.plan != plan) continue;
      start.paused = found->second.paused;
      start.identity = found->second.identity;
    }
    if (!layout) {
      put_off(start, layout.error());
    } else if (is_leaving(plan->query_id)) {
      put_off(start, still_leaving());
    } else {
      static_cast<void>(launch({enlist(start, std::move(*layout))}).has_value());
    }
    if (Clock::now() - began > kLongHouse) return;  // the membership wants to be polled
  }
}

void EngineImpl::replace_fenced() {
  std::set<int> fenced;
  {
    const MutexLock lock(notes_mutex_);
    fenced.swap(fenced_);
  }
  for (const int worker : fenced) {
    if (stopping_) return;
    const MutexLock control(control_);
    static_cast<void>(launch(all_runs(), worker).has_value());
  }
}

void EngineImpl::truncate() {
  std::map<TopicPartition, std::int64_t> work;
  {
    const MutexLock lock(notes_mutex_);
    if (backing_up_) return;
    work.swap(read_up_to_);
  }
  const std::vector<Log::Truncation> all(work.begin(), work.end());
  if (auto done = log_.truncate_all(all); !done) spdlog::debug("truncate: {}", done.error().message);
}

void EngineImpl::worker_fenced(int worker) {
  {
    const MutexLock lock(notes_mutex_);
    fenced_.insert(worker);
  }
  house_wake_.notify_all();
}

void EngineImpl::read_up_to(const TopicPartition& partition, std::int64_t offset) {
  const MutexLock lock(notes_mutex_);
  read_up_to_[partition] = offset;
}

}  // namespace millrace::inline exec
