#include <thread>

#include "tests/kafka/broker.h"
#include "tests/unit/exec_log/log_contract.h"

namespace millrace {
namespace {

using namespace std::chrono_literals;

class KafkaUnderTest final : public LogUnderTest {
 public:
  Log& log() override { return *log_; }
  bool reopen() override {
    log_.reset();
    log_ = open_test_log();
    return true;
  }
  std::string prefix() override { return prefix_; }
  bool contiguous_offsets() override { return false; }
  std::int64_t zero_timestamp() override { return 1; }
  /// Commit markers reach partitions after the committer has been told.
  void settle() override {
    const auto give_up = Clock::now() + 10s;
    for (const auto& topic : *log_->list_topics()) {
      if (!topic.name.starts_with(prefix_)) continue;
      for (int partition = 0; partition < topic.config.partitions; ++partition)
        while (log_->bounds({topic.name, partition}, true)->end < log_->bounds({topic.name, partition}, false)->end &&
               Clock::now() < give_up)
          std::this_thread::sleep_for(2ms);
    }
  }

 private:
  const std::string prefix_ = unique_prefix();
  std::unique_ptr<Log> log_ = open_test_log();
};

INSTANTIATE_TEST_SUITE_P(Kafka, LogContract,
                         testing::Values(LogFactory{"kafka", [] { return std::make_unique<KafkaUnderTest>(); }}),
                         log_factory_name);

}  // namespace
}  // namespace millrace
