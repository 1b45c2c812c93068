#include "server/queries/topics.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <regex>

#include "parser/error/sql_error.h"

namespace millrace::inline server {

std::optional<TopicInfo> LogTopics::find_topic(const std::string& name) {
  if (auto it = known_.find(name); it != known_.end()) return it->second;
  auto described = log_.describe_topic(name);
  if (!described)
    throw SqlError(Code::external, {}, described.error().message, ErrorClass::general)
        .hint("is the Kafka cluster reachable?");
  if (!*described) return known_[name] = std::nullopt;
  return known_[name] = TopicInfo{(*described)->config.partitions, (*described)->config.replicas};
}

std::optional<std::string> LogTopics::missing_cluster(const std::string& name) {
  if (!log_.traits().other_clusters)
    return "KAFKA_CLUSTER needs a server on Kafka: topics of this one lie in its own log. Start it with --kafka.";
  const std::vector<std::string> known = log_.clusters();
  if (std::ranges::find(known, name) != known.end()) return std::nullopt;
  return fmt::format(
      "The server knows no Kafka cluster '{}'. It would be set by millrace.cluster.{}.bootstrap.servers{}", name, name,
      known.empty() ? "." : fmt::format("; known: {}.", fmt::join(known, ", ")));
}

bool matches_topic_list(const std::string& topic, const std::string& patterns) {
  std::size_t at = 0;
  while (at < patterns.size()) {
    std::size_t comma = std::min(patterns.find(',', at), patterns.size());
    const std::string pattern = patterns.substr(at, comma - at);
    at = comma + 1;
    try {
      if (std::regex_match(topic, std::regex(pattern))) return true;
    } catch (const std::regex_error&) {
      if (topic == pattern) return true;
    }
  }
  return false;
}

}  // namespace millrace::inline server
