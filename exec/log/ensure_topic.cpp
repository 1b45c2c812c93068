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

}  // namespace millrace::inline exec
