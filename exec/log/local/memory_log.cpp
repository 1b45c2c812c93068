#include "exec/log/local/log.h"
#include "exec/log/local/memory.h"

namespace millrace::inline exec {

std::unique_ptr<Log> make_memory_log() {
  return *LocalLog::open(nullptr, {});
}

std::size_t memory_log_bytes(Log& log) {
  return static_cast<LocalLog&>(log).held_bytes();
}

}  // namespace millrace::inline exec
