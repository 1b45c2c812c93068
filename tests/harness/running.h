#pragma once

#include <memory>
#include <vector>

#include "exec/log/log.h"
#include "exec/runtime/engine.h"
#include "tests/harness/session.h"

namespace millrace::harness {

/// An engine for the queries of a session, as upstream's harness names its service. Errors end the test.
std::unique_ptr<Engine> start_engine(Log& log, const Session& session, EngineOptions options);

void append(Log& log, const TopicPartition& place, const StoredRecord& record);

/// What has come since the reader was asked last.
std::vector<StoredRecord> drain(Reader& reader);

}  // namespace millrace::harness
