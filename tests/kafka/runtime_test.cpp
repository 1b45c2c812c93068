#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "exec/data/column.h"
#include "exec/data/wall_clock.h"
#include "exec/log/failpoint.h"
#include "exec/runtime/progress.h"
#include "exec/state/key_codec.h"
#include "exec/state/state_db.h"
#include "tests/kafka/broker.h"
#include "tests/unit/exec_runtime/harness.h"

namespace millrace::runtime_test {
namespace {

// Counts orders by item on a real broker: a repartition, an aggregate, a table topic.
class KafkaRuntimeTest : public testing::Test {
 protected:
  void SetUp() override {
    if (test_broker().empty()) GTEST_SKIP() << "no broker";
    log_ = open_test_log();
    prefix_ = unique_prefix();
    // Internal topics are named after the query, so queries of different tests must not share a name.
    table_ = "counts_" + prefix_;
    std::replace(table_.begin(), table_.end(), '-', '_');
    options_.shared = log_.get();
    options_.service = prefix_;
    options_.workers = 2;
    options_.state = true;
  }
  void TearDown() override { failpoint::disarm_all(); }

  Bench::Options as(const std::string& process) const {
    Bench::Options options = options_;
    options.process = process;
    return options;
  }
  PhysicalPlan plan(Bench& bench) const {
    return bench.plan("CREATE STREAM orders (id STRING KEY, item STRING, n INT) WITH (kafka_topic='" + prefix_ +
                          "orders', value_format='JSON', partitions=3);"
                          "CREATE TABLE " +
                          table_ + " WITH (kafka_topic='" + prefix_ +
                          "counts') AS SELECT item, COUNT(*) AS c, SUM(n) AS s FROM orders GROUP BY item;",
                      3);
  }
  void feed(Bench& bench, int from, int to) {
    auto writer = log_->writer(prefix_ + "feeder", nullptr).value();
    const auto topic = writer->topic(prefix_ + "orders").value();
    for (int i = from; i < to; ++i) {
      const std::string key = "id" + std::to_string(i);
      const std::string value = R"({"ITEM":"i)" + std::to_string(i % 10) + R"(","N":)" + std::to_string(i) + "}";
      ASSERT_TRUE(writer->append(topic, i % 3, key, value, RecordTime{i}));
      count_[i % 10] += 1;
      sum_[i % 10] += i;
    }
    ASSERT_TRUE(writer->commit());
    ASSERT_EQ(writer->commit_state(std::chrono::seconds{30}).outcome, Writer::Outcome::committed);
    await_markers();
    (void)bench;
  }
  // From 300 on, until the process has got slots of the query. How many there are then.
  int feed_until_it_reads(Bench& bench, const PhysicalPlan& query) {
    int fed = 300;
    for (; fed < 3000 && bench.engine->status(query.query_id)->rows_in == 0; fed += 30) {
      feed(bench, fed, fed + 30);
      std::this_thread::sleep_for(std::chrono::milliseconds{50});
    }
    return fed;
  }
  // A broker says committed before every partition has the marker that makes the rows visible.
  void await_markers() {
    for (int partition = 0; partition < 3; ++partition)
      while (true) {
        const auto bounds = log_->bounds({prefix_ + "orders", partition});
        ASSERT_TRUE(bounds);
        if (bounds->end > visible_[partition]) {
          visible_[partition] = bounds->end;
          break;
        }
        std::this_thread::sleep_for(std::chrono::milliseconds{5});
      }
  }
  std::map<std::string, std::string> expected() const {
    std::map<std::string, std::string> out;
    for (const auto& [item, count] : count_)
      out["i" + std::to_string(item)] =
          R"({"C":)" + std::to_string(count) + R"(,"S":)" + std::to_string(sum_.at(item)) + "}";
    return out;
  }
  std::map<std::string, std::string> result(Bench& bench) {
    std::map<std::string, std::string> out;
    for (const Row& row : bench.read(prefix_ + "counts")) out[row.key] = row.value;
    return out;
  }

  std::unique_ptr<Log> log_;
  std::string prefix_, table_;
  Bench::Options options_;
  std::map<int, int> count_;
  std::map<int, std::int64_t> visible_;
  std::map<int, long> sum_;
};

TEST_F(KafkaRuntimeTest, CountsOverCrashes) {
  Bench bench(as("p1"));
  bench.start(plan(bench));
  for (int round = 0; round < 4; ++round) {
    feed(bench, round * 200, round * 200 + 200);
    if (round != 1) bench.settle();
    round % 2 == 1 ? bench.crash() : bench.restart();
  }
  bench.settle();
  EXPECT_EQ(result(bench), expected());
  EXPECT_EQ(bench.read(prefix_ + "counts").size(), 800U);
}

TEST_F(KafkaRuntimeTest, FailedCommitsChangeNothing) {
  Bench bench(as("p1"));
  bench.start(plan(bench));
  for (const auto place : {failpoint::kBeforeProgress, failpoint::kBeforeEnd}) {
    feed(bench, 0, 100);
    failpoint::Action action;
    action.times = 3;
    failpoint::arm(place, action);
    bench.settle();
    failpoint::disarm_all();
  }
  feed(bench, 0, 50);
  bench.settle();
  EXPECT_EQ(result(bench), expected());
}

TEST_F(KafkaRuntimeTest, TwoProcessesShareAndTakeOver) {
  auto first = std::make_unique<Bench>(as("p1"));
  const PhysicalPlan counts = plan(*first);
  first->start(counts);
  feed(*first, 0, 300);
  first->settle();
  Bench second(as("p2"));
  second.join(counts);
  const int fed = feed_until_it_reads(second, counts);
  const auto both_done = [&] { return result(second) == expected(); };
  for (int i = 0; i < 600 && !both_done(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds{50});
  EXPECT_EQ(result(second), expected());
  EXPECT_GT(second.engine->status(counts.query_id)->rows_in, 0U);
  first.reset();
  feed(second, fed, fed + 300);
  for (int i = 0; i < 600 && !both_done(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds{50});
  EXPECT_EQ(result(second), expected());
  EXPECT_EQ(second.read(prefix_ + "counts").size(), static_cast<std::size_t>(fed) + 300);
}

// A changelog forgets removals after a day. State that has not been written for half of that may have keys that are
// gone.
TEST_F(KafkaRuntimeTest, OldStateIsMadeAnewFromTheChangelog) {
  Bench::Options here = as("p1");
  here.directory = std::filesystem::temp_directory_path() / ("millrace-old-" + std::to_string(::getpid()));
  std::filesystem::remove_all(here.directory);
  Bench bench(here);
  const PhysicalPlan counts = plan(bench);
  const ColumnDef column{"ITEM", Type::string(), ColumnRole::key, {}};
  const Value name(std::string("ghost"));
  const std::string ghost = encode_key({&name, 1}, {&column, 1});
  // In how many partitions a key lies that was there once; `put`: puts it there.
  const auto ghosts = [&](bool put) {
    auto db = StateDb::open({.directory = std::filesystem::path(here.directory) / "state"});
    int found = 0;
    for (int partition = 0; partition < 3; ++partition) {
      const auto id = (*db)->id(state_name(counts, counts.subtopologies.back().stores.front().name, partition));
      const auto cursor = (*db)->cursor(*id, {}, {});
      if (put && cursor->valid()) {
        auto file = (*db)->new_file();
        EXPECT_TRUE((*file)->begin(*id, *(*db)->position(*id), 0));
        EXPECT_TRUE((*file)->put(ghost, cursor->value()));
        EXPECT_TRUE((*file)->finish());
      }
      std::vector<std::optional<std::string>> values;
      EXPECT_TRUE((*db)->multi_get(*id, {&ghost, 1}, values));
      found += values.front().has_value() ? 1 : 0;
    }
    return found;
  };
  bench.start(counts);
  feed(bench, 0, 300);
  bench.settle();
  bench.engine.reset();  // writes all state
  const int partitions = ghosts(true);
  ASSERT_GT(partitions, 0);
  bench.restart();
  feed(bench, 300, 600);
  bench.settle();
  bench.engine->kill();
  bench.engine.reset();
  ASSERT_EQ(ghosts(false), partitions);  // nothing says that they are gone
  wall_clock_ahead_ms = std::chrono::milliseconds(std::chrono::hours{13}).count();
  bench.restart();
  bench.settle();
  wall_clock_ahead_ms = 0;
  EXPECT_EQ(result(bench), expected());
  bench.engine.reset();
  EXPECT_EQ(ghosts(false), 0);
  std::filesystem::remove_all(here.directory);
}

TEST_F(KafkaRuntimeTest, StateOfSlotsThatOthersOwnIsDropped) {
  Bench::Options here = as("p1");
  here.directory = std::filesystem::temp_directory_path() / ("millrace-elsewhere-" + std::to_string(::getpid()));
  here.keep_state_elsewhere = std::chrono::milliseconds{400};
  std::filesystem::remove_all(here.directory);
  auto first = std::make_unique<Bench>(here);
  const PhysicalPlan counts = plan(*first);
  const auto stored = [&] {
    auto db = StateDb::open({.directory = std::filesystem::path(here.directory) / "state"});
    int partitions = 0;
    for (int partition = 0; partition < 3; ++partition) {
      const auto id = (*db)->id(state_name(counts, counts.subtopologies.back().stores.front().name, partition));
      partitions += *(*db)->position(*id) > 0 ? 1 : 0;
    }
    return partitions;
  };
  first->start(counts);
  feed(*first, 0, 300);
  first->settle();
  first->engine.reset();  // writes all state
  ASSERT_EQ(stored(), 3);
  first->restart();
  Bench second(as("p2"));
  second.join(counts);
  feed_until_it_reads(second, counts);
  std::this_thread::sleep_for(std::chrono::seconds{2});
  first.reset();
  EXPECT_LT(stored(), 3);
  std::filesystem::remove_all(here.directory);
}

}  // namespace
}  // namespace millrace::runtime_test
