#include <gtest/gtest.h>

#include <map>
#include <sstream>

#include "exec/data/column.h"
#include "parser/syntax/parse.h"
#include "tests/harness/session.h"
#include "tests/harness/table_pull.h"
#include "tests/unit/exec_runtime/harness.h"

namespace millrace::runtime_test {
namespace {

struct SqlWay {
  int workers;
  std::size_t batch_rows;
  bool embedded;
  bool crash;
};

class SqlTest : public testing::TestWithParam<SqlWay> {
 protected:
  Bench::Options options() const {
    return {GetParam().workers, GetParam().batch_rows, GetParam().embedded, GetParam().embedded};
  }
  void run(Bench& bench, const std::string& sql, const PropertyMap& properties = {}) {
    session_ = std::make_unique<harness::Session>(properties, std::set<std::string>{});
    const auto statements = parse(sql);
    session_->declare_topics_of(statements, 3);
    for (const auto& statement : statements) {
      session_->apply(statement);
      bench.follow(*session_);
    }
  }
  void step(Bench& bench) {
    bench.settle();
    if (!GetParam().crash) return;
    // A crash leaves the changelog's tail to replay, a clean stop leaves it in RocksDB.
    if (++steps_ % 2 == 1) {
      bench.restart();
    } else {
      bench.crash();
    }
  }
  static KeyAccess key(const std::string& text) { return {.key = {make_literal(Value(text), Type::string())}}; }
  /// Rows of these keys, or of all, as text, in the order given.
  std::vector<std::string> pull(Bench& bench, const std::vector<KeyAccess>& keys = {}) {
    std::vector<std::string> out;
    const auto& plan = *session_->queries().back().plan;
    const auto done = pull_table(*bench.engine, plan, keys, [&](const Batch& batch) {
      for (std::size_t row = 0; row < batch.rows; ++row) {
        std::string text;
        for (std::size_t c = 0; c < batch.columns.size(); ++c)
          text += to_text(get_value(*batch.columns[c], row), batch.columns[c]->type) + " ";
        if (batch.window_start)
          text += std::to_string((*batch.window_start)[row]) + ".." + std::to_string((*batch.window_end)[row]) + " ";
        out.push_back(text + "@" + std::to_string((*batch.timestamps)[row]));
      }
      return true;
    });
    EXPECT_TRUE(done) << done.error().message;
    return out;
  }
  std::unique_ptr<harness::Session> session_;
  int steps_ = 0;
};

std::string order(const std::string& item, int n) {
  return R"({"ITEM":")" + item + R"(","N":)" + std::to_string(n) + "}";
}

// The newest value of every key.
std::map<std::string, std::string> latest(const std::vector<Row>& rows) {
  std::map<std::string, std::string> out;
  for (const Row& row : rows) out[row.key] = row.value;
  return out;
}

TEST_P(SqlTest, CountsAfterARepartition) {
  Bench bench(options());
  run(bench,
      "CREATE STREAM orders (id STRING KEY, item STRING, n INT) WITH (kafka_topic='orders', value_format='JSON');"
      "CREATE TABLE counts AS SELECT item, COUNT(*) AS c, SUM(n) AS s FROM orders GROUP BY item;");
  for (int i = 0; i < 60; ++i) {
    bench.feed("orders", "id" + std::to_string(i), order(i % 3 == 0 ? "a" : "b", i), i);
    if (i % 15 == 14) step(bench);
  }
  bench.settle();
  EXPECT_EQ(bench.read("COUNTS").size(), 60U);
  EXPECT_EQ(latest(bench.read("COUNTS")),
            (std::map<std::string, std::string>{{"a", R"({"C":20,"S":570})"}, {"b", R"({"C":40,"S":1200})"}}));
  EXPECT_EQ(pull(bench, {key("b"), key("zzz"), key("b")}), (std::vector<std::string>{"b 40 1200 @59"}));
  auto all = pull(bench);
  std::sort(all.begin(), all.end());
  EXPECT_EQ(all, (std::vector<std::string>{"a 20 570 @57", "b 40 1200 @59"}));
}

TEST_P(SqlTest, MovesOneRowPerKeyAndCommit) {
  Bench bench(options());
  bench.create("orders", 3);
  for (int i = 0; i < 600; ++i) bench.feed("orders", "id" + std::to_string(i), order(i % 3 == 0 ? "a" : "b", i), i);
  run(bench,
      "CREATE STREAM orders (id STRING KEY, item STRING, n INT) WITH (kafka_topic='orders', value_format='JSON');"
      "CREATE TABLE counts AS SELECT item, COUNT(*) AS c, SUM(n) AS s FROM orders GROUP BY item;",
      {{"cache.max.bytes.buffering", "10000000"}});
  step(bench);
  for (int i = 600; i < 1200; ++i) bench.feed("orders", "id" + std::to_string(i), order(i % 3 == 0 ? "a" : "b", i), i);
  step(bench);
  bench.settle();
  EXPECT_EQ(latest(bench.read("COUNTS")),
            (std::map<std::string, std::string>{{"a", R"({"C":400,"S":239400})"}, {"b", R"({"C":800,"S":480000})"}}));
  EXPECT_EQ(pull(bench).size(), 2U);
  // The first half was there before the query.
  std::int64_t moved = 0;
  for (const InternalTopic& topic : session_->queries().back().plan->topics)
    for (std::int32_t p = 0; !topic.changelog && p < 3; ++p) moved += bench.log->bounds({topic.name, p}).value().end;
  EXPECT_GE(moved, 4);
  EXPECT_LE(moved, 900);
}

TEST_P(SqlTest, CountsInWindows) {
  Bench bench(options());
  run(bench,
      "CREATE STREAM orders (id STRING KEY, item STRING, n INT) WITH (kafka_topic='orders', value_format='JSON');"
      "CREATE TABLE counts AS SELECT id, COUNT(*) AS c FROM orders WINDOW TUMBLING (SIZE 10 SECONDS, RETENTION 1 "
      "HOURS, GRACE PERIOD "
      "5 SECONDS) GROUP BY id;");
  for (int i = 0; i < 50; ++i) {
    bench.feed("orders", i % 2 == 0 ? "x" : "y", order("a", i), i * 1000);
    if (i % 10 == 7) step(bench);
  }
  bench.feed("orders", "x", order("late", 1), 20'000);
  bench.settle();
  KeyAccess x = key("x");
  x.limits = {{PseudoColumn::window_start, CompareOp::greater_equal,
               make_literal(Value(std::int64_t{20'000}), Type::bigint())}};
  EXPECT_EQ(pull(bench, {x}), (std::vector<std::string>{"x 5 20000..30000 @28000", "x 5 30000..40000 @38000",
                                                        "x 5 40000..50000 @48000"}));
  EXPECT_EQ(pull(bench).size(), 10U);
}

// Nobody waits for a partition that has nothing.
TEST_P(SqlTest, EmptyPartitionsHoldUpNobody) {
  Bench bench(options());
  run(bench,
      "CREATE STREAM orders (id STRING KEY, item STRING, n INT) WITH (kafka_topic='orders', value_format='JSON');"
      "CREATE TABLE counts AS SELECT item, COUNT(*) AS c FROM orders WINDOW TUMBLING (SIZE 1 HOUR, RETENTION 9 DAYS, "
      "GRACE PERIOD 0 "
      "SECONDS) GROUP BY item;");
  bench.settle();
  for (int i = 0; i < 4; ++i) {
    bench.feed("orders", "x", order("a", i), i * 10'000'000, 1);
    step(bench);
  }
  bench.settle();
  EXPECT_EQ(pull(bench).size(), 4U);
}

// Partitions of very different density are read side by side in time, so that none closes the windows of another.
TEST_P(SqlTest, ACatchUpLosesNoRowBehindARepartition) {
  constexpr std::int64_t kHour = 3'600'000;
  Bench bench(options());
  bench.create("orders", 3);
  std::map<std::string, int> expected;
  for (int i = 0; i < 3 * 120; ++i) {
    const int partition = i % 3;
    // Of one partition as many rows in an hour as of the next in five.
    const std::int64_t time = (i / 3) * (partition == 0 ? 60'000 : partition == 1 ? 300'000 : 1'500'000);
    bench.feed("orders", "id" + std::to_string(i), order(i % 2 == 0 ? "a" : "b", i), time, partition);
    ++expected[(i % 2 == 0 ? "a " : "b ") + std::to_string(time / kHour)];
  }
  run(bench,
      "CREATE STREAM orders (id STRING KEY, item STRING, n INT) WITH (kafka_topic='orders', value_format='JSON');"
      "CREATE TABLE counts AS SELECT item, COUNT(*) AS c FROM orders WINDOW TUMBLING (SIZE 1 HOUR, RETENTION 9 DAYS, "
      "GRACE PERIOD 0 "
      "SECONDS) GROUP BY item;",
      {{"auto.offset.reset", "earliest"}});
  step(bench);
  bench.settle();
  EXPECT_EQ(bench.engine->status(session_->queries().back().plan->query_id)->late_rows, 0U);
  std::map<std::string, int> counted;
  for (const std::string& row : pull(bench)) {
    std::istringstream words(row);
    std::string item, bounds;
    int count = 0;
    words >> item >> count >> bounds;
    counted[item + " " + std::to_string(std::stoll(bounds) / kHour)] = count;
  }
  EXPECT_EQ(counted, expected);
}

// Where changelogs are all that is kept, they lose what is about expired windows, and what is left restores the rest.
TEST_P(SqlTest, ChangelogsLoseExpiredWindows) {
  if (GetParam().workers == 0 || GetParam().embedded) GTEST_SKIP() << "nobody keeps house, or the state does";
  Bench bench(options());
  run(bench,
      "CREATE STREAM orders (id STRING KEY, item STRING, n INT) WITH (kafka_topic='orders', value_format='JSON');"
      "CREATE TABLE counts AS SELECT id, COUNT(*) AS c FROM orders WINDOW TUMBLING (SIZE 10 SECONDS, RETENTION 60 "
      "SECONDS, GRACE PERIOD 5 SECONDS) GROUP BY id;");
  for (int i = 0; i < 50; ++i) {
    bench.feed("orders", "x", order("a", i), i * 10'000);
    if (i % 10 == 9) step(bench);
    if (i % 2 == 1) bench.settle();
  }
  const auto& topics = session_->queries().back().plan->topics;
  const auto changelog = std::find_if(topics.begin(), topics.end(), [](const auto& topic) { return topic.changelog; });
  const auto begin = [&] {
    std::int64_t sum = 0;
    for (std::int32_t p = 0; p < 3; ++p) sum += bench.log->bounds({changelog->name, p}).value().begin;
    return sum;
  };
  int last = 50;
  for (; begin() == 0 && last < 300; ++last) {
    bench.feed("orders", "x", order("a", last), last * 10'000);
    bench.settle();
    std::this_thread::sleep_for(std::chrono::milliseconds{50});
  }
  EXPECT_GT(begin(), 10);
  bench.crash();
  bench.feed("orders", "x", order("a", 1), (last - 1) * 10'000);
  bench.settle();
  KeyAccess x = key("x");
  x.limits = {{PseudoColumn::window_start, CompareOp::greater_equal,
               make_literal(Value(std::int64_t{last - 5} * 10'000), Type::bigint())}};
  const auto rows = pull(bench, {x});
  ASSERT_EQ(rows.size(), 5U);
  EXPECT_TRUE(rows.back().starts_with("x 2 ")) << rows.back();
}

TEST_P(SqlTest, JoinsAStreamWithATable) {
  Bench bench(options());
  run(bench,
      "CREATE TABLE items (item STRING PRIMARY KEY, price INT) WITH (kafka_topic='items', value_format='JSON');"
      "CREATE STREAM orders (id STRING KEY, item STRING, n INT) WITH (kafka_topic='orders', value_format='JSON');"
      "CREATE STREAM priced AS SELECT o.item AS item, n, price FROM orders o JOIN items i ON o.item = i.item;");
  bench.feed("items", "a", R"({"PRICE":5})", 0);
  bench.feed("items", "b", R"({"PRICE":7})", 0);
  step(bench);
  std::vector<Row> expected;
  for (int i = 1; i <= 20; ++i) {
    const std::string item = i % 2 == 0 ? "a" : "b";
    bench.feed("orders", "id" + std::to_string(i), order(item, i), i);
    expected.push_back({item, R"({"N":)" + std::to_string(i) + R"(,"PRICE":)" + (i % 2 == 0 ? "5}" : "7}"), i});
    if (i % 5 == 0) step(bench);
  }
  bench.settle();
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(bench.sorted("PRICED"), expected);
}

INSTANTIATE_TEST_SUITE_P(Ways, SqlTest,
                         testing::Values(SqlWay{0, kMaxBatchRows, false, false}, SqlWay{0, 1, false, true},
                                         SqlWay{2, kMaxBatchRows, false, true}, SqlWay{0, kMaxBatchRows, true, true},
                                         SqlWay{2, 3, true, true}),
                         [](const auto& info) {
                           return std::string(info.param.embedded ? "embedded_" : "memory_") +
                                  std::to_string(info.param.workers) + "_workers_" +
                                  std::to_string(info.param.batch_rows) + (info.param.crash ? "_crash" : "");
                         });

}  // namespace
}  // namespace millrace::runtime_test
