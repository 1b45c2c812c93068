#include <spdlog/spdlog.h>

#include "exec/data/wall_clock.h"
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

Status EngineImpl::prepare(const PhysicalPlan& plan) {
  const MutexLock control(control_);
  auto layout = make_layout(log_, plan, slots_->slots());
  if (!layout) return layout.error();
  if (auto made = create_topics(plan, *layout); !made) return made;
  return write_progress(plan, *layout, false);
}

Status EngineImpl::create_topics(const PhysicalPlan& plan, const QueryLayout& layout) {
  for (std::size_t i = 0; i < plan.topics.size(); ++i) {
    auto found = log_.describe_topic(plan.topics[i].name);
    if (!found) return found.error();
    if (*found) continue;
    TopicConfig config;
    config.partitions = layout.topic_partitions[i];
    config.replicas = options_.internal_replicas;
    config.min_insync_replicas = options_.internal_min_insync;
    config.retention_ms = -1;
    config.short_segments = plan.topics[i].changelog;
    // Only where the policy says delete does Kafka cut off what is about expired windows.
    (expires(plan, plan.topics[i].name) ? config.compact_and_delete : config.compacted) = plan.topics[i].changelog;
    if (auto made = log_.create_topic(plan.topics[i].name, config); !made) return made;
  }
  return {};
}

Result<Progress> EngineImpl::initial_progress(const QueryOptions& options, const SubtopologyLayout& layout,
                                              int partition) {
  Progress progress;
  for (const LayoutInput& input : layout.inputs) {
    if (partition >= input.partitions) continue;
    auto bounds = log_.bounds({input.topic, partition});
    if (!bounds) return bounds.error();
    const bool from_begin = input.internal || input.table || options.from_earliest;
    progress.offsets.emplace_back(input.topic, from_begin ? bounds->begin : bounds->end);
  }
  return progress;
}

Result<Writer*> EngineImpl::admin() {
  if (!admin_) {
    auto writer = log_.writer(options_.service_id + options_.process_id + "-statements", nullptr);
    if (!writer) return writer.error();
    admin_ = std::move(*writer);
  }
  return admin_.get();
}

Status EngineImpl::write_progress(const PhysicalPlan& plan, const QueryLayout& layout, bool remove) {
  std::vector<SlotId> slots;
  for (std::size_t sub = 0; sub < layout.subtopologies.size(); ++sub)
    for (int partition = 0; partition < layout.subtopologies[sub].tasks; ++partition)
      slots.push_back(layout.slot_of(sub, partition));
  std::sort(slots.begin(), slots.end());
  slots.erase(std::unique(slots.begin(), slots.end()), slots.end());
  if (auto done = slots_->refresh(slots); !done) return done;
  auto writer = admin();
  if (!writer) return writer.error();
  auto topic = (*writer)->topic(slots_->topic());
  if (!topic) return topic.error();
  const std::int64_t now = wall_clock_ms();
  for (std::size_t sub = 0; sub < layout.subtopologies.size(); ++sub) {
    for (int partition = 0; partition < layout.subtopologies[sub].tasks; ++partition) {
      const SlotId slot = layout.slot_of(sub, partition);
      const std::string key = progress_key(plan, plan.subtopologies[sub].id, partition);
      if (slots_->find(slot, key).has_value() != remove) continue;
      std::optional<std::string> value;
      if (!remove) {
        auto progress = initial_progress(plan.options, layout.subtopologies[sub], partition);
        if (!progress) return progress.error();
        value = encode(*progress);
      }
      if (auto done = (*writer)->append(*topic, partition_of(slot), key, value, now); !done) return done;
    }
  }
  if (auto done = (*writer)->commit(); !done) return done;
  const auto state = (*writer)->commit_state(std::chrono::seconds{30});
  if (state.outcome == Writer::Outcome::committed) return {};
  admin_.reset();
  if (state.error) return *state.error;
  return external_error("the log does not answer");
}

Status EngineImpl::withdraw(const PhysicalPlan& plan) {
  const MutexLock control(control_);
  auto layout = make_layout(log_, plan, slots_->slots());
  if (!layout) return layout.error();
  return write_progress(plan, *layout, true);
}

Status EngineImpl::forget(const PhysicalPlan& plan) {
  const MutexLock control(control_);
  auto layout = make_layout(log_, plan, slots_->slots());
  if (layout) {
    if (auto done = write_progress(plan, *layout, true); !done) return done;
  } else {
    spdlog::warn("query {}: progress stays in the slots topic: {}", plan.query_id, layout.error().message);
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
