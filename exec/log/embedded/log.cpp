#include "exec/log/local/log.h"

#include "exec/log/embedded/maintenance.h"
#include "exec/log/embedded/open.h"
#include "exec/log/embedded/store.h"

namespace millrace::inline exec {

namespace {

constexpr std::size_t kTailBytes = 32 << 20;

}  // namespace

Result<std::unique_ptr<Log>> open_embedded_log(const EmbeddedOptions& options) {
  auto store = EmbeddedStore::open(options.directory, {.sync = options.sync});
  if (!store) return store.error();
  EmbeddedStore& opened = **store;
  auto log = LocalLog::open(std::move(*store), {.tail_bytes = kTailBytes});
  if (!log) return log.error();
  auto maintenance = std::make_unique<EmbeddedMaintenance>(**log, opened, EmbeddedMaintenance::Limits{});
  maintenance->start();
  (*log)->keep(std::move(maintenance));
  return std::unique_ptr<Log>(std::move(*log));
}

}  // namespace millrace::inline exec
