#pragma once

#include <memory>
#include <span>
#include <string>

#include "exec/log/log.h"

namespace millrace::inline exec {

/// Deterministic, in memory, for tests, conformance, `millrace test` and the exchanges of transient queries.
std::unique_ptr<Log> make_memory_log();
/// What the records in these topics take. Precondition: made by make_memory_log.
std::size_t memory_log_bytes(Log& log, std::span<const std::string> topics);

}  // namespace millrace::inline exec
