#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <random>
#include <thread>

#include "exec/data/wall_clock.h"
#include "exec/log/embedded/log_compaction.h"
#include "exec/log/embedded/maintenance.h"
#include "exec/log/embedded/open.h"
#include "exec/log/embedded/store.h"
#include "exec/log/failpoint.h"
#include "exec/log/local/log.h"
#include "tests/unit/exec_log/log_contract.h"
#include "tests/unit/exec_log/temporary_directory.h"

namespace millrace {
namespace {

using namespace std::chrono_literals;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

std::vector<OwnedRecord> read_all(Log& log, const std::string& topic, std::int32_t partition = 0) {
  std::vector<OwnedRecord> records;
  const auto bounds = log.bounds({topic, partition});
  auto reader = std::move(*log.reader("test"));
  EXPECT_TRUE(reader->add({topic, partition}, kOffsetBeginning));
  while (auto fetch = std::move(*reader->poll(1000, 0ms)))
    for (const RecordView& record : fetch->records) records.push_back(own(record));
  return records;
}

std::vector<std::string> values(Log& log, const std::string& topic, std::int32_t partition = 0) {
  std::vector<std::string> list;
  for (const auto& record : read_all(log, topic, partition)) list.push_back(record.value.value_or("NULL"));
  return list;
}

Writer::CommitState commit(Writer& writer) {
  EXPECT_TRUE(writer.commit());
  return writer.commit_state(60s);
}

/// The embedded log with maintenance stepped by hand.
class EmbeddedLog : public testing::Test {
 protected:
  void SetUp() override { open(); }
  void TearDown() override { failpoint::disarm_all(); }

  void open(std::size_t tail_bytes = 1 << 20) {
    maintenance_.reset();
    log_.reset();
    auto store = EmbeddedStore::open(directory_.path(), {.sync = false});
    ASSERT_TRUE(store) << store.error().message;
    store_ = store->get();
    auto log = std::move(*LocalLog::open(std::move(*store), {.tail_bytes = tail_bytes}));
    EmbeddedMaintenance::Limits limits;
    limits.min_dirty_bytes = 1;
    limits.reclaim_bytes = 1;
    maintenance_ = std::make_unique<EmbeddedMaintenance>(*log, *store_, limits);
    log_ = std::move(log);
  }

  void put(const std::string& topic, std::string_view key, std::optional<std::string_view> value) {
    ASSERT_TRUE(log_->append_now({topic, 0}, key, value, RecordTime{7}));
  }

  TemporaryDirectory directory_;
  EmbeddedStore* store_ = nullptr;
  std::unique_ptr<Log> log_;
  std::unique_ptr<EmbeddedMaintenance> maintenance_;
};

TEST_F(EmbeddedLog, RefusesASecondOwnerAndNamesTheDirectory) {
  const auto second = open_embedded_log({.directory = directory_.path()});
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().fault, Fault::user);
  EXPECT_THAT(second.error().message, HasSubstr(directory_.path()));
  EXPECT_THAT(second.error().message, HasSubstr(std::to_string(getpid())));
}

TEST_F(EmbeddedLog, AnUnusableDirectoryIsAnExternalError) {
  const std::string file = directory_.path() + "/file";
  std::ofstream(file) << "x";
  const auto opened = open_embedded_log({.directory = file + "/log"});
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().fault, Fault::external);
  EXPECT_THAT(opened.error().message, HasSubstr(file));
}

TEST_F(EmbeddedLog, KeepsTopicsWithTheirSettings) {
  ASSERT_TRUE(log_->create_topic("plain", {.partitions = 5}));
  ASSERT_TRUE(log_->create_topic("kept", {.retention_ms = -1, .compacted = true}));
  ASSERT_TRUE(log_->create_topic("gone", {}));
  ASSERT_TRUE(log_->delete_topic("gone"));
  open();
  EXPECT_THAT(*log_->list_topics(), SizeIs(2));
  const auto kept = (*log_->describe_topic("kept"))->config;
  EXPECT_EQ(kept.retention_ms, -1);
  EXPECT_TRUE(kept.compacted);
  const auto plain = (*log_->describe_topic("plain"))->config;
  EXPECT_EQ(plain.partitions, 5);
  EXPECT_EQ(plain.retention_ms, std::nullopt);
}

TEST_F(EmbeddedLog, ReadsOnFromDiskIntoMemory) {
  open(64 * 1024);
  ASSERT_TRUE(log_->create_topic("long", {}));
  auto writer = std::move(*log_->writer("w", nullptr));
  const auto topic = *writer->topic("long");
  auto reader = std::move(*log_->reader("r"));
  ASSERT_TRUE(reader->add({"long", 0}, 0));
  const std::string padding(200, 'x');
  int read = 0;
  for (int round = 0; round < 40; ++round) {
    for (int i = 0; i < 100; ++i)
      ASSERT_TRUE(writer->append(topic, 0, "k", std::to_string(round * 100 + i) + padding, RecordTime{1}));
    ASSERT_EQ(commit(*writer).outcome, Writer::Outcome::committed);
    if (round % 20 != 19) continue;
    while (auto fetch = std::move(*reader->poll(333, 0ms)))
      for (const RecordView& record : fetch->records) ASSERT_EQ(*record.value, std::to_string(read++) + padding);
  }
  EXPECT_EQ(read, 4000);
}

TEST_F(EmbeddedLog, DropsWhatIsTruncatedAndRemembersTheEnd) {
  ASSERT_TRUE(log_->create_topic("t", {.retention_ms = -1}));
  for (int i = 0; i < 10; ++i) put("t", "k", std::to_string(i));
  ASSERT_TRUE(log_->truncate_before({"t", 0}, 10));
  ASSERT_TRUE(maintenance_->run_once(wall_clock_ms()));
  EXPECT_THAT(*store_->read({1, 0}, 0, 100, 100), IsEmpty());
  open();
  EXPECT_EQ(log_->bounds({"t", 0})->begin, 10);
  EXPECT_EQ(log_->bounds({"t", 0})->end, 10);
  put("t", "k", "10");
  EXPECT_THAT(values(*log_, "t"), ElementsAre("10"));
}

TEST_F(EmbeddedLog, DropsExpiredBatchesOnly) {
  ASSERT_TRUE(log_->create_topic("week", {}));
  ASSERT_TRUE(log_->create_topic("ever", {.retention_ms = -1}));
  ASSERT_TRUE(log_->create_topic("brief", {.retention_ms = 1000}));
  for (const char* topic : {"week", "ever", "brief"}) put(topic, "k", "old");
  ASSERT_TRUE(maintenance_->run_once(wall_clock_ms() + 60'000));
  EXPECT_THAT(values(*log_, "week"), ElementsAre("old"));
  EXPECT_THAT(values(*log_, "brief"), IsEmpty());
  ASSERT_TRUE(maintenance_->run_once(wall_clock_ms() + 8LL * 24 * 3600 * 1000));
  EXPECT_THAT(values(*log_, "week"), IsEmpty());
  EXPECT_THAT(values(*log_, "ever"), ElementsAre("old"));
}

TEST_F(EmbeddedLog, CompactionKeepsTheLastOfEachKeyAtItsOffset) {
  open(0);
  ASSERT_TRUE(log_->create_topic("c", {.compacted = true}));
  for (int round = 0; round < 3; ++round)
    for (const char* key : {"a", "b", "c"}) put("c", key, std::string(key) + std::to_string(round));
  put("c", "a", std::nullopt);
  put("c", "d", "d0");
  const std::int64_t now = wall_clock_ms();
  ASSERT_TRUE(maintenance_->run_once(now));
  std::vector<std::pair<std::int64_t, std::string>> found;
  for (const auto& record : read_all(*log_, "c")) found.emplace_back(record.offset, record.value.value_or("NULL"));
  using Entry = std::pair<std::int64_t, std::string>;
  EXPECT_THAT(found, ElementsAre(Entry{7, "b2"}, Entry{8, "c2"}, Entry{9, "NULL"}, Entry{10, "d0"}));

  // A day later the tombstone goes too; what was compacted is compacted again with what came since.
  put("c", "d", "d1");
  ASSERT_TRUE(maintenance_->run_once(now + 25LL * 3600 * 1000));
  EXPECT_THAT(values(*log_, "c"), ElementsAre("b2", "c2", "d1"));
  EXPECT_EQ(log_->bounds({"c", 0})->end, 12);
  open(0);
  EXPECT_THAT(values(*log_, "c"), ElementsAre("b2", "c2", "d1"));
  put("c", "e", "e0");
  EXPECT_THAT(values(*log_, "c"), ElementsAre("b2", "c2", "d1", "e0"));
}

TEST_F(EmbeddedLog, CompactionInSmallPassesEqualsOnePass) {
  open(0);
  ASSERT_TRUE(log_->create_topic("c", {.compacted = true}));
  auto writer = std::move(*log_->writer("w", nullptr));
  const auto topic = *writer->topic("c");
  std::mt19937 random(7);
  std::map<std::string, std::string> expected;
  for (int i = 0; i < 20'000; ++i) {
    const std::string key = std::to_string(random() % 3000);
    expected[key] = std::to_string(i);
    const std::vector<HeaderView> headers{{"i", expected[key]}};
    ASSERT_TRUE(writer->append(topic, 0, key, expected[key], RecordTime{i}, headers));
    if (i % 97 != 0) continue;
    ASSERT_TRUE(writer->commit());
  }
  ASSERT_EQ(commit(*writer).outcome, Writer::Outcome::committed);
  const auto bounds = *log_->bounds({"c", 0});
  std::int64_t from = 0;
  int passes = 0;
  while (from < bounds.end) {
    const auto result = compact_partition(*store_, {1, 0}, bounds, from, {.max_keys = 700});
    ASSERT_TRUE(result);
    ASSERT_GT(result->compacted_to, from);
    from = result->compacted_to;
    ++passes;
  }
  EXPECT_GT(passes, 3);
  std::map<std::string, std::string> found;
  std::int64_t last = -1;
  for (const auto& record : read_all(*log_, "c")) {
    EXPECT_GT(record.offset, last);
    last = record.offset;
    EXPECT_TRUE(found.emplace(*record.key, *record.value).second) << "key twice: " << *record.key;
    EXPECT_EQ(record.timestamp, std::stoll(*record.value));
    EXPECT_EQ(record.offset, record.timestamp);
    ASSERT_THAT(record.headers, SizeIs(1));
    EXPECT_EQ(record.headers[0].second, *record.value);
  }
  EXPECT_EQ(found, expected);
}

TEST_F(EmbeddedLog, AReaderInTheMiddleOfWhatCompactionRemovedGoesOn) {
  open(0);
  ASSERT_TRUE(log_->create_topic("c", {.compacted = true}));
  for (int i = 0; i < 20; ++i) put("c", i % 2 == 0 ? "even" : "odd", std::to_string(i));
  auto reader = std::move(*log_->reader("r"));
  ASSERT_TRUE(reader->add({"c", 0}, 0));
  ASSERT_THAT((*reader->poll(1, 0ms))->records, SizeIs(1));
  ASSERT_TRUE(maintenance_->run_once(wall_clock_ms()));
  std::int64_t next = 0;
  while (auto fetch = std::move(*reader->poll(1, 0ms))) next = fetch->next_offset;
  EXPECT_EQ(next, 20);
}

TEST_F(EmbeddedLog, AFailedWriteLeavesNothing) {
  ASSERT_TRUE(log_->create_topic("t", {}));
  auto writer = std::move(*log_->writer("w", nullptr));
  const auto topic = *writer->topic("t");
  failpoint::arm(failpoint::kLogWrite, {.error = external_error("no disk")});
  ASSERT_TRUE(writer->append(topic, 0, "k", "lost", RecordTime{1}));
  EXPECT_EQ(commit(*writer).outcome, Writer::Outcome::failed);
  ASSERT_TRUE(writer->append(topic, 0, "k", "kept", RecordTime{1}));
  EXPECT_EQ(commit(*writer).outcome, Writer::Outcome::committed);
  writer.reset();
  open();
  EXPECT_THAT(values(*log_, "t"), ElementsAre("kept"));
}

TEST_F(EmbeddedLog, AFailingIndexIsOpenedAnew) {
  open(0);
  ASSERT_TRUE(log_->create_topic("t", {}));
  put("t", "k", "before");
  auto reader = std::move(*log_->reader("r"));
  ASSERT_TRUE(reader->add({"t", 0}, 0));
  failpoint::arm(failpoint::kLogIndex, {.error = external_error("index gone")});
  EXPECT_FALSE(log_->append_now({"t", 0}, "k", "lost", RecordTime{1}));
  const auto soon = log_->append_now({"t", 0}, "k", "too soon", RecordTime{1});
  ASSERT_FALSE(soon);
  EXPECT_EQ(soon.error().fault, Fault::external);
  ASSERT_THAT((*reader->poll(10, 0ms))->records, SizeIs(1));
  std::this_thread::sleep_for(300ms);
  put("t", "k", "after");
  const auto fetch = *reader->poll(10, 0ms);
  ASSERT_TRUE(fetch);
  ASSERT_THAT(fetch->records, SizeIs(1));
  EXPECT_EQ(fetch->records[0].value, "after");
  EXPECT_EQ(fetch->records[0].offset, 1);
  reader.reset();
  open();
  EXPECT_THAT(values(*log_, "t"), ElementsAre("before", "after"));
}

TEST_F(EmbeddedLog, ACrashBetweenWriteAndIndexKeepsTheTransaction) {
  ASSERT_TRUE(log_->create_topic("t", {.partitions = 2}));
  maintenance_.reset();
  log_.reset();
  const pid_t child = fork();
  if (child == 0) {
    auto log = std::move(*open_embedded_log({.directory = directory_.path()}));
    auto writer = std::move(*log->writer("w", nullptr));
    const auto topic = *writer->topic("t");
    failpoint::arm(failpoint::kLogIndex, {.kind = failpoint::Action::Kind::crash});
    for (int partition = 0; partition < 2; ++partition) (void)writer->append(topic, partition, "k", "v", RecordTime{1});
    commit(*writer);
    _exit(1);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(WEXITSTATUS(status), 42);
  open();
  for (int partition = 0; partition < 2; ++partition) EXPECT_THAT(values(*log_, "t", partition), ElementsAre("v"));
}

/// Files may not grow beyond a size: writes fail half way, as on a full disk. Runs in a child, since the limit binds
/// the process.
int write_against_a_limit(const std::string& directory) {
  signal(SIGXFSZ, SIG_IGN);
  auto log = std::move(*open_embedded_log({.directory = directory}));
  if (!log->create_topic("t", {.partitions = 2})) return 10;
  auto writer = std::move(*log->writer("w", nullptr));
  const auto topic = *writer->topic("t");
  const std::string padding(1000, 'x');
  const auto transaction = [&](int number) {
    for (int i = 0; i < 200; ++i)
      (void)writer->append(topic, i % 2, std::to_string(number), std::to_string(i) + padding, RecordTime{1});
    return commit(*writer);
  };
  int committed = 0;
  for (; committed < 5; ++committed)
    if (transaction(committed).outcome != Writer::Outcome::committed) return 11;
  rlimit limit{};
  getrlimit(RLIMIT_FSIZE, &limit);
  limit.rlim_cur = 1'300'000;
  setrlimit(RLIMIT_FSIZE, &limit);
  int failed = 0;
  for (int i = 0; i < 20 && failed < 3; ++i) {
    const auto state = transaction(committed);
    if (state.outcome == Writer::Outcome::committed) {
      ++committed;
      continue;
    }
    if (state.error->fault != Fault::external) return 12;
    ++failed;
    if (read_all(*log, "t").size() != static_cast<std::size_t>(committed) * 100) return 13;
  }
  if (failed == 0) return 14;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_FSIZE, &limit);
  std::this_thread::sleep_for(300ms);
  for (int i = 0; i < 5; ++i)
    if (transaction(committed++).outcome != Writer::Outcome::committed) return 15;
  if (read_all(*log, "t", 1).size() != static_cast<std::size_t>(committed) * 100) return 16;
  _exit(committed);  // no orderly close
}

TEST(EmbeddedLogOnAFullDisk, FailsClearlyKeepsWhatWasCommittedAndRecovers) {
  const TemporaryDirectory directory;
  const pid_t child = fork();
  if (child == 0) _exit(100 + write_against_a_limit(directory.path()));
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  const int committed = WEXITSTATUS(status);
  ASSERT_GE(committed, 10);
  ASSERT_LT(committed, 100) << "step " << committed - 100;
  auto log = std::move(*open_embedded_log({.directory = directory.path()}));
  for (int partition = 0; partition < 2; ++partition) {
    const auto records = read_all(*log, "t", partition);
    ASSERT_THAT(records, SizeIs(committed * 100));
    for (std::size_t i = 0; i < records.size(); ++i) {
      EXPECT_EQ(records[i].key, std::to_string(i / 100));
      EXPECT_EQ(records[i].offset, static_cast<std::int64_t>(i));
    }
  }
}

/// Two writers append numbered transactions, each spread over three partitions; the pipe tells which are committed.
[[noreturn]] void write_until_killed(const std::string& directory, int report) {
  auto log = std::move(*open_embedded_log({.directory = directory}));
  if (!*log->describe_topic("t")) (void)log->create_topic("t", {.partitions = 3});
  const auto run = [&](char name) {
    auto writer = std::move(*log->writer(std::string(1, name), nullptr));
    const auto topic = *writer->topic("t");
    int number = 0;
    for (const auto& record : read_all(*log, "t", 0))
      if ((*record.key)[0] == name) number = std::max(number, std::stoi(*record.value) + 1);
    const std::string key = name + std::string(300, 'x');
    for (;; ++number) {
      for (int i = 0; i < 30; ++i) (void)writer->append(topic, i % 3, key, std::to_string(number), RecordTime{number});
      if (commit(*writer).outcome != Writer::Outcome::committed) _exit(1);
      const std::string line = name + std::to_string(number) + "\n";
      if (::write(report, line.data(), line.size()) < 0) _exit(2);
    }
  };
  std::thread other([&] { run('a'); });
  run('b');
  _exit(3);
}

TEST(EmbeddedLogKilled, KeepsEveryCommittedTransactionWhole) {
  const TemporaryDirectory directory;
  std::mt19937 random(11);
  std::map<char, int> acknowledged{{'a', -1}, {'b', -1}};
  for (int round = 0; round < 6; ++round) {
    int report[2];
    ASSERT_EQ(pipe(report), 0);
    const pid_t child = fork();
    if (child == 0) write_until_killed(directory.path(), report[1]);
    close(report[1]);
    // At a random moment, but not before some transactions have been confirmed, however slow the machine is.
    std::string lines;
    char buffer[4096];
    const std::size_t enough = 20 + random() % 2000;
    for (ssize_t got; lines.size() < enough && (got = ::read(report[0], buffer, sizeof buffer)) > 0;)
      lines.append(buffer, static_cast<std::size_t>(got));
    std::this_thread::sleep_for(std::chrono::milliseconds(random() % 20));
    kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    ASSERT_TRUE(WIFSIGNALED(status)) << WEXITSTATUS(status);
    for (ssize_t got; (got = ::read(report[0], buffer, sizeof buffer)) > 0;)
      lines.append(buffer, static_cast<std::size_t>(got));
    close(report[0]);
    std::size_t begin = 0;
    for (std::size_t end; (end = lines.find('\n', begin)) != std::string::npos; begin = end + 1)
      acknowledged[lines[begin]] = std::stoi(lines.substr(begin + 1, end - begin - 1));

    auto log = std::move(*open_embedded_log({.directory = directory.path()}));
    std::map<char, std::vector<int>> next{{'a', {0, 0, 0}}, {'b', {0, 0, 0}}};
    for (int partition = 0; partition < 3; ++partition) {
      std::map<char, int> seen;
      std::int64_t offset = 0;
      for (const auto& record : read_all(*log, "t", partition)) {
        EXPECT_EQ(record.offset, offset++);
        const char name = (*record.key)[0];
        ASSERT_EQ(std::stoi(*record.value), seen[name] / 10) << "a transaction is lost, doubled or out of order";
        ++seen[name];
      }
      for (const auto& [name, count] : seen) {
        EXPECT_EQ(count % 10, 0) << "half a transaction";
        next[name][static_cast<std::size_t>(partition)] = count / 10;
      }
    }
    for (const auto& [name, counts] : next) {
      EXPECT_EQ(counts[0], counts[1]);
      EXPECT_EQ(counts[0], counts[2]);
      EXPECT_GT(counts[0], acknowledged[name]);
    }
  }
  EXPECT_GT(acknowledged['a'], 10);
}

}  // namespace
}  // namespace millrace
