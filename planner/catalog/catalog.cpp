#include "planner/catalog/catalog.h"

namespace millrace::inline planner {

const SourceDef* Catalog::find(std::string_view name) const {
  const auto found = sources.find(name);
  return found == sources.end() ? nullptr : found->second.get();
}

std::optional<std::string> TopicLookup::missing_cluster(const std::string& name) {
  return "There is no other Kafka cluster, so none called '" + name + "'.";
}

}  // namespace millrace::inline planner
