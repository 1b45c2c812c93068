#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <map>
#include <random>
#include <thread>

#include "exec/data/wall_clock.h"
#include "exec/log/embedded/maintenance.h"
#include "exec/log/embedded/store.h"
#include "exec/log/failpoint.h"
#include "exec/log/local/log.h"
#include "tests/unit/exec_log/log_contract.h"
#include "tests/unit/exec_log/temporary_directory.h"

namespace millrace {
namespace {

using namespace std::chrono_literals;
using testing::IsEmpty;
using testing::SizeIs;
namespace fs = std::filesystem;

constexpr EmbeddedStore::Options kSmallSegments{.sync = false, .segment_bytes = 4096};

/// The store alone, with segments of a few batches.
class EmbeddedStoreFiles : public testing::Test {
 protected:
  void SetUp() override {
    open();
    store_.reset();
    fs::copy(directory_.path() + kIndex, first_index_.path(), fs::copy_options::recursive);
    open();
  }

  void open() {
    store_.reset();
    auto opened = EmbeddedStore::open(directory_.path(), kSmallSegments);
    ASSERT_TRUE(opened) << opened.error().message;
    store_ = std::move(*opened);
  }

  Status put(std::int32_t partition, std::int64_t base, std::string_view value) {
    RecordBatchBuilder builder;
    builder.append("k", value, RecordTime{base}, {});
    auto batch = builder.seal();
    batch->place(base, base);
    const PlacedBatch placed{{1, partition}, std::move(batch)};
    return store_->write({&placed, 1});
  }

  std::vector<std::string> values(std::int32_t partition) {
    std::vector<std::string> list;
    const auto batches = store_->read({1, partition}, 0, std::numeric_limits<std::int64_t>::max(), 1'000'000);
    EXPECT_TRUE(batches) << batches.error().message;
    if (!batches) return list;
    for (const auto& batch : *batches) {
      RecordCursor cursor(batch);
      RecordView record;
      std::vector<HeaderView> headers;
      std::uint32_t count = 0;
      EXPECT_TRUE(cursor.next(record, headers, count));
      list.emplace_back(*record.value);
    }
    return list;
  }

  std::vector<fs::path> segments() const {
    std::vector<fs::path> list;
    for (const auto& entry : fs::directory_iterator(directory_.path() + "/segments")) list.push_back(entry.path());
    std::sort(list.begin(), list.end());
    return list;
  }

  /// Opens with the index as it was at the beginning: what was not written out when the process died.
  void crash_and_open(const std::function<void()>& damage) {
    store_.reset();
    fs::remove_all(directory_.path() + kIndex);
    fs::copy(first_index_.path(), directory_.path() + kIndex, fs::copy_options::recursive);
    damage();
    open();
  }

  static constexpr const char* kIndex = "/index";
  TemporaryDirectory first_index_;
  TemporaryDirectory directory_;
  std::unique_ptr<EmbeddedStore> store_;
};

TEST_F(EmbeddedStoreFiles, ATornLastWriteIsDropped) {
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(put(0, i, std::to_string(i)));
  for (int round = 1; round <= 4; ++round) {
    crash_and_open([&] {
      const fs::path last = segments().back();
      fs::resize_file(last, fs::file_size(last) - static_cast<std::uintmax_t>(7 * round));
    });
    EXPECT_THAT(values(0), SizeIs(5 - round));
  }
  ASSERT_TRUE(put(0, 1, "new"));
  open();
  EXPECT_THAT(values(0), testing::ElementsAre("0", "new"));
}

// The index may be on the disk before what it tells of, when nobody waited for either.
TEST_F(EmbeddedStoreFiles, OfATransactionThatLostItsEndNothingIsLeft) {
  ASSERT_TRUE(put(0, 0, "before"));
  std::vector<PlacedBatch> transaction;
  for (const std::int32_t partition : {0, 1, 2}) {
    RecordBatchBuilder builder;
    builder.append("k", std::string(100, 'x'), RecordTime{1}, {});
    auto batch = builder.seal();
    batch->place(1, 1);
    transaction.push_back({{1, partition}, std::move(batch)});
  }
  ASSERT_TRUE(store_->write(transaction));
  store_.reset();
  fs::resize_file(segments().back(), fs::file_size(segments().back()) - 50);
  open();
  EXPECT_THAT(values(0), testing::ElementsAre("before"));
  EXPECT_THAT(values(1), IsEmpty());
  EXPECT_THAT(values(2), IsEmpty());
  ASSERT_TRUE(put(1, 0, "after"));
  open();
  EXPECT_THAT(values(1), testing::ElementsAre("after"));
}

TEST_F(EmbeddedStoreFiles, GarbageAfterTheLastWriteIsDropped) {
  ASSERT_TRUE(put(0, 0, "kept"));
  crash_and_open([&] { std::ofstream(segments().back(), std::ios::app) << std::string(500, '\7'); });
  EXPECT_THAT(values(0), testing::ElementsAre("kept"));
  EXPECT_EQ(store_->bounds({1, 0})->end, 1);
}

TEST_F(EmbeddedStoreFiles, AFrameOfAnotherPlaceIsNotTaken) {
  ASSERT_TRUE(put(0, 0, "kept"));
  crash_and_open([&] {
    std::ifstream in(segments().back(), std::ios::binary);
    const std::string bytes((std::istreambuf_iterator<char>(in)), {});
    std::ofstream(segments().back(), std::ios::app | std::ios::binary) << bytes;
  });
  EXPECT_THAT(values(0), testing::ElementsAre("kept"));
}

TEST_F(EmbeddedStoreFiles, ALostIndexIsMadeAgain) {
  ASSERT_TRUE(store_->create({.id = 1, .name = "t", .config = {.partitions = 2}}));
  const std::string id = *store_->cluster_id();
  for (int i = 0; i < 300; ++i) ASSERT_TRUE(put(i % 2, i, std::to_string(i)));
  EXPECT_GT(segments().size(), 5U);
  store_.reset();
  fs::remove_all(directory_.path() + "/index");
  open();
  EXPECT_THAT(values(0), SizeIs(150));
  EXPECT_THAT(values(1), SizeIs(150));
  EXPECT_THAT(*store_->topics(), SizeIs(1));
  EXPECT_EQ(*store_->cluster_id(), id);
}

TEST_F(EmbeddedStoreFiles, ADamagedBatchIsReportedNotReturned) {
  ASSERT_TRUE(put(0, 0, "fine"));
  store_.reset();
  std::fstream file(segments().back(), std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(-2, std::ios::end);
  file << 'X';
  file.close();
  open();
  const auto batches = store_->read({1, 0}, 0, 10, 10);
  ASSERT_FALSE(batches);
  EXPECT_EQ(batches.error().fault, Fault::external);
}

TEST_F(EmbeddedStoreFiles, SegmentsWithoutLiveBatchesAreDeleted) {
  const std::string padding(300, 'x');
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(put(0, i, padding));
  const std::size_t before = segments().size();
  ASSERT_TRUE(store_->reclaim());
  EXPECT_EQ(segments().size(), before);
  ASSERT_TRUE(store_->drop_before({1, 0}, 190));
  ASSERT_TRUE(store_->reclaim());
  EXPECT_LT(segments().size(), 5U);
  EXPECT_THAT(values(0), SizeIs(10));
  open();
  EXPECT_THAT(values(0), SizeIs(10));
}

TEST_F(EmbeddedStoreFiles, TheLittleThatASegmentHoldsIsMoved) {
  const std::string padding(300, 'x');
  for (int i = 0; i < 200; ++i) {
    ASSERT_TRUE(put(0, i, padding));
    if (i % 20 != 0) continue;
    ASSERT_TRUE(put(1, i, "kept " + std::to_string(i)));
  }
  ASSERT_TRUE(store_->drop_before({1, 0}, 200));
  ASSERT_TRUE(store_->reclaim());
  EXPECT_LT(segments().size(), 4U);
  EXPECT_THAT(values(0), IsEmpty());
  ASSERT_THAT(values(1), SizeIs(10));
  EXPECT_EQ(values(1).back(), "kept 180");
  open();
  EXPECT_THAT(values(1), SizeIs(10));
}

TEST_F(EmbeddedStoreFiles, ADeletedTopicFreesItsSegments) {
  ASSERT_TRUE(store_->create({.id = 1, .name = "t", .config = {}}));
  for (int i = 0; i < 200; ++i) ASSERT_TRUE(put(0, i, std::string(300, 'x')));
  ASSERT_TRUE(store_->erase({.id = 1, .name = "t", .config = {}}));
  ASSERT_TRUE(store_->reclaim());
  EXPECT_THAT(segments(), SizeIs(1));
  open();
  EXPECT_THAT(values(0), IsEmpty());
  EXPECT_EQ(store_->next_topic_id(), 2U);
}

/// Writers, readers, truncation, compaction and freeing of segments at once; each partition's records must come in
/// order, none twice, and all that are not truncated or overwritten must come.
TEST(EmbeddedLogUnderStress, ReadersSeeEveryRecordOnceWhileMaintenanceRuns) {
  const TemporaryDirectory directory;
  auto store = std::move(*EmbeddedStore::open(directory.path(), {.sync = false, .segment_bytes = 64 * 1024}));
  EmbeddedStore& opened = *store;
  auto log = std::move(*LocalLog::open(std::move(store), {.tail_bytes = 32 * 1024}));
  EmbeddedMaintenance maintenance(*log, opened, {.min_dirty_bytes = 1, .reclaim_bytes = 1});
  Log& api = *log;
  ASSERT_TRUE(api.create_topic("compacted", {.retention_ms = -1, .compacted = true}));
  ASSERT_TRUE(api.create_topic("plain", {.partitions = 2, .retention_ms = -1}));
  constexpr int kRecords = 30'000;
  std::atomic<bool> stop{false};
  std::thread housekeeper([&] {
    while (!stop) {
      const auto end = api.bounds({"plain", 0})->end;
      EXPECT_TRUE(api.truncate_before({"plain", 0}, end / 2));
      const Status done = maintenance.run_once(wall_clock_ms());
      EXPECT_TRUE(done) << done.error().message;
    }
  });
  std::thread producer([&] {
    auto writer = std::move(*api.writer("w", nullptr));
    const auto compacted = *writer->topic("compacted");
    const auto plain = *writer->topic("plain");
    const std::string padding(100, 'x');
    for (int i = 0; i < kRecords; ++i) {
      const std::string number = std::to_string(i);
      (void)writer->append(compacted, 0, std::to_string(i % 500), number + padding, RecordTime{i});
      (void)writer->append(plain, i % 2, number, number, RecordTime{i});
      if (i % 64 != 0) continue;
      EXPECT_TRUE(writer->commit());
    }
    EXPECT_TRUE(writer->commit());
    EXPECT_EQ(writer->commit_state(60s).outcome, Writer::Outcome::committed);
  });
  const auto read = [&](const TopicPartition& from, std::int64_t until, bool every) {
    auto reader = std::move(*api.reader("r"));
    EXPECT_TRUE(reader->add(from, 0));
    std::int64_t next = 0;
    while (next < until) {
      auto fetch = reader->poll(100, 1s);
      ASSERT_TRUE(fetch) << fetch.error().message;
      if (!*fetch) continue;
      for (const RecordView& record : (*fetch)->records) {
        ASSERT_TRUE(!every || record.offset == next) << record.offset;
        ASSERT_GE(record.offset, next);
        next = record.offset + 1;
      }
      next = (*fetch)->next_offset;
    }
  };
  std::vector<std::thread> readers;
  readers.emplace_back([&] { read({"plain", 1}, kRecords / 2, true); });
  readers.emplace_back([&] { read({"plain", 0}, kRecords / 2, false); });
  readers.emplace_back([&] { read({"compacted", 0}, kRecords, false); });
  producer.join();
  for (std::thread& reader : readers) reader.join();
  stop = true;
  housekeeper.join();
  ASSERT_TRUE(maintenance.run_once(wall_clock_ms()));
  std::map<std::string, std::int64_t> last;
  auto reader = std::move(*api.reader("r"));
  ASSERT_TRUE(reader->add({"compacted", 0}, 0));
  while (auto fetch = std::move(*reader->poll(100, 0ms)))
    for (const RecordView& record : fetch->records) last[std::string(*record.key)] = record.offset;
  ASSERT_THAT(last, SizeIs(500));
  for (const auto& [key, offset] : last) EXPECT_EQ(offset, kRecords - 500 + std::stoi(key) - kRecords % 500);
}

constexpr int kKeys = 20;
constexpr std::int64_t kKept = 500;  // records of "plain" that truncation leaves

/// Transactions of one record for each of kKeys keys and as many for "plain", with maintenance at full speed.
[[noreturn]] void write_and_clean_until_killed(const std::string& directory) {
  auto store = std::move(*EmbeddedStore::open(directory, {.sync = false, .segment_bytes = 16 * 1024}));
  EmbeddedStore& opened = *store;
  auto log = std::move(*LocalLog::open(std::move(store), {.tail_bytes = 16 * 1024}));
  EmbeddedMaintenance maintenance(*log, opened, {.min_dirty_bytes = 1, .reclaim_bytes = 1});
  Log& api = *log;
  for (const bool compacted : {false, true})
    (void)api.create_topic(compacted ? "compacted" : "plain", {.retention_ms = -1, .compacted = compacted});
  std::thread housekeeper([&] {
    while (true) {
      const auto bounds = *api.bounds({"plain", 0});
      if (!api.truncate_before({"plain", 0}, std::max(bounds.begin, bounds.end - kKept))) _exit(1);
      if (!maintenance.run_once(wall_clock_ms())) _exit(2);
    }
  });
  auto writer = std::move(*api.writer("w", nullptr));
  const auto compacted = *writer->topic("compacted");
  const auto plain = *writer->topic("plain");
  for (std::int64_t number = api.bounds({"plain", 0})->end / kKeys;; ++number) {
    for (int key = 0; key < kKeys; ++key) {
      (void)writer->append(compacted, 0, std::to_string(key), std::to_string(number), RecordTime{number});
      (void)writer->append(plain, 0, std::to_string(key), std::to_string(number), RecordTime{number});
    }
    if (!writer->commit() || writer->commit_state(60s).outcome != Writer::Outcome::committed) _exit(3);
  }
}

/// What is sure to be on disk: the name of the file that was synced last, and its size.
void note_what_is_synced(const std::string& directory) {
  failpoint::Action note{.kind = failpoint::Action::Kind::callback, .times = -1};
  note.callback = [directory] {
    fs::path last;
    for (const auto& entry : fs::directory_iterator(directory + "/segments")) last = std::max(last, entry.path());
    const std::string line = last.filename().string() + " " + std::to_string(fs::file_size(last)) + "\n";
    std::ofstream(directory + "/synced.tmp") << line;
    fs::rename(directory + "/synced.tmp", directory + "/synced");
  };
  failpoint::arm(failpoint::kLogSync, std::move(note));
}

/// Of the files what was synced, of the rest nothing or a part.
void cut_the_power(const std::string& directory, std::mt19937& random) {
  std::string synced;
  std::uintmax_t size = 0;
  std::ifstream(directory + "/synced") >> synced >> size;
  for (const auto& entry : fs::directory_iterator(directory + "/segments")) {
    const std::string name = entry.path().filename().string();
    if (name < synced) continue;
    const std::uintmax_t kept = name == synced ? size : 0, lost = entry.file_size() - std::min(kept, entry.file_size());
    fs::resize_file(entry.path(), kept + (lost > 0 ? random() % lost : 0));
  }
}

/// A record for each key in both topics, whatever the last number is; nothing but that. The end of both.
std::int64_t check_whole(const std::string& directory) {
  auto log = std::move(*LocalLog::open(std::move(*EmbeddedStore::open(directory, kSmallSegments)), {}));
  Log& api = *log;
  const auto bounds = *api.bounds({"plain", 0});
  EXPECT_EQ(bounds.end % kKeys, 0);
  EXPECT_EQ(api.bounds({"compacted", 0})->end, bounds.end);
  auto reader = std::move(*api.reader("r"));
  const ReadHandle plain = *reader->add({"plain", 0}, kOffsetBeginning);
  EXPECT_TRUE(reader->add({"compacted", 0}, kOffsetBeginning));
  std::int64_t next = bounds.begin;
  std::map<std::string, std::string> last;
  while (auto fetch = std::move(*reader->poll(100, 0ms)))
    for (const RecordView& record : fetch->records) {
      if (fetch->source != plain) {
        last[std::string(*record.key)] = *record.value;
        continue;
      }
      EXPECT_EQ(record.offset, next++);
      EXPECT_EQ(*record.value, std::to_string(record.offset / kKeys));
    }
  EXPECT_EQ(next, bounds.end);
  EXPECT_THAT(last, SizeIs(kKeys));
  for (const auto& [key, value] : last) EXPECT_EQ(value, std::to_string(bounds.end / kKeys - 1)) << "key " << key;
  return bounds.end;
}

/// Writes for a while in a process that is killed then.
void write_and_kill(const std::string& directory, std::mt19937& random) {
  const pid_t child = fork();
  if (child == 0) {
    note_what_is_synced(directory);
    write_and_clean_until_killed(directory);
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(150 + random() % 250));
  kill(child, SIGKILL);
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status)) << WEXITSTATUS(status);
}

TEST(EmbeddedLogUnderStress, KilledDuringMaintenanceItLosesNothing) {
  const TemporaryDirectory directory;
  std::mt19937 random(5);
  std::int64_t end_before = 0;
  for (int round = 0; round < 8; ++round) {
    write_and_kill(directory.path(), random);
    const std::int64_t end = check_whole(directory.path());
    EXPECT_GE(end, end_before);
    end_before = end;
  }
  EXPECT_GT(end_before, 1000);
  std::uintmax_t left = 0;
  for (const auto& entry : fs::directory_iterator(directory.path() + "/segments")) left += entry.file_size();
  EXPECT_LT(left, 4U << 20);
}

TEST(EmbeddedLogUnderStress, WithoutSyncAPowerCutDropsWholeTransactionsOnly) {
  const TemporaryDirectory directory;
  std::mt19937 random(6);
  std::int64_t end = 0;
  for (int round = 0; round < 8; ++round) {
    write_and_kill(directory.path(), random);
    cut_the_power(directory.path(), random);
    end = check_whole(directory.path());
  }
  EXPECT_GT(end, 1000);
}

}  // namespace
}  // namespace millrace
