#include "server/queries/topics.h"

#include "parser/error/sql_error.h"

namespace millrace::inline server {

std::optional<TopicInfo> LogTopics::find_topic(const std::string& name) {
  if (auto it = overlay_.find(name); it != overlay_.end()) return it->second;
  auto described = log_.describe_topic(name);
  if (!described)
    throw SqlError(Code::external, {}, described.error().message, ErrorClass::general)
        .hint("is the Kafka cluster reachable?");
  if (!*described) return std::nullopt;
  return TopicInfo{(*described)->config.partitions, (*described)->config.replicas};
}

}  // namespace millrace::inline server
