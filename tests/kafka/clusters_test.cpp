#include <gmock/gmock.h>

#include <thread>

#include "exec/log/failpoint.h"
#include "tests/kafka/broker.h"

// One log that knows another cluster: here both are the same broker, which neither knows.
namespace millrace {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::unique_ptr<Log> open_joint_log() {
  KafkaOptions options;
  options.clusters["eu"] = {{"bootstrap.servers", test_broker()}};
  options.clusters["gone"] = {{"bootstrap.servers", "127.0.0.1:1"}};
  return open_test_log(std::move(options));
}

class KafkaClusters : public testing::Test {
 protected:
  KafkaClusters() : log_(open_joint_log()), home_(unique_prefix() + "home"), other_("eu/" + unique_prefix() + "other") {
    for (const std::string& topic : {home_, other_}) EXPECT_TRUE(log_->create_topic(topic, {.partitions = 2}));
    writer_ = std::move(*log_->writer(home_, nullptr));
  }
  ~KafkaClusters() override { failpoint::disarm_all(); }

  void append(const std::string& topic, const std::string& value) {
    const auto handle = writer_->topic(topic, true);
    ASSERT_TRUE(handle);
    ASSERT_TRUE(writer_->append(*handle, 1, "k", value, RecordTime{1}));
  }
  Writer::CommitState commit() {
    EXPECT_TRUE(writer_->commit());
    return writer_->commit_state(60s);
  }
  std::vector<std::string> values(const std::string& topic) {
    std::vector<std::string> found;
    const TopicPartition partition{topic, 1};
    const auto deadline = Clock::now() + 30s;
    // The markers of a transaction that has ended may still be on their way.
    while (log_->bounds(partition, true)->end < log_->bounds(partition, false)->end && Clock::now() < deadline)
      std::this_thread::sleep_for(5ms);
    auto reader = std::move(*log_->reader("values"));
    const ReadHandle source = *reader->add(partition, kOffsetBeginning);
    while (!reader->ended(source) && Clock::now() < deadline) {
      const auto fetch = std::move(*reader->poll(100, 20ms));
      for (std::size_t i = 0; fetch && i < fetch->records.size(); ++i) found.emplace_back(*fetch->records[i].value);
      reader->ask_end(source);
    }
    return found;
  }

  const std::unique_ptr<Log> log_;
  const std::string home_, other_;
  std::unique_ptr<Writer> writer_;
};

TEST_F(KafkaClusters, TheirTopicsAreTopicsLikeAnyOther) {
  EXPECT_THAT(log_->clusters(), ElementsAre("eu", "gone"));
  EXPECT_EQ((*log_->describe_topic(other_))->name, other_);
  EXPECT_FALSE(*log_->describe_topic(other_.substr(3) + "x"));
  const std::vector<std::string> both{other_, home_, home_ + "x"};
  EXPECT_THAT(*log_->partition_counts(both), ElementsAre(2, 2, 0));
  ASSERT_TRUE(log_->append_now({other_, 1}, "k", "now", RecordTime{1}));
  EXPECT_EQ(log_->bounds({other_, 1})->end, 1);
  const std::vector<TopicPartition> partitions{{home_, 1}, {other_, 1}};
  const auto bounds = log_->bounds_of(partitions);
  EXPECT_EQ((*bounds)[0].end, 0);
  EXPECT_EQ((*bounds)[1].end, 1);
  EXPECT_THAT(values(other_), ElementsAre("now"));
  ASSERT_TRUE(log_->delete_topic(other_));
  EXPECT_FALSE(*log_->describe_topic(other_));
  EXPECT_THAT(log_->describe_topic("us/x").error().message, HasSubstr("does not know"));
}

TEST_F(KafkaClusters, OneReaderReadsBoth) {
  auto reader = std::move(*log_->reader("both"));
  const ReadHandle here = *reader->add({home_, 1}, kOffsetBeginning);
  const ReadHandle there = *reader->add({other_, 1}, kOffsetBeginning);
  append(home_, "h");
  append(other_, "o");
  ASSERT_EQ(commit().outcome, Writer::Outcome::committed);
  std::map<ReadHandle, std::string> seen;
  const auto deadline = Clock::now() + 30s;
  while (seen.size() < 2 && Clock::now() < deadline) {
    const auto fetch = std::move(*reader->poll(100, 100ms));
    for (std::size_t i = 0; fetch && i < fetch->records.size(); ++i) seen[fetch->source] = *fetch->records[i].value;
  }
  EXPECT_EQ(seen, (std::map<ReadHandle, std::string>{{here, "h"}, {there, "o"}}));
}

TEST_F(KafkaClusters, ACommitIsInBoth) {
  append(home_, "a");
  append(other_, "a");
  ASSERT_TRUE(writer_->commit());
  append(other_, "b");  // of the next one
  const auto state = writer_->commit_state(60s);
  ASSERT_EQ(state.outcome, Writer::Outcome::committed);
  EXPECT_EQ(state.appended.size(), 1U);  // those of the cluster with the progress
  EXPECT_THAT(values(other_), ElementsAre("a"));
  ASSERT_EQ(commit().outcome, Writer::Outcome::committed);
  EXPECT_THAT(values(home_), ElementsAre("a"));
  EXPECT_THAT(values(other_), ElementsAre("a", "b"));
}

TEST_F(KafkaClusters, AnAbortIsInNeither) {
  append(home_, "a");
  append(other_, "a");
  ASSERT_TRUE(writer_->abort());
  append(other_, "b");
  ASSERT_EQ(commit().outcome, Writer::Outcome::committed);
  EXPECT_THAT(values(home_), IsEmpty());
  EXPECT_THAT(values(other_), ElementsAre("b"));
}

TEST_F(KafkaClusters, BetweenTheEndsItIsThereOnly) {
  failpoint::arm(failpoint::kOthersEnded, {.error = external_error("made to fail")});
  append(home_, "a");
  append(other_, "a");
  const auto state = commit();
  ASSERT_EQ(state.outcome, Writer::Outcome::failed);
  EXPECT_THAT(state.refused, IsEmpty());  // it is not that cluster's fault
  append(home_, "a");
  append(other_, "a");
  ASSERT_EQ(commit().outcome, Writer::Outcome::committed);
  EXPECT_THAT(values(home_), ElementsAre("a"));
  EXPECT_THAT(values(other_), ElementsAre("a", "a"));
}

TEST_F(KafkaClusters, WhatAWriterHasInOneIsEndedByItsNameThere) {
  append(other_, "a");
  const auto ended = log_->writer(home_ + "@eu", nullptr);
  ASSERT_TRUE(ended);
  append(home_, "b");
  EXPECT_EQ(commit().outcome, Writer::Outcome::failed);
  EXPECT_THAT(values(other_), IsEmpty());
}

TEST_F(KafkaClusters, WhatOneDoesNotTakeIsRefusedThere) {
  append(other_, "a");
  ASSERT_EQ(commit().outcome, Writer::Outcome::committed);
  append(home_, "b");
  append(other_, "b");
  {
    const auto log = open_joint_log();  // as another process
    ASSERT_TRUE(log->delete_topic(other_));
  }
  const auto state = commit();
  ASSERT_EQ(state.outcome, Writer::Outcome::failed);
  ASSERT_EQ(state.refused.size(), 1U);
  EXPECT_EQ(state.refused.front(), (TopicPartition{other_, 1}));
  EXPECT_THAT(state.error->message, HasSubstr("Kafka cluster 'eu'"));
  EXPECT_NE(state.error->fault, Fault::fenced);
  append(home_, "c");
  ASSERT_EQ(commit().outcome, Writer::Outcome::committed);
  EXPECT_THAT(values(home_), ElementsAre("c"));
}

TEST_F(KafkaClusters, OneThatIsAwayConcernsNobodyElse) {
  for (int i = 0; i < 300 && !log_->is_away("gone"); ++i) std::this_thread::sleep_for(20ms);
  ASSERT_TRUE(log_->is_away("gone"));
  const auto described = log_->describe_topic("gone/x");
  ASSERT_FALSE(described);
  EXPECT_EQ(described.error().fault, Fault::unavailable);
  EXPECT_THAT(described.error().message, HasSubstr("Kafka cluster 'gone' does not answer"));
  EXPECT_EQ(writer_->topic("gone/x").error().fault, Fault::unavailable);
  auto reader = std::move(*log_->reader("away"));
  EXPECT_EQ(reader->add({"gone/x", 0}, 0).error().fault, Fault::unavailable);
  append(other_, "a");
  ASSERT_EQ(commit().outcome, Writer::Outcome::committed);
}

TEST(KafkaClusterSettings, AreChecked) {
  const auto problem = [](KafkaOptions::Properties properties) {
    KafkaOptions options{.brokers = test_broker(), .properties = {}};
    options.clusters["eu"] = std::move(properties);
    const Status checked = check_kafka_options(options);
    return checked ? std::string() : checked.error().message;
  };
  EXPECT_EQ(problem({{"bootstrap.servers", test_broker()}, {"sasl.password", "hush"}}), "");
  EXPECT_THAT(problem({}), HasSubstr("needs millrace.cluster.eu.bootstrap.servers"));
  EXPECT_THAT(problem({{"bootstrap.servers", test_broker()}, {"no.such", "1"}}), HasSubstr("no.such"));
}

}  // namespace
}  // namespace millrace
