#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <map>
#include <random>

#include "tests/harness/table_pull.h"
#include "tests/unit/exec_runtime/harness.h"

namespace millrace::runtime_test {
namespace {

constexpr int kEvents = 60'000;
constexpr int kKeys = 5'000;
constexpr int kKills = 10;

// A process that counts is killed again and again; what it leaves behind must add up.
class KillTest : public testing::Test {
 protected:
  void SetUp() override {
    directory_ = std::filesystem::temp_directory_path() / ("millrace-kill-" + std::to_string(::getpid()));
    std::filesystem::create_directories(directory_);
  }
  void TearDown() override { std::filesystem::remove_all(directory_); }

  Bench::Options options() const {
    Bench::Options options;
    options.workers = 2;
    options.batch_rows = 64;
    options.embedded = options.state = true;
    options.directory = directory_;
    options.state_memory_bytes = 1 << 18;  // so that it spills
    options.commit_interval = std::chrono::milliseconds{20};
    return options;
  }
  static PhysicalPlan plan(Bench& bench) {
    return bench.plan(
        "CREATE STREAM orders (id STRING KEY, item STRING, n INT) WITH (kafka_topic='orders', value_format='JSON', "
        "partitions=3);"
        "CREATE TABLE counts WITH (kafka_topic='counts') AS SELECT item, COUNT(*) AS c, SUM(n) AS s FROM orders GROUP "
        "BY "
        "item;",
        3, {{"cache.max.bytes.buffering", "10000000"}});
  }
  void feed() {
    Bench bench(options());
    plan(bench);
    auto writer = bench.log->writer("feeder", nullptr).value();
    const auto topic = writer->topic("orders").value();
    for (int i = 0; i < kEvents; ++i) {
      const int item = static_cast<int>((static_cast<std::int64_t>(i) * 7919) % kKeys);
      const std::string value = R"({"ITEM":"i)" + std::to_string(item) + R"(","N":)" + std::to_string(i) + "}";
      ASSERT_TRUE(writer->append(topic, i % 3, "k" + std::to_string(i), value, RecordTime{i}));
      count_[item] += 1;
      sum_[item] += i;
    }
    ASSERT_TRUE(writer->commit());
    ASSERT_EQ(writer->commit_state(std::chrono::seconds{30}).outcome, Writer::Outcome::committed);
  }
  /// Runs in a process of its own until it is killed.
  pid_t start() noexcept {
    const pid_t child = ::fork();
    if (child != 0) return child;
    Bench bench(options());
    bench.start(plan(bench));
    while (true) ::pause();
  }

  std::string directory_;
  std::map<int, int> count_;
  std::map<int, std::int64_t> sum_;
};

TEST_F(KillTest, NothingIsLostOrDoubled) {
  feed();
  std::mt19937 random(7);
  for (int i = 0; i < kKills; ++i) {
    const pid_t child = start();
    std::this_thread::sleep_for(std::chrono::milliseconds{60 + random() % 120});
    ::kill(child, SIGKILL);
    ::waitpid(child, nullptr, 0);
  }
  Bench bench(options());
  bench.start(plan(bench));
  ASSERT_TRUE(bench.engine->wait_until_idle(std::chrono::seconds{60}));
  std::map<std::string, std::string> result, expected;
  for (const Row& row : bench.read("counts")) result[row.key] = row.value;
  for (const auto& [item, count] : count_)
    expected["i" + std::to_string(item)] =
        R"({"C":)" + std::to_string(count) + R"(,"S":)" + std::to_string(sum_[item]) + "}";
  EXPECT_EQ(result.size(), expected.size());
  EXPECT_TRUE(result == expected);
  // What pull queries see is the same, from memory and RocksDB together.
  std::size_t rows = 0;
  std::int64_t total = 0;
  const auto pulled = pull_table(*bench.engine, plan(bench), {}, [&](const Batch& batch) {
    rows += batch.rows;
    for (std::size_t row = 0; row < batch.rows; ++row) total += get_value(*batch.columns[1], row).as<std::int64_t>();
    return true;
  });
  ASSERT_TRUE(pulled) << pulled.error().message;
  EXPECT_EQ(rows, count_.size());
  EXPECT_EQ(total, kEvents);
}

}  // namespace
}  // namespace millrace::runtime_test
