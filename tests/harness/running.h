#pragma once

#include <memory>

#include "exec/log/log.h"
#include "exec/runtime/engine.h"
#include "tests/harness/session.h"

namespace millrace::harness {

/// An engine for the queries of a session, as upstream's harness names its service. Errors end the test.
std::unique_ptr<Engine> start_engine(Log& log, const Session& session, EngineOptions options);

}  // namespace millrace::harness
