#include "exec/runtime/layout.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

#include "exec/runtime/topic_counts.h"
#include "parser/error/ensure.h"
#include "planner/types/topic_name.h"

namespace millrace::inline exec {
namespace {

bool reads(const SubtopologyLayout& sub, std::string_view topic) {
  return std::ranges::find(sub.inputs, topic, &LayoutInput::topic) != sub.inputs.end();
}

class Planner {
 public:
  Planner(TopicSizes& sizes, const PhysicalPlan& plan, QueryLayout& layout)
      : sizes_(sizes), plan_(plan), layout_(layout) {
    layout_.topic_partitions.resize(plan.topics.size());
    for (std::size_t i = 0; i < plan.topics.size(); ++i) layout_.topic_partitions[i] = plan.topics[i].partitions;
  }

  Status run() {
    for (const PlanPtr& part : plan_.parts)
      if (auto done = take(*part); !done) return done;
    for (const Subtopology& sub : plan_.subtopologies)
      if (auto done = place(sub); !done) return done;
    for (std::size_t i = 0; i < plan_.topics.size(); ++i)
      if (auto done = count_unread(i); !done) return done;
    for (const InternalTopic& topic : plan_.topics) put_together(topic.name);
    for (std::size_t i = 0; i < plan_.topics.size(); ++i)
      if (plan_.topics[i].changelog) layout_.topic_partitions[i] = tasks_of(plan_.topics[i].subtopology);
    return {};
  }

 private:
  struct Given {
    int partitions = 0, writers = 0;
  };

  Status take(const PhysicalPlan& part) {
    const auto layout = make_layout(sizes_, part, layout_.slots);
    if (!layout) return layout.error();
    for (std::size_t sub = 0; sub < part.subtopologies.size(); ++sub) {
      const std::string& topic = part.subtopologies[sub].root->as<SinkNode>()->topic;
      const auto at = std::ranges::find(part.topics, topic, &InternalTopic::name) - part.topics.begin();
      given_[topic] = {layout->topic_partitions[static_cast<std::size_t>(at)], layout->subtopologies[sub].tasks};
    }
    return {};
  }

  // Of what others read: they have told when the query was made how wide they are.
  Status count_unread(std::size_t at) {
    const InternalTopic& topic = plan_.topics[at];
    int& partitions = layout_.topic_partitions[at];
    if (topic.changelog || !topic.readers.empty() || partitions > 0) return {};
    const auto made = sizes_.partitions(topic.name);
    if (!made) return made.error();
    partitions = *made;
    if (partitions > 0) return {};
    for (const std::string& other : topic.as_many_as) {
      const auto found = sizes_.partitions(other);
      if (!found) return found.error();
      if (*found == 0) return no_source(other);
      partitions = std::max(partitions, *found);
    }
    return {};
  }

  static Error no_source(const std::string& topic) { return user_error("the source topic {} does not exist", topic); }

  Status place(const Subtopology& sub) {
    SubtopologyLayout placed;
    for (const PlanNode* node : sources_of(*sub.root)) {
      const auto& source = *node->as<SourceNode>();
      const bool table = node->kind == RelationKind::table;
      std::vector<LayoutInput>& inputs = source.broadcast ? placed.broadcasts : placed.inputs;
      const auto known = std::find_if(inputs.begin(), inputs.end(),
                                      [&](const LayoutInput& input) { return input.topic == source.topic; });
      if (known == inputs.end()) {
        const auto given = source.internal ? given_.find(source.topic) : given_.end();
        inputs.push_back({.topic = source.topic,
                          .partitions = given == given_.end() ? 0 : given->second.partitions,
                          .internal = source.internal,
                          .given = given != given_.end(),
                          .table = table,
                          .writers = source.timed ? writers_of(source.topic) : 0,
                          .ready = source.ready});
      } else {
        known->table = known->table || table;
        known->ready = known->ready || source.ready;
      }
    }
    if (auto done = count_external(placed); !done) return done;
    if (auto done = count_made(placed); !done) return done;
    int external = 0;
    for (const LayoutInput& input : placed.inputs) external = std::max(external, input.internal ? 0 : input.partitions);
    count_internal(placed, external);
    for (const LayoutInput& input : placed.inputs) placed.tasks = std::max(placed.tasks, input.partitions);
    if (!placed.inputs.empty()) placed.hash = stable_hash(placed.inputs.front().topic);
    layout_.subtopologies.push_back(std::move(placed));
    return {};
  }

  /// Those who read one topic of the query run in the same slots, so that who has one knows what all have read.
  void put_together(const std::string& topic) {
    std::set<std::uint64_t> hashes;
    for (const SubtopologyLayout& sub : layout_.subtopologies)
      if (reads(sub, topic)) hashes.insert(sub.hash);
    if (hashes.size() < 2) return;
    for (SubtopologyLayout& sub : layout_.subtopologies)
      if (hashes.contains(sub.hash)) sub.hash = *hashes.begin();
  }

  Status count_external(SubtopologyLayout& placed) {
    if (auto done = count_external(placed.broadcasts); !done) return done;
    return count_external(placed.inputs);
  }
  Status count_external(std::vector<LayoutInput>& inputs) {
    for (LayoutInput& input : inputs) {
      if (input.internal) continue;
      const auto found = sizes_.partitions(input.topic);
      if (!found) return found.error();
      if (*found == 0) return no_source(input.topic);
      input.partitions = *found;
    }
    return {};
  }

  // Internal topics that are there keep their partitions, whatever has become of the sources.
  Status count_made(const SubtopologyLayout& placed) {
    for (const LayoutInput& input : placed.inputs) {
      if (!input.internal || input.given || layout_.topic_partitions[topic_index(input.topic)] > 0) continue;
      const auto found = sizes_.partitions(input.topic);
      if (!found) return found.error();
      layout_.topic_partitions[topic_index(input.topic)] = *found;
    }
    return {};
  }

  // Inputs of one task meet by partition number, so an internal topic gets as many as the sources beside it; with none
  // beside it, as many as the largest of its writers.
  void count_internal(SubtopologyLayout& placed, int external) {
    int widest = external;
    if (external == 0)
      for (const LayoutInput& input : placed.inputs) widest = std::max(widest, fed_by(input.topic));
    for (LayoutInput& input : placed.inputs) {
      if (!input.internal || input.given) continue;
      const std::size_t topic = topic_index(input.topic);
      int& partitions = layout_.topic_partitions[topic];
      if (partitions == 0) partitions = std::max(1, widest);
      input.partitions = partitions;
    }
  }

  int fed_by(const std::string& topic) const {
    if (const auto given = given_.find(topic); given != given_.end()) return given->second.partitions;
    const int declared = layout_.topic_partitions[topic_index(topic)];
    if (declared > 0) return declared;
    int result = 0;
    for (std::size_t i = 0; i < layout_.subtopologies.size(); ++i) {
      const auto* sink = plan_.subtopologies[i].root->as<SinkNode>();
      if (sink != nullptr && sink->topic == topic) result = std::max(result, layout_.subtopologies[i].tasks);
    }
    return result;
  }

  int writers_of(const std::string& topic) const {
    if (const auto given = given_.find(topic); given != given_.end()) return given->second.writers;
    for (std::size_t i = 0; i < layout_.subtopologies.size(); ++i) {
      const auto* sink = plan_.subtopologies[i].root->as<SinkNode>();
      if (sink != nullptr && sink->topic == topic) return layout_.subtopologies[i].tasks;
    }
    return 0;
  }

  std::size_t topic_index(const std::string& name) const {
    for (std::size_t i = 0; i < plan_.topics.size(); ++i)
      if (plan_.topics[i].name == name) return i;
    ensure(false, "the plan lists every internal topic");
    return 0;
  }

  int tasks_of(int id) const {
    for (std::size_t i = 0; i < plan_.subtopologies.size(); ++i)
      if (plan_.subtopologies[i].id == id) return layout_.subtopologies[i].tasks;
    return 1;
  }

  TopicSizes& sizes_;
  const PhysicalPlan& plan_;
  QueryLayout& layout_;
  std::map<std::string, Given> given_;  // topics of parts
};

}  // namespace

std::uint64_t stable_hash(std::string_view text) {
  std::uint64_t hash = 14695981039346656037ULL;
  for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ULL;
  return hash ^ (hash >> 29);
}

std::string other_clusters(const PhysicalPlan& plan) {
  std::set<std::string_view> clusters;
  for (const Subtopology& sub : plan.subtopologies) {
    for (const PlanNode* node : sources_of(*sub.root)) clusters.insert(cluster_of(node->as<SourceNode>()->topic));
    if (const auto* sink = sub.root->as<SinkNode>()) clusters.insert(cluster_of(sink->topic));
  }
  clusters.erase(std::string_view());
  return fmt::format("{}", fmt::join(clusters, ","));
}

SlotId QueryLayout::slot_of(std::size_t subtopology, int partition) const {
  const auto stride = static_cast<std::uint64_t>(slots * 3 / 5) | 1U;
  const std::uint64_t at = subtopologies[subtopology].hash + static_cast<std::uint64_t>(partition) * stride;
  return SlotId{static_cast<std::int32_t>(at % static_cast<std::uint64_t>(slots))};
}

const LayoutInput* QueryLayout::input_of(std::string_view topic) const {
  for (const SubtopologyLayout& sub : subtopologies)
    if (const auto found = std::ranges::find(sub.inputs, topic, &LayoutInput::topic); found != sub.inputs.end())
      return &*found;
  return nullptr;
}

int QueryLayout::readers_of(std::string_view topic) const {
  return static_cast<int>(
      std::ranges::count_if(subtopologies, [&](const SubtopologyLayout& sub) { return reads(sub, topic); }));
}

std::optional<std::int64_t> QueryLayout::read_by_all(
    std::string_view topic, std::span<const std::pair<std::size_t, std::int64_t>> positions) const {
  std::optional<std::int64_t> least;
  int readers = 0;
  for (const auto& [subtopology, position] : positions) {
    if (!reads(subtopologies[subtopology], topic)) continue;
    least = std::min(least.value_or(position), position);
    ++readers;
  }
  return readers == readers_of(topic) ? least : std::nullopt;
}

Status TopicSizes::look_up(std::span<const PhysicalPlan* const> plans) {
  std::set<std::string> names;
  const auto add = [&](const PhysicalPlan& plan) {
    for (const Subtopology& sub : plan.subtopologies)
      for (const PlanNode* node : sources_of(*sub.root)) names.insert(node->as<SourceNode>()->topic);
    for (const InternalTopic& topic : plan.topics) {
      names.insert(topic.name);
      names.insert(topic.as_many_as.begin(), topic.as_many_as.end());
    }
  };
  for (const PhysicalPlan* plan : plans) {
    for (const PlanPtr& part : plan->parts) add(*part);
    add(*plan);
  }
  // What is not known of other clusters is asked again, by those who want it.
  const auto counts = partition_counts(log_, names);
  if (!counts) return counts.error();
  known_.insert(counts->begin(), counts->end());
  return {};
}

Result<int> TopicSizes::partitions(const std::string& topic) {
  if (const auto known = known_.find(topic); known != known_.end()) return known->second;
  const auto counts = log_.partition_counts({&topic, 1});
  if (!counts) return counts.error();
  return known_[topic] = counts->front();
}

Result<QueryLayout> make_layout(TopicSizes& sizes, const PhysicalPlan& plan, int slots) {
  QueryLayout layout;
  layout.slots = slots;
  if (auto done = Planner(sizes, plan, layout).run(); !done) return done.error();
  return layout;
}

}  // namespace millrace::inline exec
