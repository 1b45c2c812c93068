#include "exec/log/ensure_topic.h"

namespace millrace::inline exec {

Result<TopicConfig> ensure_topic(Log& log, const std::string& name, const TopicConfig& shape) {
  auto found = log.describe_topic(name);
  if (!found) return found.error();
  if (*found) return (*found)->config;
  const Status made = log.create_topic(name, shape);
  if (made) return shape;
  found = log.describe_topic(name);
  if (!found) return found.error();
  if (!*found) return made.error();
  return (*found)->config;
}

Status make_topics(Log& log, std::span<const Log::NewTopic> topics) {
  Status made = log.create_topics(topics);
  if (made) return made;
  std::vector<std::string> names;
  for (const auto& [name, config] : topics) names.push_back(name);
  const auto counts = log.partition_counts(names);
  if (!counts) return made;
  for (std::size_t i = 0; i < names.size(); ++i)
    if ((*counts)[i] != topics[i].second.partitions) return made;
  return {};
}

}  // namespace millrace::inline exec
