#include "exec/log/embedded/maintenance.h"
#include "exec/log/embedded/open.h"
#include "exec/log/embedded/store.h"
#include "exec/log/local/log.h"
#include "exec/log/local/memory.h"
#include "tests/unit/exec_log/log_contract.h"
#include "tests/unit/exec_log/temporary_directory.h"

namespace millrace {
namespace {

class MemoryUnderTest final : public LogUnderTest {
 public:
  Log& log() override { return *log_; }

 private:
  std::unique_ptr<Log> log_ = make_memory_log();
};

/// `cold`: nothing stays in memory, every read goes to RocksDB.
class EmbeddedUnderTest final : public LogUnderTest {
 public:
  explicit EmbeddedUnderTest(bool cold) : cold_(cold) { open(); }
  Log& log() override { return *log_; }
  bool reopen() override {
    log_.reset();
    open();
    return true;
  }

 private:
  void open() {
    if (!cold_) {
      log_ = std::move(*open_embedded_log({.directory = directory_.path(), .sync = false}));
      return;
    }
    auto store = std::move(*EmbeddedStore::open(directory_.path(), {.sync = false}));
    EmbeddedStore& opened = *store;
    auto log = std::move(*LocalLog::open(std::move(store), {.tail_bytes = 0}));
    auto maintenance = std::make_unique<EmbeddedMaintenance>(*log, opened, EmbeddedMaintenance::Limits{});
    maintenance->start();
    log->keep(std::move(maintenance));
    log_ = std::move(log);
  }

  const bool cold_;
  const TemporaryDirectory directory_;
  std::unique_ptr<Log> log_;
};

INSTANTIATE_TEST_SUITE_P(
    Embedded, LogContract,
    testing::Values(LogFactory{"embedded", [] { return std::make_unique<EmbeddedUnderTest>(false); }},
                    LogFactory{"embedded_cold", [] { return std::make_unique<EmbeddedUnderTest>(true); }}),
    log_factory_name);

INSTANTIATE_TEST_SUITE_P(Memory, LogContract,
                         testing::Values(LogFactory{"memory", [] { return std::make_unique<MemoryUnderTest>(); }}),
                         log_factory_name);

}  // namespace
}  // namespace millrace
