#include <spdlog/spdlog.h>

#include <algorithm>
#include <set>

#include "exec/data/wall_clock.h"
#include "exec/log/ensure_topic.h"
#include "exec/log/known_bounds.h"
#include "exec/runtime/engine_impl.h"
#include "parser/error/mutex.h"

// The submitter's half of starting and dropping a query: topics and first progress records.
namespace millrace::inline exec {
namespace {

bool expires(const PhysicalPlan& plan, const std::string& changelog) {
  for (const Subtopology& sub : plan.subtopologies)
    for (const StorePlan& store : sub.stores)
      if (store.changelog_topic == changelog) return store.retention_ms.has_value();
  return false;
}

}  // namespace

Result<std::vector<EngineImpl::Prepared>> EngineImpl::lay_out(std::span<const PhysicalPlan* const> plans,
                                                              TopicSizes& sizes) {
  if (auto known = sizes.look_up(plans); !known) return known.error();
  std::vector<Prepared> prepared;
  for (const PhysicalPlan* plan : plans) {
    auto layout = make_layout(sizes, *plan, slots_->slots());
    if (!layout) return layout.error();
    prepared.push_back({*plan, std::move(*layout)});
  }
  return prepared;
}

Status EngineImpl::prepare(std::span<const PhysicalPlan* const> plans) {
  const MutexLock submitting(submitting_);
  TopicSizes sizes(log_);
  const auto prepared = lay_out(with_parts(plans), sizes);
  if (!prepared) return prepared.error();
  if (auto made = create_topics(*prepared, sizes); !made) return made;
  return write_progress(*prepared, false);
}

Status EngineImpl::create_topics(const std::vector<Prepared>& prepared, TopicSizes& sizes) {
  std::vector<Log::NewTopic> missing;
  for (const auto& [plan, layout] : prepared) {
    for (std::size_t i = 0; i < plan.topics.size(); ++i) {
      const auto found = sizes.partitions(plan.topics[i].name);
      if (!found) return found.error();
      if (*found > 0) continue;
      TopicConfig config;
      config.partitions = layout.topic_partitions[i];
      config.replicas = options_.internal_replicas;
      config.min_insync_replicas = options_.internal_min_insync;
      config.retention_ms = -1;
      config.short_segments = true;  // what is truncated goes with whole segments
      // Only where the policy says delete does Kafka cut off what is about expired windows.
      (expires(plan, plan.topics[i].name) ? config.compact_and_delete : config.compacted) = plan.topics[i].changelog;
      missing.emplace_back(plan.topics[i].name, config);
    }
  }
  return missing.empty() ? Status{} : make_topics(log_, missing);
}

Result<Writer*> EngineImpl::admin() {
  if (!admin_) {
    auto writer = log_.writer(writers().statements(), nullptr);
    if (!writer) return writer.error();
    admin_ = std::move(*writer);
  }
  return admin_.get();
}

namespace {

/// A task of a plan, before there is one.
struct Place {
  const QueryOptions* options;
  const SubtopologyLayout* layout;
  int partition;
  SlotId slot;
  std::string key;  // of its progress
};

void add_places(const PhysicalPlan& plan, const QueryLayout& layout, std::vector<Place>& places) {
  for (std::size_t sub = 0; sub < layout.subtopologies.size(); ++sub)
    for (int partition = 0; partition < layout.subtopologies[sub].tasks; ++partition)
      places.push_back({&plan.options, &layout.subtopologies[sub], partition, layout.slot_of(sub, partition),
                        progress_key(plan, plan.subtopologies[sub], partition)});
}

std::vector<SlotId> slots_of(const std::vector<Place>& places) {
  std::vector<SlotId> slots;
  for (const Place& place : places) slots.push_back(place.slot);
  std::sort(slots.begin(), slots.end());
  slots.erase(std::unique(slots.begin(), slots.end()), slots.end());
  return slots;
}

using InputBounds = Result<KnownBounds>;
/// Where each of their inputs begins and ends, asked for once.
InputBounds bounds_of_inputs(Log& log, const std::vector<Place>& places) {
  std::set<TopicPartition> partitions;
  for (const Place& place : places)
    for (const LayoutInput& input : place.layout->inputs)
      if (place.partition < input.partitions) partitions.insert({input.topic, place.partition});
  return known_bounds(log, {partitions.begin(), partitions.end()});
}

Progress first_progress(const Place& place, const KnownBounds& bounds) {
  Progress progress;
  for (const LayoutInput& input : place.layout->inputs) {
    if (place.partition >= input.partitions) continue;
    const Log::Bounds& found = bounds.at({input.topic, place.partition});
    const bool from_begin = input.internal || input.table || place.options->from_earliest;
    progress.offsets.emplace_back(input.topic, from_begin ? found.begin : found.end);
    if (input.ready) progress.ready.emplace_back(input.topic, found.end);
  }
  return progress;
}

}  // namespace

Result<Progress> EngineImpl::initial_progress(const QueryOptions& options, const SubtopologyLayout& layout,
                                              int partition) {
  const std::vector<Place> one{{&options, &layout, partition, {}, {}}};
  const auto bounds = bounds_of_inputs(log_, one);
  if (!bounds) return bounds.error();
  return first_progress(one.front(), *bounds);
}

Status EngineImpl::write_progress(const std::vector<Prepared>& prepared, bool remove) {
  std::vector<Place> places;
  for (const auto& [plan, layout] : prepared) add_places(plan, layout, places);
  if (auto done = slots_->refresh(slots_of(places)); !done) return done;
  std::erase_if(places, [&](const Place& place) { return slots_->find(place.slot, place.key).has_value() != remove; });
  if (places.empty()) return {};
  const auto bounds = remove ? InputBounds{} : bounds_of_inputs(log_, places);
  if (!bounds) return bounds.error();
  auto writer = admin();
  if (!writer) return writer.error();
  auto topic = (*writer)->topic(slots_->topic());
  if (!topic) return topic.error();
  const std::int64_t now = wall_clock_ms();
  for (const Place& place : places) {
    std::optional<std::string> value;
    if (!remove) value = encode(first_progress(place, *bounds));
    if (auto done = (*writer)->append(*topic, partition_of(place.slot), place.key, value, RecordTime{now}); !done)
      return done;
  }
  if (auto done = (*writer)->commit(); !done) return done;
  const auto state = (*writer)->commit_state(std::chrono::seconds{30});
  if (state.outcome == Writer::Outcome::committed) return {};
  admin_.reset();
  if (state.error) return *state.error;
  return external_error("the log does not answer");
}

Status EngineImpl::withdraw(const PhysicalPlan& plan) {
  const MutexLock submitting(submitting_);
  TopicSizes sizes(log_);
  const PhysicalPlan* one = &plan;
  const auto prepared = lay_out({&one, 1}, sizes);
  if (!prepared) return prepared.error();
  return write_progress(*prepared, true);
}

Status EngineImpl::forget(const PhysicalPlan& plan) {
  const MutexLock submitting(submitting_);
  TopicSizes sizes(log_);
  const PhysicalPlan* one = &plan;
  if (const auto prepared = lay_out({&one, 1}, sizes)) {
    if (auto done = write_progress(*prepared, true); !done) return done;
  } else {
    spdlog::warn("query {}: progress stays in the slots topic: {}", plan.query_id, prepared.error().message);
  }
  for (const InternalTopic& topic : plan.topics) {
    auto found = log_.describe_topic(topic.name);
    if (!found) return found.error();
    if (!*found) continue;
    if (auto done = log_.delete_topic(topic.name); !done) return done;
  }
  if (state_) return state_->drop(filed_under(plan) + "|");
  return {};
}

}  // namespace millrace::inline exec
