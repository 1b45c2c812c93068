#include "exec/runtime/kept_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "exec/runtime/prepared_pull.h"
#include "tests/unit/exec_runtime/harness.h"

// Tables that no query keeps, kept by the process for pull queries.
namespace millrace::runtime_test {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr std::chrono::seconds kWait{20};

class KeptTables : public testing::Test {
 protected:
  static std::shared_ptr<KeptTable> keep(Bench& bench, const std::string& name = "1") {
    NodePtr root = make_node(MaterializeNode{.input = source("in", RelationKind::table), .emit_before = false});
    auto kept = bench.engine->keep_table(std::make_shared<const PhysicalPlan>(
        physical(std::move(root), std::string(kKeptTablePrefix) + name, true, true)));
    EXPECT_TRUE(kept) << kept.error().message;
    return std::move(*kept);
  }
  static std::vector<std::int64_t> read(Bench& bench, NodePtr leaf) {
    auto plan = physical(make_node(OutputNode{.input = std::move(leaf), .limit = {}}), "pull", true, true);
    auto rows = bench.engine->read_table(
        std::make_shared<PreparedPull>(std::make_shared<const PhysicalPlan>(std::move(plan))), {});
    EXPECT_TRUE(rows) << rows.error().message;
    std::vector<std::int64_t> values;
    const Status done = pull_all(**rows, [&](const Batch& batch) {
      for (std::size_t row = 0; row < batch.rows; ++row)
        values.push_back(get_value(*batch.columns[1], row).as<std::int64_t>());
      return true;
    });
    EXPECT_TRUE(done) << done.error().message;
    return values;
  }
  static std::vector<std::int64_t> look_up(Bench& bench, const KeptTable& kept, const std::string& key) {
    KeyLookupNode node;
    node.table = "IN";
    node.query = kept.plan()->query_id;
    node.rows = kept.plan()->result;
    node.keys.push_back({.key = {make_literal(Value(key), Type::string())}, .limits = {}});
    return read(bench, make_node(std::move(node)));
  }
  static std::vector<std::int64_t> scan(Bench& bench, const KeptTable& kept) {
    StoreScanNode node;
    node.table = "IN";
    node.query = kept.plan()->query_id;
    node.rows = kept.plan()->result;
    return read(bench, make_node(std::move(node)));
  }
  static void put(Bench& bench, const std::string& key, int value, int partition = -1) {
    bench.feed("in", key, R"({"V":)" + std::to_string(value) + "}", value, partition);
  }
};

TEST_F(KeptTables, FollowTheirTopicUpToWhatItHoldsAtTheQuestion) {
  for (const int workers : {0, 2}) {
    Bench bench({.workers = workers});
    bench.create("in", 2);
    put(bench, "a", 1);
    const auto kept = keep(bench);
    ASSERT_TRUE(kept->catch_up(kWait));
    EXPECT_THAT(look_up(bench, *kept, "a"), ElementsAre(1));
    for (int i = 2; i < 50; ++i) {
      put(bench, "a", i);
      ASSERT_TRUE(kept->catch_up(kWait));
      EXPECT_THAT(look_up(bench, *kept, "a"), ElementsAre(i));
    }
    bench.feed("in", "a", std::nullopt, 51);
    ASSERT_TRUE(kept->catch_up(kWait));
    EXPECT_THAT(scan(bench, *kept), IsEmpty());
  }
}

TEST_F(KeptTables, FindKeysInWhateverPartitionTheirWriterPutThem) {
  Bench bench({.workers = 0});
  bench.create("in", 4);
  for (int partition = 0; partition < 4; ++partition) put(bench, "k" + std::to_string(partition), partition, partition);
  const auto kept = keep(bench);
  ASSERT_TRUE(kept->catch_up(kWait));
  for (int i = 0; i < 4; ++i) EXPECT_THAT(look_up(bench, *kept, "k" + std::to_string(i)), ElementsAre(i));
}

TEST_F(KeptTables, GoToDiskAndLeaveNothingThere) {
  constexpr int kRows = 100'000;
  Bench bench({.workers = 1, .state = true, .state_memory_bytes = 16 << 20});
  bench.create("in", 2);
  for (int i = 0; i < kRows; ++i) put(bench, "k" + std::to_string(i), i);
  {
    const auto kept = keep(bench);
    ASSERT_TRUE(kept->catch_up(kWait));
    const auto on_disk = [&] {
      return std::ranges::any_of(std::filesystem::directory_iterator(bench.directory / "state"), [](const auto& file) {
        return file.path().extension() == ".sst" && file.file_size() > 100'000;
      });
    };
    const auto deadline = std::chrono::steady_clock::now() + kWait;
    for (int i = 0; !on_disk(); ++i) {
      ASSERT_LT(std::chrono::steady_clock::now(), deadline);
      put(bench, "k0", i % 2);  // it looks when it has worked
      ASSERT_TRUE(kept->catch_up(kWait));
    }
    put(bench, "k0", 0);
    ASSERT_TRUE(kept->catch_up(kWait));
    EXPECT_THAT(scan(bench, *kept), SizeIs(kRows));
    for (const int i : {0, 7, kRows - 1}) EXPECT_THAT(look_up(bench, *kept, "k" + std::to_string(i)), ElementsAre(i));
  }
  // What is filed under that id is gone.
  const auto again = keep(bench);
  ASSERT_TRUE(again->catch_up(kWait));
  EXPECT_THAT(scan(bench, *again), SizeIs(kRows));
}

TEST_F(KeptTables, WithoutADiskTheyMayNotGrowForEver) {
  Bench bench({.workers = 1, .transient_memory_bytes = 1 << 20});
  bench.create("in", 1);
  for (int i = 0; i < 30'000; ++i) put(bench, "k" + std::to_string(i), i);
  const auto kept = keep(bench);
  const auto deadline = std::chrono::steady_clock::now() + kWait;
  Status done;
  for (int i = 0; done; ++i) {
    ASSERT_LT(std::chrono::steady_clock::now(), deadline);
    put(bench, "k0", i);
    done = kept->catch_up(kWait);
  }
  EXPECT_NE(done.error().fault, Fault::unavailable) << done.error().message;
}

TEST_F(KeptTables, MayOutliveWhatTheEngineDoes) {
  Bench bench({.workers = 1, .state = true});
  bench.create("in", 1);
  put(bench, "a", 1);
  const auto kept = keep(bench);
  ASSERT_TRUE(kept->catch_up(kWait));
  bench.engine->kill();
}

}  // namespace
}  // namespace millrace::runtime_test
