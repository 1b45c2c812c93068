#pragma once

#include <memory>

#include "exec/log/log.h"

namespace millrace::inline exec {

/// Deterministic, in memory, for tests, conformance, `millrace test` and the exchanges of transient queries.
std::unique_ptr<Log> make_memory_log();

}  // namespace millrace::inline exec
