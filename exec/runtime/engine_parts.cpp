#include <algorithm>

#include "exec/runtime/engine_impl.h"
#include "parser/error/mutex.h"

// Parts that queries share (PhysicalPlan::parts): each runs as a query of its own, which nobody sees, as long as one of
// those that have it.
namespace millrace::inline exec {

std::vector<const PhysicalPlan*> EngineImpl::with_parts(std::span<const PhysicalPlan* const> plans) {
  std::vector<const PhysicalPlan*> all;
  const auto add = [&](const PhysicalPlan* plan) {
    const auto same = [&](const PhysicalPlan* known) { return known->query_id == plan->query_id; };
    if (std::ranges::none_of(all, same)) all.push_back(plan);
  };
  for (const PhysicalPlan* plan : plans) {
    for (const PlanPtr& part : plan->parts) add(part.get());
    add(plan);
  }
  return all;
}

std::vector<Engine::Start> EngineImpl::with_parts(std::span<const Start> starts) {
  std::vector<Start> all;
  const MutexLock lock(mutex_);
  for (const Start& start : starts) {
    for (const PlanPtr& part : start.plan->parts) {
      const std::string& id = part->query_id;
      part_users_[id].insert(start.plan->query_id);
      const auto same = [&](const Start& known) { return known.plan->query_id == id; };
      if (const auto known = std::ranges::find_if(all, same); known != all.end())
        known->paused = known->paused && start.paused;
      else if (!runs_.contains(id) && !waiting_.contains(id))
        all.push_back({part, start.paused, stable_hash(filed_under(*part))});
    }
    all.push_back(start);
  }
  return all;
}

std::set<std::string> EngineImpl::users_of(const std::string& part) const {
  if (!part.starts_with(kPartPrefix)) return {};
  const MutexLock lock(mutex_);
  const auto known = part_users_.find(part);
  return known == part_users_.end() ? std::set<std::string>() : known->second;
}

bool EngineImpl::has_parts() const {
  const MutexLock lock(mutex_);
  return !part_users_.empty();
}

std::vector<std::string> EngineImpl::leave_parts(const std::string& query_id) {
  std::vector<std::string> unused;
  const MutexLock lock(mutex_);
  for (auto part = part_users_.begin(); part != part_users_.end();) {
    const bool last = part->second.erase(query_id) > 0 && part->second.empty();
    if (last) unused.push_back(part->first);
    part = last ? part_users_.erase(part) : std::next(part);
  }
  return unused;
}

std::vector<std::string> EngineImpl::parts_of(const std::string& query_id) const {
  PlanPtr plan;
  {
    const MutexLock lock(mutex_);
    if (const auto run = runs_.find(query_id); run != runs_.end())
      plan = run->second->plan;
    else if (const auto waiting = waiting_.find(query_id); waiting != waiting_.end())
      plan = waiting->second.plan;
  }
  std::vector<std::string> parts;
  if (plan)
    for (const PlanPtr& part : plan->parts) parts.push_back(part->query_id);
  return parts;
}

bool EngineImpl::is_paused(const std::string& query_id) const {
  if (const auto run = runs_.find(query_id); run != runs_.end()) return run->second->paused;
  const auto waiting = waiting_.find(query_id);
  return waiting != waiting_.end() && waiting->second.paused;
}

// They rest when all of their users do.
Status EngineImpl::rest_parts() {
  std::vector<std::pair<std::string, bool>> changes;
  {
    const MutexLock lock(mutex_);
    for (const auto& [part, users] : part_users_) {
      bool rests = true;
      for (const std::string& user : users) rests = rests && is_paused(user);
      if (rests != is_paused(part) && (runs_.contains(part) || waiting_.contains(part)))
        changes.emplace_back(part, rests);
    }
  }
  Status outcome;
  for (const auto& [part, rests] : changes)
    if (Status done = set_paused(part, rests); !done && outcome) outcome = done;
  return outcome;
}

EngineEvents EngineImpl::to_users(EngineEvents events) {
  if (!events.on_record_error) return events;
  events.on_record_error = [this, tell = std::move(events.on_record_error)](const ProcessingError& error) {
    const std::set<std::string> users = users_of(error.query_id);
    if (users.empty()) return tell(error);
    ProcessingError own = error;
    for (const std::string& user : users) {
      own.query_id = user;
      tell(own);
    }
  };
  return events;
}

namespace {

void add(const std::string& part, const QueryStatus& its, QueryStatus& status) {
  if (status.state == QueryState::running && its.state != QueryState::paused) status.state = its.state;
  if (status.error.empty() || its.error_time > status.error_time) {
    status.error = its.error;
    status.error_time = its.error_time;
  }
  status.rows_in += its.rows_in;
  status.late_rows += its.late_rows;
  status.bad_records += its.bad_records;
  status.restarts += its.restarts;
  status.lag = status.lag < 0 || its.lag < 0 ? -1 : status.lag + its.lag;
  std::vector<QueryStatus::Operator> steps = its.operators;
  for (QueryStatus::Operator& step : steps) step.name = step_of_part(part, step.name);
  status.operators.insert(status.operators.begin(), steps.begin(), steps.end());
}

/// Up to where the partitions of a topic are read by all who have said so, and who these are.
struct ReadBy {
  std::map<int, std::int64_t> least;
  std::set<std::string> keys;  // of their progress
};

ReadBy read_by(const SlotTable& slots, const std::string& topic) {
  ReadBy read;
  for (const auto& [key, value] : slots.find_all(topic)) {
    const auto progress = decode_progress(value);
    if (!progress) continue;
    for (const auto& [name, offset] : progress->offsets) {
      if (name != topic) continue;
      const int partition = std::atoi(key.c_str() + key.rfind('/') + 1);
      const auto [known, first] = read.least.emplace(partition, offset);
      if (!first) known->second = std::min(known->second, offset);
      read.keys.insert(key);
    }
  }
  return read;
}

}  // namespace

std::optional<QueryStatus> EngineImpl::status(const std::string& query_id) {
  auto status = own_status(query_id);
  if (!status) return status;
  for (const std::string& part : parts_of(query_id))
    if (const auto its = own_status(part)) add(part, *its, *status);
  return status;
}

// Where all stand who have a record in the slots topic is never too far, so it does not matter how old the records are,
// nor where the readers run; those that this process does not know of count, too: another version may run them.
void EngineImpl::truncate_parts() {
  struct Given {
    std::string topic;
    std::set<int> partitions;           // in slots of this process
    std::vector<std::string> progress;  // keys of the known readers
  };
  std::vector<Given> all;
  {
    const MutexLock lock(mutex_);
    for (const auto& [part, users] : part_users_) {
      const auto run = runs_.find(part);
      bool all_run = run != runs_.end();
      for (const std::string& user : users) all_run = all_run && runs_.contains(user);
      if (!all_run) continue;
      const QueryLayout& layout = run->second->layout;
      for (const std::string& topic : given_topics(*run->second->plan)) {
        Given& given = all.emplace_back(Given{topic, {}, {}});
        for (const std::string& user : users) {
          const QueryRun& reader = *runs_.at(user);
          const int partitions = reader.layout.input_of(topic)->partitions;
          for (int partition = 0; partition < partitions; ++partition) {
            add_progress_keys(reader, {topic, partition}, given.progress);
            if (slot_worker_[index_of(layout.slot_of(0, partition))] >= 0) given.partitions.insert(partition);
          }
        }
      }
    }
  }
  for (const Given& given : all) {
    const ReadBy read = read_by(*slots_, given.topic);
    if (!std::ranges::all_of(given.progress, [&](const auto& key) { return read.keys.contains(key); })) continue;
    for (const int partition : given.partitions) {
      const auto least = read.least.find(partition);
      if (least == read.least.end()) continue;
      std::int64_t& done = truncated_[{given.topic, partition}];
      if (least->second > done) read_up_to({given.topic, partition}, least->second);
      done = std::max(done, least->second);
    }
  }
}

void EngineImpl::add_progress_keys(const QueryRun& run, const TopicPartition& read, std::vector<std::string>& keys) {
  for (std::size_t sub = 0; sub < run.layout.subtopologies.size(); ++sub) {
    const auto& inputs = run.layout.subtopologies[sub].inputs;
    if (std::ranges::find(inputs, read.topic, &LayoutInput::topic) != inputs.end())
      keys.push_back(progress_key(*run.plan, run.plan->subtopologies[sub], read.partition));
  }
}

}  // namespace millrace::inline exec
