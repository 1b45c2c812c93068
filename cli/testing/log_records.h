#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/testing/record_spec.h"
#include "exec/log/log.h"

namespace millrace::inline cli::harness {

/// Appends a record; it can be read on return.
Status append(Log& log, const TopicPartition& place, const StoredRecord& record);

/// Reads all partitions of a topic from their beginnings.
Result<std::unique_ptr<Reader>> open_reader(Log& log, const std::string& topic, int partitions);

/// What has come since the reader was asked last. Does not wait.
Result<std::vector<StoredRecord>> drain(Reader& reader);

}  // namespace millrace::inline cli::harness
