#pragma once

#include <memory>
#include <string>

#include "exec/log/log.h"

namespace millrace::inline exec {

struct EmbeddedOptions {
  std::string directory;
  bool sync = true;  // log.sync
};
/// One process at a time: a second open of the same directory fails with a user error that names it. Retention counts
/// from when a record was appended, not from its timestamp: data older than the retention may be loaded. Closing the
/// log ends its threads.
Result<std::unique_ptr<Log>> open_embedded_log(const EmbeddedOptions& options);

}  // namespace millrace::inline exec
