#pragma once

#include <memory>
#include <string>

#include "exec/log/log.h"
#include "exec/schemas/local_registry.h"

namespace millrace::inline server {

/// A schema registry kept in a topic of the log, for servers that are given no other: every process that reads the
/// topic comes to the same schemas. The topic is made (in that shape) with the first schema. Fails where what the topic
/// holds is not of this version of the program. `log` must outlive it.
Result<std::shared_ptr<LocalRegistry>> open_schema_topic(Log& log, const std::string& topic, const TopicConfig& shape);

}  // namespace millrace::inline server
