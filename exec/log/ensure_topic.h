#pragma once

#include <span>
#include <string>

#include "exec/log/log.h"

namespace millrace::inline exec {

/// Makes a topic unless there is one of that name, which stays as it is; another process may be quicker. How it is
/// then.
Result<TopicConfig> ensure_topic(Log& log, const std::string& name, const TopicConfig& shape);

/// Makes topics that were not there a moment ago. Another process may be quicker, or the log so slow that it takes our
/// own request for another one's: a topic that is there with as many partitions as asked for is as good.
Status make_topics(Log& log, std::span<const Log::NewTopic> topics);

}  // namespace millrace::inline exec
