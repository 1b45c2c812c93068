#include <gmock/gmock.h>

#include <thread>

#include "exec/log/kafka/open.h"
#include "tests/kafka/broker.h"

namespace millrace {
namespace {

using namespace std::chrono_literals;

/// Needs a broker of its own, which it kills.
class KafkaOutage : public testing::Test {
 protected:
  void SetUp() override {
    const char* directory = std::getenv("MILLRACE_TEST_BROKER_DIR");
    if (directory == nullptr || test_broker().find(',') != std::string::npos)
      GTEST_SKIP() << "the broker was not started by with_broker.sh";
    script_ = "tests/kafka/broker.sh ";
    directory_ = directory;
  }
  void kill() { ASSERT_EQ(std::system((script_ + "kill " + directory_ + " 1").c_str()), 0); }
  void restart() { ASSERT_EQ(std::system((script_ + "restart " + directory_ + " 1").c_str()), 0); }

  std::string script_, directory_;
};

TEST(KafkaOpen, AnUnreachableBrokerIsAnErrorInTime) {
  const auto start = Clock::now();
  const auto log = open_kafka_log({.brokers = "127.0.0.1:1", .properties = {}}, 300ms);
  ASSERT_FALSE(log);
  EXPECT_EQ(log.error().fault, Fault::external);
  EXPECT_THAT(log.error().message, testing::HasSubstr("127.0.0.1:1"));
  EXPECT_LT(Clock::now() - start, 5s);
}

TEST(KafkaOpen, AnUnknownSettingIsTheUsersError) {
  const auto log = open_kafka_log({.brokers = test_broker(), .properties = {{"no.such.setting", "1"}}}, 300ms);
  ASSERT_FALSE(log);
  EXPECT_EQ(log.error().fault, Fault::user);
  EXPECT_THAT(log.error().message, testing::HasSubstr("no.such.setting"));
}

TEST_F(KafkaOutage, WorkGoesOnWhenTheBrokerReturns) {
  const auto log = open_test_log();
  const std::string topic = unique_prefix() + "outage";
  ASSERT_TRUE(log->create_topic(topic, {}));
  auto writer = std::move(*log->writer(topic, nullptr));
  auto reader = std::move(*log->reader("outage"));
  ASSERT_TRUE(reader->add({topic, 0}, kOffsetBeginning));
  const auto out = *writer->topic(topic);
  ASSERT_TRUE(writer->append(out, 0, "k", "before", RecordTime{1}));
  ASSERT_TRUE(writer->commit());
  ASSERT_EQ(writer->commit_state(30s).outcome, Writer::Outcome::committed);

  kill();
  EXPECT_FALSE(log->bounds({topic, 0}));
  ASSERT_TRUE(writer->append(out, 0, "k", "during", RecordTime{1}));
  ASSERT_TRUE(writer->commit());
  EXPECT_EQ(writer->commit_state(200ms).outcome, Writer::Outcome::pending);
  restart();
  auto state = writer->commit_state(60s);
  for (int attempt = 0; state.outcome == Writer::Outcome::failed && attempt < 20; ++attempt) {
    EXPECT_TRUE(state.error->retriable()) << state.error->message;
    if (state.error->fault == Fault::fenced) writer = std::move(*log->writer(topic, nullptr));
    ASSERT_TRUE(writer->append(*writer->topic(topic), 0, "k", "during", RecordTime{1}));
    ASSERT_TRUE(writer->commit());
    state = writer->commit_state(60s);
  }
  ASSERT_EQ(state.outcome, Writer::Outcome::committed);
  std::vector<std::string> values;
  const auto deadline = Clock::now() + 60s;
  while (values.size() < 2 && Clock::now() < deadline)
    if (const auto fetch = reader->poll(100, 100ms); fetch && *fetch)
      for (const RecordView& record : (*fetch)->records) values.emplace_back(*record.value);
  EXPECT_THAT(values, testing::ElementsAre("before", "during"));
}

}  // namespace
}  // namespace millrace
