#include <gtest/gtest.h>

#include <chrono>

#include "tests/unit/exec_runtime/harness.h"

namespace millrace::runtime_test {
namespace {

constexpr char kSource[] = "CREATE STREAM s (k STRING KEY, v BIGINT) WITH (kafka_topic='in', value_format='JSON');";

// While it has written nothing, rows in front come out without it: a commit that took it in would last.
TEST(Behind, IsLeftOutOfTheCommitsOfThoseInFront) {
  Bench bench({.workers = 0, .commit_interval = std::chrono::hours{1}});
  bench.create("in", 1);
  const auto plan = [&](const std::string& query) {
    return bench.plan(kSource + query, 1,
                      {{"auto.offset.reset", "earliest"}, {"cache.max.bytes.buffering", "10000000"}});
  };
  bench.start(plan("CREATE STREAM front WITH (kafka_topic='front') AS SELECT * FROM s;"));
  constexpr int kRows = 50'000;
  for (int i = 0; i < kRows; ++i) bench.feed("in", "k" + std::to_string(i % 10), R"({"V":1})", i);
  bench.settle();
  bench.feed("in", "k0", R"({"V":1})", kRows);
  bench.start(plan("CREATE TABLE counts WITH (kafka_topic='counts') AS SELECT k, COUNT(*) AS n FROM s GROUP BY k;"));
  bench.settle();
  EXPECT_EQ(bench.read("front").size(), kRows + 1);
  const std::vector<Row> counts = bench.read("counts");
  EXPECT_EQ(counts.size(), 10) << "one commit, at its end";
  EXPECT_EQ(counts.front().value, R"({"N":5001})");
}

}  // namespace
}  // namespace millrace::runtime_test
