#include "exec/log/local/log.h"
#include "exec/log/local/memory.h"

namespace millrace::inline exec {

std::unique_ptr<Log> make_memory_log() {
  return *LocalLog::open(nullptr, {});
}

}  // namespace millrace::inline exec
