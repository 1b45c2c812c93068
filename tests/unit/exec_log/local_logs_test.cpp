#include "tests/unit/exec_log/log_contract.h"

namespace millrace {
namespace {

class MemoryUnderTest final : public LogUnderTest {
 public:
  Log& log() override { return *log_; }

 private:
  std::unique_ptr<Log> log_ = make_memory_log();
};

INSTANTIATE_TEST_SUITE_P(Memory, LogContract,
                         testing::Values(LogFactory{"memory", [] { return std::make_unique<MemoryUnderTest>(); }}),
                         log_factory_name);

}  // namespace
}  // namespace millrace
