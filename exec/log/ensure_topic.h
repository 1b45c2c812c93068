#pragma once

#include <string>

#include "exec/log/log.h"

namespace millrace::inline exec {

/// Makes a topic unless there is one of that name, which stays as it is; another process may be quicker. How it is
/// then.
Result<TopicConfig> ensure_topic(Log& log, const std::string& name, const TopicConfig& shape);

}  // namespace millrace::inline exec
