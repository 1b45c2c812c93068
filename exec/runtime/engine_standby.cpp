#include <algorithm>

#include "exec/runtime/engine_impl.h"
#include "exec/runtime/standby_places.h"

// Copies of the state of slots that other processes own.
namespace millrace::inline exec {
namespace {

constexpr std::chrono::milliseconds kPlaceEvery{500};
constexpr std::size_t kLeastStandbyMemory = 4 << 20, kMostStandbyMemory = 8 << 20;

bool keeps_changelog(const Subtopology& subtopology) {
  return std::ranges::any_of(subtopology.stores, [](const StorePlan& store) { return !store.changelog_topic.empty(); });
}

}  // namespace

void EngineImpl::open_lender() {
  Lender::Setup setup;
  setup.address = options_.advertised;
  setup.lends = options_.standbys > 0 && state_ != nullptr;
  setup.acceptable_lag = options_.acceptable_lag;
  setup.warm_ups = options_.warm_ups;
  setup.remote = options_.remote.get();
  setup.membership = membership_.get();
  setup.slots = slots_.get();
  setup.runner = this;
  setup.control = &control_;
  LoanRecords records(log_, *slots_, *membership_, writers().loans());
  const bool lends = setup.lends;
  lender_ = std::make_unique<Lender>(std::move(setup), std::move(records));
  SlotOwners::Correct correct;
  if (lends) correct = [this](std::vector<std::string>& owners) { lender_->correct(owners); };
  owners_ = std::make_unique<SlotOwners>(*membership_, std::move(correct));
}

LoanAnswer EngineImpl::answer_loans(const LoanQuestion& question) {
  return lender_ ? lender_->answer(question) : LoanAnswer{};
}

std::set<SlotId> EngineImpl::slots_with_state() {
  std::set<SlotId> slots;
  for (const auto& run : all_runs())
    for (std::size_t sub = 0; sub < run->layout.subtopologies.size(); ++sub)
      if (keeps_changelog(run->plan->subtopologies[sub]))
        for (int partition = 0; partition < run->layout.subtopologies[sub].tasks; ++partition)
          slots.insert(run->layout.slot_of(sub, partition));
  return slots;
}

void EngineImpl::open_standbys() {
  if (options_.standbys == 0 || !has_others() || !state_) return;
  StandbyCopies::Setup setup;
  setup.log = &log_;
  setup.state = state_.get();
  setup.events = &events_;
  setup.schemas = options_.schemas.get();
  setup.client_id = options_.service_id + options_.process_id + "-standby";
  setup.memory_bytes = std::clamp(options_.state_memory_bytes / 16, kLeastStandbyMemory, kMostStandbyMemory);
  setup.share = options_.standby_share;
  setup.progress = [this](std::span<const StandbyCopies::Wanted> wanted) { return progress_of_copies(wanted); };
  standbys_ = std::make_unique<StandbyCopies>(std::move(setup));
}

std::vector<std::optional<Progress>> EngineImpl::progress_of_copies(std::span<const StandbyCopies::Wanted> wanted) {
  std::set<SlotId> slots;
  for (const auto& one : wanted) slots.insert(one.place.slot);
  std::vector<std::optional<Progress>> all(wanted.size());
  if (!slots_->refresh(std::vector<SlotId>(slots.begin(), slots.end()))) return all;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const PhysicalPlan& plan = *wanted[i].run->plan;
    const TaskPlace& place = wanted[i].place;
    const auto found =
        slots_->find(place.slot, progress_key(plan, plan.subtopologies[place.subtopology], place.partition));
    if (!found) continue;
    if (auto progress = decode_progress(*found)) all[i] = std::move(*progress);
  }
  return all;
}

void EngineImpl::look_after_standbys() {
  const auto now = Clock::now();
  if (!standbys_ || now - last_standby_look_ < kPlaceEvery || placing_standbys_.exchange(true)) return;
  last_standby_look_ = now;
  owners_->look([this] {
    place_standbys();
    placing_standbys_ = false;
  });
}

/// The same in all processes that see the same group. Who moves nothing is not moved: a slot that nobody owns for the
/// moment keeps its copies.
void EngineImpl::place_standbys() {
  const std::vector<std::string> members = owners_->members();
  const std::set<SlotId> warming = lender_->warming_up();
  const std::map<SlotId, std::int64_t> copied = standbys_->behind();
  std::vector<StandbyCopies::Wanted> wanted;
  std::set<SlotId> slots;
  for (const auto& run : all_runs()) {
    for (std::size_t sub = 0; sub < run->layout.subtopologies.size(); ++sub) {
      if (!keeps_changelog(run->plan->subtopologies[sub])) continue;
      for (int partition = 0; partition < run->layout.subtopologies[sub].tasks; ++partition) {
        const SlotId slot = run->layout.slot_of(sub, partition);
        const std::string owner = owners_->of(slot);
        const bool keep = warming.contains(slot) ||
                          (owner.empty() ? copied.contains(slot)
                                         : keeps_copy(options_.advertised, slot, owner, members, options_.standbys));
        if (!keep) continue;
        wanted.push_back({run, {sub, partition, slot}});
        slots.insert(slot);
      }
    }
  }
  standbys_->keep(std::move(wanted));
  const MutexLock lock(mutex_);
  for (const SlotId slot : slots) slot_owned_[index_of(slot)] = Clock::now();
}

std::vector<std::string> EngineImpl::keepers_of(SlotId slot) const {
  return by_rank(slot, owners_->of(slot), owners_->members());
}

std::vector<CopyStatus> EngineImpl::copies() {
  std::vector<CopyStatus> all;
  if (!standbys_) return all;
  for (StandbyCopies::Copy& copy : standbys_->report()) {
    const auto run = find(copy.query_id);
    if (!run) continue;
    CopyStatus status{
        copy.query_id, run->plan->subtopologies[copy.subtopology].id, copy.partition, partition_of(copy.slot), {}};
    for (StandbyCopies::Lag& lag : copy.stores)
      status.stores.push_back({std::move(lag.store), std::move(lag.changelog), lag.position, lag.end});
    all.push_back(std::move(status));
  }
  return all;
}

}  // namespace millrace::inline exec
