#include "exec/log/local/log.h"
#include "exec/log/local/memory.h"

namespace millrace::inline exec {

std::unique_ptr<Log> make_memory_log() {
  return *LocalLog::open(nullptr, {});
}

std::size_t memory_log_bytes(Log& log, std::span<const std::string> topics) {
  return static_cast<LocalLog&>(log).held_bytes(topics);
}

}  // namespace millrace::inline exec
