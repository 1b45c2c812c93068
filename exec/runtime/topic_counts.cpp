#include "exec/runtime/topic_counts.h"

#include <vector>

#include "planner/types/topic_name.h"

namespace millrace::inline exec {

Result<std::map<std::string, int>> partition_counts(Log& log, const std::set<std::string>& topics) {
  std::map<std::string_view, std::vector<std::string>> by_cluster;
  for (const std::string& topic : topics) by_cluster[cluster_of(topic)].push_back(topic);
  std::map<std::string, int> known;
  for (const auto& [cluster, names] : by_cluster) {
    const auto counts = log.partition_counts(names);
    if (!counts && cluster.empty()) return counts.error();
    for (std::size_t i = 0; counts && i < names.size(); ++i) known[names[i]] = (*counts)[i];
  }
  return known;
}

}  // namespace millrace::inline exec
