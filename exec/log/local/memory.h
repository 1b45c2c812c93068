#pragma once

#include <memory>

#include "exec/log/log.h"

namespace millrace::inline exec {

/// Deterministic, in memory, for tests, conformance, `millrace test` and the exchanges of transient queries.
std::unique_ptr<Log> make_memory_log();
/// What the records in it take. Precondition: made by make_memory_log.
std::size_t memory_log_bytes(Log& log);

}  // namespace millrace::inline exec
