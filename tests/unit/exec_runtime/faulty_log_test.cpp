#include "tests/unit/exec_runtime/faulty_log.h"

#include <thread>

#include "exec/log/local/memory.h"
#include "tests/unit/exec_runtime/harness.h"

namespace millrace::runtime_test {
namespace {

using namespace std::chrono_literals;

class FaultyLogTest : public testing::Test {
 protected:
  Bench::Options options() {
    Bench::Options options;
    options.workers = 2;
    options.shared = &log_;
    return options;
  }
  template <class Condition>
  static bool eventually(Condition&& condition) {
    const auto give_up = Clock::now() + 30s;
    while (!condition() && Clock::now() < give_up) std::this_thread::sleep_for(2ms);
    return condition();
  }

  FaultyLog log_{make_memory_log()};
};

constexpr const char* kJoin =
    "CREATE TABLE items (item STRING PRIMARY KEY, price INT) WITH (kafka_topic='items', value_format='JSON');"
    "CREATE STREAM orders (item STRING KEY, n INT) WITH (kafka_topic='orders', value_format='JSON');"
    "CREATE STREAM priced AS SELECT o.item AS item, n, price FROM orders o LEFT JOIN items i ON o.item = i.item;";

TEST_F(FaultyLogTest, AJoinWaitsForWhatTheLogHoldsHoweverLong) {
  log_.held_topic = "items";
  Bench bench(options());
  const PhysicalPlan join = bench.plan(kJoin, 1);
  bench.feed("items", "a", R"({"PRICE":5})", 1);
  bench.feed("orders", "a", R"({"N":1})", 2);
  log_.held = true;
  bench.start(join);
  ASSERT_TRUE(eventually([&] { return bench.engine->status(join.query_id)->lag == 2; }))
      << bench.engine->status(join.query_id)->lag << " " << bench.engine->status(join.query_id)->rows_in;
  std::this_thread::sleep_for(700ms);
  EXPECT_EQ(bench.engine->status(join.query_id)->rows_in, 0U);
  log_.held = false;
  bench.settle();
  EXPECT_EQ(bench.read("PRICED"), (std::vector<Row>{{"a", R"({"N":1,"PRICE":5})", 2}}));
}

TEST_F(FaultyLogTest, AQueryWhoseTopicsCannotBeLookedUpStartsLater) {
  Bench::Options with = options();
  Bench bench(with);
  const PhysicalPlan join = bench.plan(kJoin, 1);
  ASSERT_TRUE(bench.engine->prepare(join));
  log_.unreachable = true;
  bench.join(join);
  const auto waiting = bench.engine->status(join.query_id);
  ASSERT_TRUE(waiting);
  EXPECT_EQ(waiting->state, QueryState::error);
  EXPECT_EQ(waiting->error, "nobody answers");
  ASSERT_TRUE(bench.engine->pause_query(join.query_id));
  log_.unreachable = false;
  ASSERT_TRUE(eventually([&] { return bench.engine->status(join.query_id)->state == QueryState::paused; }));
  ASSERT_TRUE(bench.engine->resume_query(join.query_id));
  bench.feed("orders", "a", R"({"N":1})", 2);
  bench.settle();
  EXPECT_EQ(bench.read("PRICED"), (std::vector<Row>{{"a", R"({"N":1,"PRICE":null})", 2}}));
}

TEST_F(FaultyLogTest, LagIsWhatIsNotCommittedYet) {
  Bench::Options slow = options();
  slow.commit_interval = 60s;
  Bench bench(slow);
  const PhysicalPlan join = bench.plan(kJoin, 1);
  bench.feed("orders", "a", R"({"N":1})", 2);
  bench.start(join);
  ASSERT_TRUE(eventually([&] { return bench.engine->status(join.query_id)->rows_out == 1; }));
  ASSERT_TRUE(eventually([&] { return bench.engine->status(join.query_id)->lag == 0; }));
  EXPECT_EQ(bench.read("PRICED").size(), 1U);
  EXPECT_EQ(bench.engine->status(join.query_id)->lag, 0);
}

}  // namespace
}  // namespace millrace::runtime_test
