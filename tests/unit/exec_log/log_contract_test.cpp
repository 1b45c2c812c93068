#include "tests/unit/exec_log/log_contract.h"

#include <gmock/gmock.h>

#include <atomic>
#include <limits>
#include <thread>

#include "exec/log/failpoint.h"

namespace millrace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(LogContract);

namespace {

bool has_records(const Result<std::optional<Fetch>>& polled) {
  return polled && *polled && !(*polled)->records.empty();
}

}  // namespace

void LogContract::TearDown() {
  failpoint::disarm_all();
}

std::string LogContract::topic(const std::string& name, int partitions, bool compacted) {
  const std::string full = under_test_->prefix() + name;
  const Status created = log().create_topic(full, {.partitions = partitions, .compacted = compacted});
  EXPECT_TRUE(created) << created.error().message;
  return full;
}

std::unique_ptr<Writer> LogContract::writer(const std::string& id) {
  auto made = log().writer(under_test_->prefix() + id, nullptr);
  EXPECT_TRUE(made) << made.error().message;
  return std::move(*made);
}

std::unique_ptr<Reader> LogContract::reader() {
  auto made = log().reader("contract");
  EXPECT_TRUE(made) << made.error().message;
  return std::move(*made);
}

Writer::CommitState LogContract::ended(Writer& writer) {
  Writer::CommitState state = writer.commit_state(30s);
  EXPECT_NE(state.outcome, Writer::Outcome::pending);
  under_test_->settle();
  return state;
}

Fetch LogContract::next_records(Reader& reader, std::size_t max_records) {
  const auto give_up = Clock::now() + 30s;
  while (Clock::now() < give_up) {
    auto fetch = std::move(*reader.poll(max_records, 100ms));
    if (fetch && !fetch->records.empty()) return std::move(*fetch);
  }
  ADD_FAILURE() << "no records";
  return {};
}

void LogContract::commit(Writer& writer) {
  ASSERT_TRUE(writer.commit());
  const auto state = ended(writer);
  ASSERT_EQ(state.outcome, Writer::Outcome::committed) << (state.error ? state.error->message : "");
}

std::vector<OwnedRecord> LogContract::read_all(const std::string& topic, std::int32_t partition, std::int64_t offset) {
  std::vector<OwnedRecord> records;
  const auto bounds = log().bounds({topic, partition});
  EXPECT_TRUE(bounds) << bounds.error().message;
  auto from = reader();
  const auto source = from->add({topic, partition}, offset);
  EXPECT_TRUE(source) << source.error().message;
  const auto give_up = Clock::now() + 30s;
  std::int64_t next = offset == kOffsetEnd ? bounds->end : std::max(offset, bounds->begin);
  while (next < bounds->end && Clock::now() < give_up) {
    auto fetched = from->poll(1000, 100ms);
    EXPECT_TRUE(fetched) << fetched.error().message;
    if (!fetched) break;
    if (!*fetched) continue;
    for (const RecordView& record : (*fetched)->records) records.push_back(own(record));
    next = (*fetched)->next_offset;
  }
  EXPECT_GE(next, bounds->end);
  return records;
}

std::vector<std::string> LogContract::values(const std::string& topic, std::int32_t partition, std::int64_t offset) {
  std::vector<std::string> list;
  for (const OwnedRecord& record : read_all(topic, partition, offset)) list.push_back(record.value.value_or("NULL"));
  return list;
}

TEST_P(LogContract, TopicsAreCreatedListedDescribedAndDeleted) {
  const std::string name = topic("orders", 3, true);
  const auto described = log().describe_topic(name);
  ASSERT_TRUE(described);
  ASSERT_TRUE(described->has_value());
  EXPECT_EQ((*described)->config.partitions, 3);
  EXPECT_TRUE((*described)->config.compacted);
  const Status again = log().create_topic(name, {});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().fault, Fault::user);
  const auto listed = log().list_topics();
  ASSERT_TRUE(listed);
  EXPECT_TRUE(std::any_of(listed->begin(), listed->end(), [&](const auto& entry) { return entry.name == name; }));

  ASSERT_TRUE(log().delete_topic(name));
  EXPECT_FALSE(*log().describe_topic(name));
  const Status gone = log().delete_topic(name);
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().fault, Fault::user);
  EXPECT_FALSE(log().bounds({name, 0}));
}

TEST_P(LogContract, ATopicMadeAgainIsEmpty) {
  const std::string name = topic("again");
  ASSERT_TRUE(log().append_now({name, 0}, "k", "old", RecordTime{1}));
  ASSERT_TRUE(log().delete_topic(name));
  ASSERT_TRUE(log().create_topic(name, {}));
  EXPECT_THAT(read_all(name), IsEmpty());
  ASSERT_TRUE(log().append_now({name, 0}, "k", "new", RecordTime{1}));
  EXPECT_THAT(values(name), ElementsAre("new"));
}

TEST_P(LogContract, RecordsComeBackAsWritten) {
  const std::string name = topic("bytes");
  auto out = writer("w");
  const auto handle = *out->topic(name);
  EXPECT_EQ(out->partitions(handle), 1);
  const std::string large(300'000, 'x');
  const std::vector<HeaderView> headers{{"trace", "1"}, {"none", std::nullopt}, {"", ""}};
  ASSERT_TRUE(out->append(handle, 0, "key", "value", RecordTime{1000}, headers));
  ASSERT_TRUE(out->append(handle, 0, std::nullopt, std::nullopt, RecordTime{0}));
  ASSERT_TRUE(out->append(handle, 0, "", "", RecordTime{999}));
  ASSERT_TRUE(out->append(handle, 0, std::string_view("\0\xff", 2), large, RecordTime{4'000'000'000'000}));
  EXPECT_GT(out->pending_bytes(), large.size());
  commit(*out);
  EXPECT_EQ(out->pending_bytes(), 0U);

  const auto records = read_all(name);
  ASSERT_THAT(records, SizeIs(4));
  EXPECT_EQ(records[0].key, "key");
  EXPECT_EQ(records[0].value, "value");
  EXPECT_EQ(records[0].timestamp, 1000);
  ASSERT_THAT(records[0].headers, SizeIs(3));
  EXPECT_EQ(records[0].headers[0].first, "trace");
  EXPECT_EQ(records[0].headers[0].second, "1");
  EXPECT_EQ(records[0].headers[1].second, std::nullopt);
  EXPECT_EQ(records[0].headers[2].second, "");
  EXPECT_EQ(records[1].key, std::nullopt);
  EXPECT_EQ(records[1].value, std::nullopt);
  EXPECT_EQ(records[1].timestamp, under_test_->zero_timestamp());
  EXPECT_EQ(records[2].key, "");
  EXPECT_EQ(records[2].value, "");
  EXPECT_EQ(records[3].key, std::string("\0\xff", 2));
  EXPECT_EQ(records[3].value, large);
  EXPECT_EQ(records[3].timestamp, 4'000'000'000'000);
  for (std::size_t i = 0; i < records.size(); ++i) EXPECT_EQ(records[i].offset, static_cast<std::int64_t>(i));
}

TEST_P(LogContract, NothingIsVisibleBeforeCommitOrAfterAbort) {
  const std::string name = topic("atomic", 2);
  auto out = writer("w");
  const auto handle = *out->topic(name);
  ASSERT_TRUE(out->append(handle, 0, "a", "dropped", RecordTime{1}));
  EXPECT_EQ(log().bounds({name, 0})->end, 0);
  ASSERT_TRUE(out->abort());
  EXPECT_EQ(out->pending_bytes(), 0U);
  ASSERT_TRUE(out->append(handle, 0, "a", "kept 0", RecordTime{1}));
  ASSERT_TRUE(out->append(handle, 1, "b", "kept 1", RecordTime{1}));
  EXPECT_THAT(read_all(name, 1), IsEmpty());
  commit(*out);
  EXPECT_THAT(values(name, 0), ElementsAre("kept 0"));
  EXPECT_THAT(values(name, 1), ElementsAre("kept 1"));
}

TEST_P(LogContract, AnEmptyTransactionCommits) {
  auto out = writer("w");
  EXPECT_EQ(out->commit_state(0ms).outcome, Writer::Outcome::none);
  ASSERT_TRUE(out->commit());
  EXPECT_EQ(ended(*out).outcome, Writer::Outcome::committed);
  EXPECT_EQ(out->commit_state(0ms).outcome, Writer::Outcome::none);
}

TEST_P(LogContract, CommitsReportWhereTrackedRecordsWent) {
  const std::string tracked = topic("changelog", 2);
  const std::string other = topic("output");
  auto out = writer("w");
  const auto changelog = *out->topic(tracked, true);
  const auto output = *out->topic(other);
  EXPECT_EQ(*out->topic(tracked, true), changelog);
  for (int round = 1; round <= 3; ++round) {
    ASSERT_TRUE(out->append(changelog, 1, "k", "v", RecordTime{1}));
    ASSERT_TRUE(out->append(changelog, 1, "k", "v", RecordTime{1}));
    ASSERT_TRUE(out->append(output, 0, "k", "v", RecordTime{1}));
    ASSERT_TRUE(out->commit());
    const auto state = ended(*out);
    ASSERT_THAT(state.appended, SizeIs(1));
    EXPECT_EQ(state.appended[0].topic, changelog);
    EXPECT_EQ(state.appended[0].partition, 1);
    const auto records = read_all(tracked, 1);
    ASSERT_THAT(records, SizeIs(2 * round));
    EXPECT_EQ(state.appended[0].next_offset, records.back().offset + 1);
  }
}

TEST_P(LogContract, WritersLetGoOfTopicsThatNobodyAsksFor) {
  const std::string kept = topic("kept"), gone = topic("gone"), open = topic("open");
  auto out = writer("w");
  for (const std::string& name : {kept, gone}) ASSERT_TRUE(out->append(*out->topic(name), 0, "k", "v", RecordTime{1}));
  ASSERT_TRUE(out->commit());
  ASSERT_EQ(ended(*out).outcome, Writer::Outcome::committed);
  const auto old = *out->topic(gone);
  ASSERT_TRUE(out->append(*out->topic(open), 0, "k", "in the open transaction", RecordTime{1}));
  const auto before = Clock::now();
  const auto known = *out->topic(kept);
  EXPECT_EQ(out->forget_topics(before), 2U);
  EXPECT_FALSE(out->append(old, 0, "k", "v", RecordTime{1}));
  EXPECT_EQ(*out->topic(kept), known);
  ASSERT_TRUE(out->append(*out->topic(gone), 0, "k", "again", RecordTime{1}));
  ASSERT_TRUE(out->commit());
  ASSERT_EQ(ended(*out).outcome, Writer::Outcome::committed);
  for (const auto& [name, count] : {std::pair{kept, 1U}, std::pair{gone, 2U}, std::pair{open, 1U}})
    EXPECT_THAT(read_all(name, 0), SizeIs(count)) << name;
  EXPECT_EQ(out->forget_topics(Clock::now()), 0U);
}

TEST_P(LogContract, AHandleOfARemovedPartitionMeansNothing) {
  const std::string name = topic("again");
  auto out = writer("w");
  ASSERT_TRUE(out->append(*out->topic(name), 0, "k", "v", RecordTime{1}));
  ASSERT_TRUE(out->commit());
  ASSERT_EQ(ended(*out).outcome, Writer::Outcome::committed);
  auto reader = std::move(*log().reader("again"));
  const ReadHandle first = *reader->add({name, 0}, kOffsetBeginning);
  reader->remove(first);
  const ReadHandle second = *reader->add({name, 0}, kOffsetBeginning);
  EXPECT_NE(first, second);
  reader->pause(first);
  reader->ask_end(first);
  EXPECT_TRUE(reader->ended(first));
  const auto fetch = reader->poll(10, 10s);
  ASSERT_TRUE(fetch && *fetch);
  EXPECT_EQ((*fetch)->source, second);
}

TEST_P(LogContract, AppendsGoOnWhileACommitIsUnderWay) {
  const std::string name = topic("overlap");
  std::atomic<int> called{0};
  auto out = writer("w");
  out->on_commit_done([&] { ++called; });
  const auto handle = *out->topic(name);
  for (int i = 0; i < 50; ++i) {
    ASSERT_TRUE(out->append(handle, 0, "k", std::to_string(i), RecordTime{i}));
    ASSERT_TRUE(out->commit());
  }
  EXPECT_EQ(ended(*out).outcome, Writer::Outcome::committed);
  const auto list = values(name);
  ASSERT_THAT(list, SizeIs(50));
  for (int i = 0; i < 50; ++i) EXPECT_EQ(list[static_cast<std::size_t>(i)], std::to_string(i));
  out.reset();
  EXPECT_EQ(called, 50);
}

TEST_P(LogContract, AFailedCommitLeavesNothingAndTheWriterGoesOn) {
  const std::string name = topic("failing", 2);
  auto out = writer("w");
  const auto handle = *out->topic(name);
  ASSERT_TRUE(out->append(handle, 0, "k", "before", RecordTime{1}));
  commit(*out);
  failpoint::arm(failpoint::kBeforeEnd, {.error = external_error("made to fail")});
  ASSERT_TRUE(out->append(handle, 0, "k", "lost", RecordTime{1}));
  ASSERT_TRUE(out->append(handle, 1, "k", "lost", RecordTime{1}));
  ASSERT_TRUE(out->commit());
  ASSERT_TRUE(out->append(handle, 0, "k", "dropped with it", RecordTime{1}));
  const auto state = ended(*out);
  ASSERT_EQ(state.outcome, Writer::Outcome::failed);
  EXPECT_TRUE(state.error->retriable());
  EXPECT_EQ(out->pending_bytes(), 0U);
  EXPECT_EQ(failpoint::hits(failpoint::kBeforeEnd), 1);
  ASSERT_TRUE(out->append(handle, 0, "k", "after", RecordTime{1}));
  commit(*out);
  EXPECT_THAT(values(name), ElementsAre("before", "after"));
  EXPECT_THAT(read_all(name, 1), IsEmpty());
}

TEST_P(LogContract, ASecondWriterWithTheSameIdFencesTheFirst) {
  const std::string name = topic("fenced");
  auto first = writer("w");
  const auto handle = *first->topic(name);
  ASSERT_TRUE(first->append(handle, 0, "k", "one", RecordTime{1}));
  commit(*first);
  ASSERT_TRUE(first->append(handle, 0, "k", "zombie", RecordTime{1}));
  auto second = writer("w");
  const Status refused = first->commit();
  if (refused) {
    const auto state = ended(*first);
    ASSERT_EQ(state.outcome, Writer::Outcome::failed);
    EXPECT_EQ(state.error->fault, Fault::fenced);
  } else {
    EXPECT_EQ(refused.error().fault, Fault::fenced);
  }
  const auto other = *second->topic(name);
  ASSERT_TRUE(second->append(other, 0, "k", "two", RecordTime{1}));
  commit(*second);
  EXPECT_THAT(values(name), ElementsAre("one", "two"));
}

TEST_P(LogContract, ReadersStartWhereAsked) {
  const std::string name = topic("starts");
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(log().append_now({name, 0}, "k", std::to_string(i), RecordTime{i}));
  EXPECT_THAT(values(name, 0, 3), ElementsAre("3", "4"));
  EXPECT_THAT(values(name, 0, 5), IsEmpty());
  auto from = reader();
  const auto at_end = from->add({name, 0}, kOffsetEnd);
  ASSERT_TRUE(at_end);
  ASSERT_TRUE(log().append_now({name, 0}, "k", "5", RecordTime{5}));
  const Fetch fetch = next_records(*from, 10);
  EXPECT_EQ(fetch.source, *at_end);
  ASSERT_THAT(fetch.records, SizeIs(1));
  EXPECT_EQ(fetch.records[0].value, "5");
  EXPECT_EQ(fetch.next_offset, 6);
  EXPECT_EQ(from->known_end(*at_end), 6);
}

TEST_P(LogContract, PollHonoursItsLimitInsideABatch) {
  const std::string name = topic("limits");
  auto out = writer("w");
  const auto handle = *out->topic(name);
  const std::vector<HeaderView> headers{{"h", "x"}};
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(out->append(handle, 0, "k", std::to_string(i), RecordTime{i}, headers));
  commit(*out);
  auto from = reader();
  ASSERT_TRUE(from->add({name, 0}, 1));
  std::vector<Fetch> fetches;
  std::size_t records = 0;
  const auto give_up = Clock::now() + 30s;
  while (records < 9 && Clock::now() < give_up) {
    auto fetch = std::move(*from->poll(4, 100ms));
    if (!fetch) continue;
    EXPECT_LE(fetch->records.size(), 4U);
    records += fetch->records.size();
    EXPECT_EQ(fetch->next_offset, static_cast<std::int64_t>(records) + 1);
    fetches.push_back(std::move(*fetch));
  }
  from.reset();  // the views live as long as the fetches
  std::int64_t expected = 1;
  for (const Fetch& fetch : fetches)
    for (const RecordView& record : fetch.records) {
      EXPECT_EQ(record.offset, expected);
      EXPECT_EQ(record.value, std::to_string(expected++));
      ASSERT_THAT(record.headers, SizeIs(1));
      EXPECT_EQ(record.headers[0].value, "x");
    }
  EXPECT_EQ(expected, 10);
}

TEST_P(LogContract, EveryPartitionGetsItsTurn) {
  const std::string name = topic("fair", 3);
  auto out = writer("w");
  const auto handle = *out->topic(name);
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(out->append(handle, i % 3, "k", "v", RecordTime{i}));
  commit(*out);
  auto from = reader();
  std::vector<ReadHandle> sources;
  for (int p = 0; p < 3; ++p) sources.push_back(*from->add({name, p}, kOffsetBeginning));
  from->pause(sources[1]);
  std::vector<int> seen(3);
  const auto give_up = Clock::now() + 30s;
  const auto read = [&](int total) {
    while (seen[0] + seen[1] + seen[2] < total && Clock::now() < give_up)
      if (auto fetch = std::move(*from->poll(10, 100ms)))
        for (int p = 0; p < 3; ++p)
          if (sources[static_cast<std::size_t>(p)] == fetch->source)
            seen[static_cast<std::size_t>(p)] += static_cast<int>(fetch->records.size());
  };
  read(200);
  EXPECT_THAT(seen, ElementsAre(100, 0, 100));
  from->resume(sources[1]);
  read(300);
  EXPECT_THAT(seen, ElementsAre(100, 100, 100));
  from->remove(sources[0]);
  ASSERT_TRUE(log().append_now({name, 0}, "k", "v", RecordTime{1}));
  const auto quiet = Clock::now() + 300ms;
  while (Clock::now() < quiet) {
    const auto fetch = std::move(*from->poll(10, 50ms));
    EXPECT_TRUE(!fetch || fetch->records.empty());
  }
}

TEST_P(LogContract, WakeEndsAPoll) {
  const std::string name = topic("quiet");
  auto from = reader();
  ASSERT_TRUE(from->add({name, 0}, kOffsetEnd));
  from->poll(10, 10ms).value();
  std::thread waker([&] {
    std::this_thread::sleep_for(20ms);
    from->wake();
  });
  const auto start = Clock::now();
  const auto fetch = from->poll(10, 20s);
  waker.join();
  ASSERT_TRUE(fetch);
  EXPECT_FALSE(*fetch);
  EXPECT_LT(Clock::now() - start, 10s);
}

TEST_P(LogContract, AWaitingReaderSeesACommitOfAnotherThread) {
  const std::string name = topic("live");
  constexpr int kRecords = 2000;
  std::thread producer([&] {
    auto out = writer("w");
    const auto handle = *out->topic(name);
    for (int i = 0; i < kRecords; ++i) {
      EXPECT_TRUE(out->append(handle, 0, "k", std::to_string(i), RecordTime{i}));
      if (i % 50 == 49) {
        EXPECT_TRUE(out->commit());
      }
    }
    EXPECT_EQ(ended(*out).outcome, Writer::Outcome::committed);
  });
  auto from = reader();
  ASSERT_TRUE(from->add({name, 0}, kOffsetBeginning));
  int next = 0;
  const auto give_up = Clock::now() + 60s;
  while (next < kRecords && Clock::now() < give_up) {
    auto fetch = from->poll(77, 1s);
    ASSERT_TRUE(fetch);
    if (!*fetch) continue;
    for (const RecordView& record : (*fetch)->records) ASSERT_EQ(record.value, std::to_string(next++));
  }
  producer.join();
  EXPECT_EQ(next, kRecords);
}

TEST_P(LogContract, TruncationMovesTheBeginning) {
  const std::string name = topic("truncated");
  auto out = writer("w");
  const auto handle = *out->topic(name);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(out->append(handle, 0, "k", std::to_string(i), RecordTime{i}));
  commit(*out);
  ASSERT_TRUE(log().truncate_before({name, 0}, 7));
  EXPECT_EQ(log().bounds({name, 0})->begin, 7);
  EXPECT_THAT(values(name), ElementsAre("7", "8", "9"));
  EXPECT_THAT(values(name, 0, 2), ElementsAre("7", "8", "9"));
  ASSERT_TRUE(log().truncate_before({name, 0}, 3));
  EXPECT_EQ(log().bounds({name, 0})->begin, 7);
  const std::int64_t end = log().bounds({name, 0})->end;
  ASSERT_TRUE(log().truncate_before({name, 0}, end));
  EXPECT_EQ(log().bounds({name, 0})->begin, end);
  EXPECT_THAT(read_all(name), IsEmpty());
  ASSERT_TRUE(out->append(handle, 0, "k", "10", RecordTime{1}));
  commit(*out);
  EXPECT_THAT(values(name), ElementsAre("10"));
}

TEST_P(LogContract, AReaderKnowsWhenItHasEverything) {
  const std::string name = topic("everything");
  auto out = writer("w");
  const auto handle = *out->topic(name);
  const auto has_everything = [](Reader& from, ReadHandle source) {
    const auto give_up = Clock::now() + 30s;
    while (!from.ended(source) && Clock::now() < give_up) {
      from.ask_end(source);
      EXPECT_FALSE(has_records(from.poll(100, 100ms)));
    }
    return from.ended(source);
  };
  auto from = reader();
  const ReadHandle source = *from->add({name, 0}, kOffsetBeginning);
  EXPECT_TRUE(has_everything(*from, source)) << "an empty log";
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < 10; ++i) ASSERT_TRUE(out->append(handle, 0, "k", std::to_string(i), RecordTime{i}));
    EXPECT_TRUE(has_everything(*from, source)) << "what is not committed does not count";
    commit(*out);
    auto late = reader();
    const ReadHandle later = *late->add({name, 0}, kOffsetBeginning);
    for (std::size_t seen = 0; seen < 10U * (static_cast<std::size_t>(round) + 1);) {
      EXPECT_FALSE(late->ended(later)) << "after " << seen;
      seen += next_records(*late, 4).records.size();
    }
    EXPECT_TRUE(has_everything(*late, later));
    for (std::size_t seen = 0; seen < 10;) seen += next_records(*from, 100).records.size();
    EXPECT_TRUE(has_everything(*from, source));
  }
}

// What the log has told before counts for what was committed before.
TEST_P(LogContract, AReaderThatHadEverythingMayHaveToAskAgain) {
  const std::string name = topic("again");
  auto out = writer("w");
  const auto handle = *out->topic(name);
  auto from = reader();
  const ReadHandle source = *from->add({name, 0}, kOffsetBeginning);
  for (int round = 0; round < 5; ++round) {
    const auto give_up = Clock::now() + 30s;
    while (!from->ended(source) && Clock::now() < give_up) static_cast<void>(from->poll(100, 100ms).has_value());
    ASSERT_TRUE(out->append(handle, 0, "k", "v", RecordTime{round}));
    commit(*out);
    const auto since = Clock::now();
    std::size_t seen = 0;
    while (!from->ended(source, since) && Clock::now() < give_up) {
      from->ask_end(source);
      const auto fetch = from->poll(100, 100ms);
      if (fetch && *fetch) seen += (*fetch)->records.size();
    }
    EXPECT_TRUE(from->ended(source, since));
    EXPECT_EQ(seen, 1U) << round;
  }
}

TEST_P(LogContract, AReaderToTheEndReadsOneStretchAfterAnother) {
  const std::string name = topic("stretches", 2);
  auto out = writer("w");
  const TopicHandle handle = *out->topic(name);
  auto made = log().reader_to_end("contract");
  ASSERT_TRUE(made) << made.error().message;
  Reader& from = **made;
  std::vector<std::int64_t> next(2, 0);
  for (int round = 0; round < 4; ++round) {
    for (int i = 0; i < 3; ++i)
      for (const std::int32_t partition : {0, 1})
        ASSERT_TRUE(out->append(handle, partition, "k", std::to_string(i), RecordTime{i}));
    commit(*out);
    std::size_t seen = 0;
    for (const std::int32_t partition : {0, 1}) {
      const auto bounds = log().bounds({name, partition}, false);
      ASSERT_TRUE(bounds);
      const auto source = from.add({name, partition}, next[static_cast<std::size_t>(partition)]);
      ASSERT_TRUE(source) << source.error().message;
      const auto give_up = Clock::now() + 30s;
      while (next[static_cast<std::size_t>(partition)] < bounds->end && Clock::now() < give_up) {
        const auto fetch = from.poll(100, 100ms);
        ASSERT_TRUE(fetch) << fetch.error().message;
        if (!*fetch) continue;
        EXPECT_EQ((*fetch)->source, *source);
        seen += (*fetch)->records.size();
        next[static_cast<std::size_t>(partition)] = (*fetch)->next_offset;
      }
      EXPECT_GE(next[static_cast<std::size_t>(partition)], bounds->end);
      from.remove(*source);
    }
    EXPECT_EQ(seen, 6U);
  }
}

TEST_P(LogContract, NobodyWaitsForWhatWasTruncated) {
  const std::string name = topic("gone");
  auto out = writer("w");
  const auto handle = *out->topic(name);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(out->append(handle, 0, "k", std::to_string(i), RecordTime{i}));
  commit(*out);
  const std::int64_t end = log().bounds({name, 0})->end;
  ASSERT_TRUE(log().truncate_before({name, 0}, end));
  auto from = reader();
  const ReadHandle source = *from->add({name, 0}, 3);
  std::int64_t next = 3;
  const auto give_up = Clock::now() + 30s;
  while (next < end && Clock::now() < give_up) {
    auto fetch = std::move(*from->poll(100, 100ms));
    if (fetch) next = fetch->next_offset;
  }
  EXPECT_EQ(next, end);
  while (!from->ended(source) && Clock::now() < give_up) EXPECT_FALSE(has_records(from->poll(100, 100ms)));
  EXPECT_TRUE(from->ended(source));
}

TEST_P(LogContract, WhatDoesNotExistIsAUserError) {
  const std::string name = topic("known");
  auto out = writer("w");
  const auto handle = out->topic("no such topic");
  ASSERT_FALSE(handle);
  EXPECT_EQ(handle.error().fault, Fault::user);
  auto from = reader();
  EXPECT_FALSE(from->add({"no such topic", 0}, 0));
  EXPECT_FALSE(from->add({name, 1}, 0));
  EXPECT_FALSE(from->add({name, 0}, 5));
  EXPECT_FALSE(log().append_now({"no such topic", 0}, "k", "v", RecordTime{1}));
}

TEST_P(LogContract, SlotsAreGranted) {
  const std::string name = topic("slots", 8, true);
  auto member = log().membership(under_test_->prefix() + "group", name, "127.0.0.1:8088");
  ASSERT_TRUE(member) << member.error().message;
  std::vector<SlotId> granted;
  ASSERT_TRUE((*member)->join(
      "p1",
      {.granted = [&](const std::vector<SlotId>& slots) { granted.insert(granted.end(), slots.begin(), slots.end()); },
       .revoked = {},
       .lost = {}}));
  const auto give_up = Clock::now() + 60s;
  while (granted.size() < 8 && Clock::now() < give_up) ASSERT_TRUE((*member)->poll(100ms));
  EXPECT_THAT(granted, testing::UnorderedElementsAreArray(all_slots(8)));
  const auto owners = (*member)->owners();
  ASSERT_TRUE(owners) << owners.error().message;
  EXPECT_THAT(*owners, testing::AllOf(SizeIs(8), testing::Each("127.0.0.1:8088")));
  auto out = log().writer(under_test_->prefix() + "fenced-by-slots", member->get());
  ASSERT_TRUE(out) << out.error().message;
  ASSERT_TRUE((*out)->append(*(*out)->topic(name), 3, "k", "v", RecordTime{1}));
  commit(**out);
  out->reset();
  (*member)->leave();
}

TEST_P(LogContract, ReopeningKeepsEverything) {
  const std::string name = topic("kept", 2);
  const std::string id = *log().cluster_id();
  EXPECT_FALSE(id.empty());
  {
    auto out = writer("w");
    const auto handle = *out->topic(name);
    for (int i = 0; i < 1000; ++i) ASSERT_TRUE(out->append(handle, i % 2, "k", std::to_string(i), RecordTime{i}));
    commit(*out);
    ASSERT_TRUE(log().truncate_before({name, 0}, 100));
  }
  if (!under_test_->reopen()) return;  // this log does not outlive its process
  EXPECT_EQ(*log().cluster_id(), id);
  EXPECT_THAT(values(name, 0), SizeIs(400));
  EXPECT_THAT(values(name, 1), SizeIs(500));
  ASSERT_TRUE(log().append_now({name, 0}, "k", "next", RecordTime{1}));
  EXPECT_EQ(values(name, 0).back(), "next");
}

}  // namespace millrace
