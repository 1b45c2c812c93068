#pragma once

#include <string>
#include <string_view>

namespace millrace::inline planner {

/// What stands between a cluster and a topic in it; no topic of Kafka has it in its name.
constexpr char kClusterMark = '/';

/// A topic as catalog, plans and log name it: `NAME`, or `CLUSTER/NAME` where it lies in another Kafka cluster than the
/// one that holds the progress of queries.
struct TopicName {
  std::string_view cluster;  // empty: the one with the progress
  std::string_view name;     // as that cluster knows it
};

/// What a cluster may be called, as part of settings' names.
bool is_cluster_name(std::string_view name);

inline TopicName split_topic(std::string_view topic) {
  const std::size_t mark = topic.find(kClusterMark);
  if (mark == std::string_view::npos) return {{}, topic};
  return {topic.substr(0, mark), topic.substr(mark + 1)};
}
inline std::string_view cluster_of(std::string_view topic) {
  return split_topic(topic).cluster;
}
inline std::string topic_in(std::string_view cluster, std::string_view name) {
  if (cluster.empty()) return std::string(name);
  std::string topic(cluster);
  topic += kClusterMark;
  topic += name;
  return topic;
}

}  // namespace millrace::inline planner
