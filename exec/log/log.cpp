#include "exec/log/log.h"

namespace millrace::inline exec {

Result<std::vector<int>> Log::partition_counts(std::span<const std::string> topics) {
  std::vector<int> counts;
  for (const std::string& topic : topics) {
    const auto found = describe_topic(topic);
    if (!found) return found.error();
    counts.push_back(*found ? (*found)->config.partitions : 0);
  }
  return counts;
}

Status Log::create_topics(std::span<const NewTopic> topics) {
  for (const auto& [name, config] : topics)
    if (auto made = create_topic(name, config); !made) return made;
  return {};
}

Status Log::truncate_all(std::span<const Truncation> truncations) {
  Status outcome;
  for (const auto& [partition, offset] : truncations)
    if (Status done = truncate_before(partition, offset); !done && outcome) outcome = done;
  return outcome;
}

Result<std::vector<Log::Bounds>> Log::bounds_of(std::span<const TopicPartition> partitions, bool committed) {
  std::vector<Bounds> all;
  for (const TopicPartition& partition : partitions) {
    const auto found = bounds(partition, committed);
    if (!found) return found.error();
    all.push_back(*found);
  }
  return all;
}

}  // namespace millrace::inline exec
