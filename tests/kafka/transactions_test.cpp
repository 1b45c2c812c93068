#include <gmock/gmock.h>

#include <thread>

#include "tests/kafka/broker.h"

namespace millrace {
namespace {

using namespace std::chrono_literals;

TEST(KafkaTransactions, LargeOnesKeepOrderAcrossOverlappingCommits) {
  constexpr int kRecords = 200'000, kPartitions = 4;
  const auto log = open_test_log();
  const std::string topic = unique_prefix() + "large";
  ASSERT_TRUE(log->create_topic(topic, {.partitions = kPartitions}));
  auto writer = std::move(*log->writer(topic, nullptr));
  const auto out = *writer->topic(topic, true);
  const std::string filler(150, 'x');
  std::map<std::int32_t, std::int64_t> reported;
  for (int i = 0; i < kRecords; ++i) {
    ASSERT_TRUE(writer->append(out, i % kPartitions, std::to_string(i), filler, RecordTime{1}));
    if (i % 30'000 != 29'999) continue;
    ASSERT_TRUE(writer->commit());
  }
  ASSERT_TRUE(writer->commit());
  const auto state = writer->commit_state(60s);
  ASSERT_EQ(state.outcome, Writer::Outcome::committed);
  for (const auto& one : state.appended) reported[one.partition] = one.next_offset;
  ASSERT_EQ(reported.size(), kPartitions);

  auto reader = std::move(*log->reader("large"));
  std::map<ReadHandle, std::int32_t> partitions;
  for (std::int32_t p = 0; p < kPartitions; ++p) partitions[*reader->add({topic, p}, kOffsetBeginning)] = p;
  std::map<std::int32_t, int> next;
  std::map<std::int32_t, std::int64_t> last;
  for (std::int32_t p = 0; p < kPartitions; ++p) next[p] = p;
  int seen = 0;
  const auto deadline = Clock::now() + 60s;
  while (seen < kRecords && Clock::now() < deadline) {
    const auto fetch = std::move(*reader->poll(4096, 100ms));
    if (!fetch) continue;
    const std::int32_t partition = partitions[fetch->source];
    for (const RecordView& record : fetch->records) {
      ASSERT_EQ(record.key, std::to_string(next[partition]));
      next[partition] += kPartitions;
      last[partition] = record.offset + 1;
      ++seen;
    }
  }
  EXPECT_EQ(seen, kRecords);
  EXPECT_EQ(last, reported);
}

// Small records fill the client's queues, which are emptied and filled again many times; aborted ones lie in between.
TEST(KafkaTransactions, AReaderWithFullQueuesGivesEveryRecordOnce) {
  constexpr int kRounds = 6, kRecords = 50'000, kPartitions = 2;
  const auto log = open_test_log();
  const std::string topic = unique_prefix() + "full";
  ASSERT_TRUE(log->create_topic(topic, {.partitions = kPartitions}));
  auto writer = std::move(*log->writer(topic, nullptr));
  const auto out = *writer->topic(topic);
  int written = 0;
  for (int round = 0; round < kRounds; ++round) {
    for (int i = 0; i < kRecords; ++i, ++written)
      ASSERT_TRUE(writer->append(out, written % kPartitions, std::to_string(written), "v", RecordTime{1}));
    ASSERT_TRUE(writer->commit());
    ASSERT_EQ(writer->commit_state(60s).outcome, Writer::Outcome::committed);
    for (int i = 0; i < 1000; ++i) ASSERT_TRUE(writer->append(out, i % kPartitions, "aborted", "v", RecordTime{1}));
    ASSERT_TRUE(writer->abort());
  }
  auto reader = std::move(*log->reader("full"));
  std::map<ReadHandle, int> next;
  for (std::int32_t p = 0; p < kPartitions; ++p) next[*reader->add({topic, p}, kOffsetBeginning)] = p;
  int seen = 0;
  const auto deadline = Clock::now() + 60s;
  while (seen < written && Clock::now() < deadline) {
    const auto fetch = std::move(*reader->poll(8192, 100ms));
    if (!fetch) continue;
    for (const RecordView& record : fetch->records) {
      ASSERT_EQ(record.key, std::to_string(next[fetch->source]));
      next[fetch->source] += kPartitions;
      ++seen;
    }
    if (seen % 3 == 0) std::this_thread::sleep_for(5ms);  // lets the queues fill
  }
  EXPECT_EQ(seen, written);
}

// What a log remembers of a topic must not outlive it.
TEST(KafkaAppendNow, MeetsATopicThatAnotherMadeAnew) {
  const auto log = open_test_log(), other = open_test_log();
  const std::string topic = unique_prefix() + "anew";
  ASSERT_TRUE(log->create_topic(topic, {}));
  ASSERT_TRUE(log->append_now({topic, 0}, "k", "v", RecordTime{1}));
  EXPECT_FALSE(log->append_now({topic, 1}, "k", "v", RecordTime{1}));
  ASSERT_TRUE(other->delete_topic(topic));
  const auto deadline = Clock::now() + 60s;
  while (log->append_now({topic, 0}, "k", "v", RecordTime{1}).has_value() && Clock::now() < deadline) {
  }
  EXPECT_FALSE(log->append_now({topic, 0}, "k", "v", RecordTime{1}));
  ASSERT_TRUE(other->create_topic(topic, {.partitions = 2}));
  auto appended = log->append_now({topic, 1}, "k", "v", RecordTime{1});
  while (!appended && Clock::now() < deadline) appended = log->append_now({topic, 1}, "k", "v", RecordTime{1});
  ASSERT_TRUE(appended) << appended.error().message;
  EXPECT_EQ(*appended, 0);
}

TEST(KafkaTransactions, BoundsTellCommittedFromWritten) {
  const auto log = open_test_log();
  const std::string topic = unique_prefix() + "bounds";
  ASSERT_TRUE(log->create_topic(topic, {}));
  ASSERT_TRUE(log->append_now({topic, 0}, "k", "v", RecordTime{1}));
  auto writer = std::move(*log->writer(topic, nullptr));
  // Far more than the writer keeps to itself while the transaction is open.
  const std::string value(1000, 'v');
  const auto out = *writer->topic(topic);
  for (int i = 0; i < 20'000; ++i) ASSERT_TRUE(writer->append(out, 0, "k", value, RecordTime{1}));
  const auto deadline = Clock::now() + 30s;
  while (log->bounds({topic, 0}, false)->end < 2 && Clock::now() < deadline) {
  }
  EXPECT_GE(log->bounds({topic, 0}, false)->end, 2);
  EXPECT_EQ(log->bounds({topic, 0}, true)->end, 1);

  auto reader = std::move(*log->reader("bounds"));
  const ReadHandle source = *reader->add({topic, 0}, kOffsetBeginning);
  std::int64_t next = 0;
  while (next < 1 && Clock::now() < deadline)
    if (const auto fetch = std::move(*reader->poll(10, 100ms))) next = fetch->next_offset;
  EXPECT_EQ(next, 1);
  EXPECT_EQ(reader->known_end(source), 1) << "an open transaction does not count";
  ASSERT_TRUE(writer->abort());
  // Past the aborted records and their marker, though none is handed out.
  const std::int64_t end = log->bounds({topic, 0}, false)->end;
  while (next < end && Clock::now() < deadline)
    if (const auto fetch = std::move(*reader->poll(10, 100ms))) {
      EXPECT_TRUE(fetch->records.empty());
      next = fetch->next_offset;
    }
  EXPECT_GE(next, end);  // the marker may have come after the end was asked
}

TEST(KafkaReader, KnowsOfMoreBehindWhatWasAborted) {
  const auto log = open_test_log();
  const std::string topic = unique_prefix() + "behind";
  ASSERT_TRUE(log->create_topic(topic, {}));
  ASSERT_TRUE(log->append_now({topic, 0}, "k", "first", RecordTime{1}));
  auto writer = std::move(*log->writer(topic, nullptr));
  // The writer keeps the last of it to itself.
  const std::string large(100'000, 'x');
  const auto out = *writer->topic(topic);
  const auto deadline = Clock::now() + 30s;
  const auto begin = Clock::now();
  while (log->bounds({topic, 0}, false)->end < 80 && Clock::now() < begin + 8s)
    ASSERT_TRUE(writer->append(out, 0, "k", large, RecordTime{1}));
  ASSERT_GE(log->bounds({topic, 0}, false)->end, 80);
  ASSERT_TRUE(writer->abort());
  const auto last = log->append_now({topic, 0}, "k", "last", RecordTime{1});
  ASSERT_TRUE(last);
  while (log->bounds({topic, 0}, true)->end <= *last && Clock::now() < deadline) std::this_thread::sleep_for(2ms);

  auto reader = std::move(*log->reader("behind"));
  const ReadHandle source = *reader->add({topic, 0}, kOffsetBeginning);
  // Several answers of the broker come without a record.
  for (int seen = 0; seen < 2 && Clock::now() < deadline;) {
    ASSERT_FALSE(reader->ended(source));
    reader->ask_end(source);
    if (const auto fetch = std::move(*reader->poll(10, 1ms))) seen += static_cast<int>(fetch->records.size());
  }
  while (!reader->ended(source) && Clock::now() < deadline) ASSERT_TRUE(reader->poll(10, 100ms));
  EXPECT_TRUE(reader->ended(source));
}

TEST(KafkaTopics, SettingsComeBack) {
  const auto log = open_test_log();
  const std::string prefix = unique_prefix();
  ASSERT_TRUE(log->create_topic(prefix + "a", {.partitions = 2, .retention_ms = 1000}));
  ASSERT_TRUE(log->create_topic(prefix + "b", {.retention_ms = -1, .compact_and_delete = true}));
  const auto a = **log->describe_topic(prefix + "a");
  EXPECT_EQ(a.config.partitions, 2);
  EXPECT_EQ(a.config.replicas, 1);
  EXPECT_EQ(a.config.retention_ms, 1000);
  EXPECT_FALSE(a.config.compacted || a.config.compact_and_delete);
  const auto b = **log->describe_topic(prefix + "b");
  EXPECT_EQ(b.config.retention_ms, -1);
  EXPECT_TRUE(b.config.compact_and_delete);
  const auto described = log->describe_topic("never-made-" + prefix);
  ASSERT_TRUE(described);
  EXPECT_FALSE(*described);
  EXPECT_FALSE(*log->describe_topic("never-made-" + prefix)) << "asking must not create it";
}

TEST(KafkaReader, ADeletedTopicIsReportedOnce) {
  const auto log = open_test_log();
  const std::string topic = unique_prefix() + "deleted";
  ASSERT_TRUE(log->create_topic(topic, {}));
  auto reader = std::move(*log->reader("deleted"));
  ASSERT_TRUE(reader->add({topic, 0}, kOffsetBeginning));
  ASSERT_TRUE(reader->poll(10, 200ms));
  ASSERT_TRUE(log->delete_topic(topic));
  const auto deadline = Clock::now() + 60s;
  std::optional<Error> error;
  while (!error && Clock::now() < deadline)
    if (auto fetch = reader->poll(10, 100ms); !fetch) error = fetch.error();
  ASSERT_TRUE(error);
  EXPECT_EQ(error->fault, Fault::user);
  EXPECT_THAT(error->message, testing::HasSubstr(topic));
}

}  // namespace
}  // namespace millrace
