#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "exec/log/embedded/open.h"
#include "exec/log/failpoint.h"
#include "tests/unit/exec_runtime/harness.h"

namespace millrace::runtime_test {
namespace {

struct Way {
  int workers;
  std::size_t batch_rows;
  bool embedded;
};

class EngineTest : public testing::TestWithParam<Way> {
 protected:
  Bench::Options options() const {
    return {GetParam().workers, GetParam().batch_rows, GetParam().embedded, GetParam().embedded};
  }
  void TearDown() override { failpoint::disarm_all(); }
};

std::string value(int v, const std::string& s) {
  return R"({"V":)" + std::to_string(v) + R"(,"S":")" + s + "\"}";
}

TEST_P(EngineTest, FiltersAStream) {
  Bench bench(options());
  bench.create("in", 2);
  bench.create("out", 2);
  bench.start(physical(sink(filter_greater(source("in", RelationKind::stream), 1, 10), "out"), "Q1"));
  bench.feed("in", "a", value(5, "x"), 1);
  bench.feed("in", "a", value(15, "y"), 2);
  bench.feed("in", "b", value(25, "z"), 3);
  bench.feed("in", "b", std::nullopt, 4);
  bench.settle();
  EXPECT_EQ(bench.sorted("out"), (std::vector<Row>{{"a", value(15, "y"), 2}, {"b", value(25, "z"), 3}}));
  EXPECT_EQ(bench.engine->status("Q1")->rows_out, 2U);
}

TEST_P(EngineTest, GoesOnAfterACrashWhereItStopped) {
  Bench bench(options());
  bench.create("in", 3);
  bench.create("out", 3);
  bench.start(physical(sink(source("in", RelationKind::stream), "out"), "Q1"));
  std::vector<Row> expected;
  for (int i = 0; i < 40; ++i) {
    const std::string key = "k" + std::to_string(i % 7);
    bench.feed("in", key, value(i, "s"), i);
    expected.push_back({key, value(i, "s"), i});
    if (i % 10 == 9) bench.settle();
    if (i % 20 == 5) bench.crash();
    if (i % 20 == 15) bench.restart();
  }
  bench.settle();
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(bench.sorted("out"), expected);
}

TEST_P(EngineTest, SkipsAndReportsBadRecords) {
  Bench bench(options());
  bench.create("in", 1);
  bench.create("out", 1);
  bench.start(physical(sink(source("in", RelationKind::stream), "out"), "Q1"));
  bench.feed("in", "a", value(1, "x"), 1);
  bench.feed("in", "a", "{broken", 2);
  bench.feed("in", "a", value(2, "y"), 3);
  bench.settle();
  EXPECT_EQ(bench.read("out").size(), 2U);
  ASSERT_EQ(bench.errors.size(), 1U);
  EXPECT_EQ(bench.errors[0].topic, "in");
  EXPECT_EQ(bench.errors[0].offset, 1);
  EXPECT_EQ(bench.errors[0].kind, RecordErrorKind::deserialization);
}

TEST_P(EngineTest, KeepsATableOverCrashes) {
  Bench bench(options());
  bench.create("in", 2);
  bench.create("out", 2);
  auto table = make_node(MaterializeNode{source("in", RelationKind::table)});
  bench.start(physical(sink(filter_greater(table, 1, 10), "out"), "Q1"));
  bench.feed("in", "a", value(20, "x"), 1);
  bench.feed("in", "b", value(30, "y"), 2);
  bench.settle();
  bench.crash();
  bench.feed("in", "a", value(3, "x"), 3);  // withdrawn: the store remembers that it passed
  bench.feed("in", "c", value(3, "x"), 4);
  bench.feed("in", "b", std::nullopt, 5);
  bench.settle();
  EXPECT_EQ(bench.sorted("out"),
            (std::vector<Row>{{"a", "null", 3}, {"a", value(20, "x"), 1}, {"b", "null", 5}, {"b", value(30, "y"), 2}}));
}

// A changelog of the embedded log only holds what the state directory may lack.
TEST(LostState, IsRebuiltOrRefusedNeverPartial) {
  for (const bool spilled : {false, true}) {
    Bench::Options options;
    options.workers = 1;
    options.embedded = options.state = true;
    Bench bench(options);
    bench.create("in", 1);
    bench.create("out", 1);
    auto table = make_node(MaterializeNode{source("in", RelationKind::table)});
    const auto plan = physical(sink(filter_greater(table, 1, 10), "out"), "Q1");
    const std::string changelog = plan.topics.front().name;
    bench.start(plan);
    bench.feed("in", "a", value(20, "x"), 1);
    bench.settle();
    if (spilled) {
      bench.restart();  // a clean stop spills
      bench.feed("in", "b", value(30, "y"), 2);
      bench.settle();
      ASSERT_TRUE(bench.log->truncate_before({changelog, 0}, 1));  // as the housekeeper does in time
    }
    bench.engine->kill();
    bench.engine.reset();
    std::filesystem::remove_all(bench.directory / "state");
    bench.restart();
    if (!spilled) {
      bench.feed("in", "a", std::nullopt, 3);  // known to have passed, so it is withdrawn
      bench.settle();
      EXPECT_EQ(bench.read("out"), (std::vector<Row>{{"a", value(20, "x"), 1}, {"a", "null", 3}}));
      continue;
    }
    const auto status = bench.engine->status("Q1");
    EXPECT_EQ(status->state, QueryState::error);
    EXPECT_NE(status->error.find("put back the state directory"), std::string::npos) << status->error;
    bench.feed("in", "b", std::nullopt, 3);
    bench.engine->wait_until_idle(std::chrono::milliseconds{200});
    EXPECT_EQ(bench.read("out").size(), 2U);
  }
}

TEST(LostState, StateAheadOfItsLogIsBuiltAgain) {
  Bench::Options options;
  options.workers = 1;
  options.embedded = options.state = true;
  Bench bench(options);
  bench.create("in", 1);
  bench.create("out", 1);
  auto table = make_node(MaterializeNode{source("in", RelationKind::table)});
  const auto plan = physical(sink(filter_greater(table, 1, 10), "out"), "Q1");
  bench.start(plan);
  for (int i = 0; i < 3; ++i) bench.feed("in", "k" + std::to_string(i), value(20, "x"), i);
  bench.settle();
  bench.restart();  // a clean stop spills
  bench.engine->kill();
  bench.engine.reset();
  bench.log = harness::TestLog(std::unique_ptr<Log>());
  std::filesystem::remove_all(bench.directory / "log");
  bench.log = harness::TestLog(std::move(*open_embedded_log({.directory = bench.directory / "log"})));
  bench.create("in", 1);
  bench.create("out", 1);
  bench.create(plan.topics.front().name, 1);
  bench.restart();
  EXPECT_THAT(bench.engine->status("Q1")->error, testing::HasSubstr("progress of Q1 partition 0 is missing"));
  ASSERT_TRUE(bench.engine->prepare(plan));
  bench.restart();
  bench.feed("in", "k0", value(3, "x"), 4);  // unknown, so there is nothing to withdraw
  bench.settle();
  EXPECT_EQ(bench.engine->status("Q1")->state, QueryState::running);
  EXPECT_EQ(bench.read("out").size(), 0U);
}

TEST_P(EngineTest, AFailedCommitChangesNothing) {
  Bench bench(options());
  bench.create("in", 1);
  bench.create("out", 1);
  bench.start(physical(sink(source("in", RelationKind::stream), "out"), "Q1"));
  for (const auto place : {failpoint::kBeforeProgress, failpoint::kBeforeEnd}) {
    failpoint::Action action;
    action.times = 2;
    ASSERT_TRUE(bench.engine->pause_query("Q1"));
    bench.feed("in", "a", value(1, "x"), 1);
    failpoint::arm(place, action);
    ASSERT_TRUE(bench.engine->resume_query("Q1"));
    ASSERT_TRUE(bench.engine->wait_until_idle(std::chrono::seconds{20}));
    EXPECT_GE(failpoint::hits(place), 1);
  }
  bench.settle();
  EXPECT_EQ(bench.read("out").size(), 2U);
}

TEST_P(EngineTest, AQueryThatFailsLeavesTheOthersAlone) {
  Bench bench(options());
  bench.create("in", 1);
  bench.create("out", 1);
  bench.create("out2", 1);
  auto strict = physical(sink(source("in", RelationKind::stream), "out"), "STRICT");
  strict.options.fail_on_bad_record = true;
  bench.start(strict);
  bench.start(physical(sink(source("in", RelationKind::stream), "out2"), "LAX"));
  bench.feed("in", "a", value(1, "x"), 1);
  bench.feed("in", "a", "{broken", 2);
  bench.feed("in", "a", value(2, "x"), 3);
  bench.engine->wait_until_idle(std::chrono::seconds{1});
  EXPECT_EQ(bench.engine->status("STRICT")->state, QueryState::error);
  EXPECT_NE(bench.engine->status("STRICT")->error, "");
  EXPECT_EQ(bench.engine->status("LAX")->state, QueryState::running);
  EXPECT_EQ(bench.read("out2").size(), 2U);
}

TEST_P(EngineTest, AnInternalErrorFailsOnlyItsQuery) {
  Bench bench(options());
  bench.create("in", 1);
  bench.create("out", 1);
  bench.create("out2", 1);
  SourceNode unreadable = *source("in", RelationKind::stream)->as<SourceNode>();
  unreadable.value_format.name = "NONSENSE";  // the binder lets no such format through
  auto broken = physical(sink(make_source(unreadable, RelationKind::stream, std::nullopt), "out"), "BROKEN");
  bench.start(broken);
  bench.start(physical(sink(source("in", RelationKind::stream), "out2"), "SOUND"));
  bench.feed("in", "a", value(1, "x"), 1);
  bench.engine->wait_until_idle(std::chrono::seconds{1});
  EXPECT_EQ(bench.engine->status("BROKEN")->state, QueryState::error);
  EXPECT_NE(bench.engine->status("BROKEN")->error.find("internal error at "), std::string::npos);
  EXPECT_EQ(bench.engine->status("SOUND")->state, QueryState::running);
  EXPECT_EQ(bench.read("out2").size(), 1U);
}

TEST_P(EngineTest, ASinkThatIsGoneStopsOnlyItsWriter) {
  Bench bench(options());
  bench.create("in", 1);
  bench.create("out", 1);
  bench.create("out2", 1);
  bench.start(physical(sink(source("in", RelationKind::stream), "out"), "LOST"));
  bench.start(physical(sink(source("in", RelationKind::stream), "out2"), "OTHER"));
  bench.feed("in", "a", value(1, "x"), 1);
  bench.settle();
  ASSERT_TRUE(bench.log->delete_topic("out"));
  bench.feed("in", "a", value(2, "x"), 2);
  bench.engine->wait_until_idle(std::chrono::seconds{2});
  EXPECT_EQ(bench.engine->status("LOST")->state, QueryState::error);
  EXPECT_THAT(bench.engine->status("LOST")->error, testing::HasSubstr("'out'"));
  EXPECT_GT(bench.engine->status("LOST")->error_time, 0);
  EXPECT_EQ(bench.engine->status("OTHER")->state, QueryState::running);
  EXPECT_EQ(bench.read("out2").size(), 2U);
}

TEST_P(EngineTest, ASourceThatIsGoneStopsOnlyItsReader) {
  Bench bench(options());
  bench.create("in", 1);
  bench.create("in2", 1);
  bench.create("out", 1);
  bench.create("out2", 1);
  bench.start(physical(sink(source("in", RelationKind::stream), "out"), "LOST"));
  bench.start(physical(sink(source("in2", RelationKind::stream), "out2"), "OTHER"));
  bench.feed("in", "a", value(1, "x"), 1);
  bench.settle();
  ASSERT_TRUE(bench.log->delete_topic("in"));
  bench.feed("in2", "a", value(2, "x"), 2);
  bench.engine->wait_until_idle(std::chrono::seconds{2});
  EXPECT_EQ(bench.engine->status("LOST")->state, QueryState::error);
  EXPECT_THAT(bench.engine->status("LOST")->error, testing::HasSubstr("'in' was deleted"));
  EXPECT_EQ(bench.engine->status("LOST")->lag, -1);
  EXPECT_EQ(bench.engine->status("OTHER")->state, QueryState::running);
  EXPECT_EQ(bench.read("out2").size(), 1U);
}

// Where its source is missing at a start, an accepted query says so and starts when it is there.
TEST(MissingSource, IsWaitedFor) {
  Bench::Options options;
  options.workers = 1;
  Bench bench(options);
  bench.create("in", 1);
  bench.create("out", 1);
  const auto plan = physical(sink(source("in", RelationKind::stream), "out"), "Q1");
  bench.start(plan);
  ASSERT_TRUE(bench.log->delete_topic("in"));
  bench.crash();
  EXPECT_EQ(bench.engine->status("Q1")->state, QueryState::error);
  EXPECT_THAT(bench.engine->status("Q1")->error, testing::HasSubstr("the source topic in does not exist"));
  bench.create("in", 1);
  bench.feed("in", "a", value(1, "x"), 1);
  ASSERT_TRUE(bench.engine->resume_query("Q1"));
  const auto give_up = Clock::now() + std::chrono::seconds{10};
  while (bench.read("out").empty() && Clock::now() < give_up) std::this_thread::sleep_for(std::chrono::milliseconds{5});
  EXPECT_EQ(bench.read("out").size(), 1U);
}

// Records that the log removed before a query had read them are never passed over in silence.
TEST(LostRecords, StopTheQueryUntilItIsToldWhereToGoOn) {
  for (const auto go_on : {Engine::GoOn::at_begin, Engine::GoOn::at_end}) {
    for (const bool crash : {false, true}) {
      Bench::Options options;
      options.workers = 1;
      Bench bench(options);
      bench.create("in", 1);
      bench.create("out", 1);
      bench.start(physical(sink(source("in", RelationKind::stream), "out"), "Q1"));
      bench.feed("in", "a", value(1, "x"), 1);
      bench.settle();
      ASSERT_TRUE(bench.engine->pause_query("Q1"));
      for (int i = 2; i <= 4; ++i) bench.feed("in", "a", value(i, "x"), i);
      ASSERT_TRUE(bench.log->truncate_before({"in", 0}, 3));
      if (crash) bench.crash();
      ASSERT_TRUE(bench.engine->resume_query("Q1"));
      const auto eventually = [&](QueryState state) {
        const auto give_up = Clock::now() + std::chrono::seconds{10};
        while (bench.engine->status("Q1")->state != state && Clock::now() < give_up)
          std::this_thread::sleep_for(std::chrono::milliseconds{5});
        return bench.engine->status("Q1")->state == state;
      };
      ASSERT_TRUE(eventually(QueryState::error));
      EXPECT_THAT(bench.engine->status("Q1")->error, testing::HasSubstr("offsets 1 to 2 were removed"));
      ASSERT_TRUE(bench.engine->resume_query("Q1", go_on));
      ASSERT_TRUE(eventually(QueryState::running));
      bench.feed("in", "a", value(5, "x"), 5);
      bench.settle();
      EXPECT_EQ(bench.read("out").size(), go_on == Engine::GoOn::at_begin ? 3U : 2U);
    }
  }
}

TEST_P(EngineTest, PausesAndStops) {
  Bench bench(options());
  bench.create("in", 1);
  bench.create("out", 1);
  const auto plan = physical(sink(source("in", RelationKind::stream), "out"), "Q1");
  bench.start(plan);
  ASSERT_TRUE(bench.engine->pause_query("Q1"));
  bench.feed("in", "a", value(1, "x"), 1);
  bench.settle();
  EXPECT_EQ(bench.read("out").size(), 0U);
  ASSERT_TRUE(bench.engine->resume_query("Q1"));
  bench.settle();
  EXPECT_EQ(bench.read("out").size(), 1U);
  ASSERT_TRUE(bench.engine->stop_query("Q1"));
  ASSERT_TRUE(bench.engine->forget(plan));
  EXPECT_FALSE(bench.engine->status("Q1"));
  bench.feed("in", "a", value(2, "x"), 1);
  bench.settle();
  EXPECT_EQ(bench.read("out").size(), 1U);
}

TEST_P(EngineTest, TransientQueryWithLimit) {
  Bench bench(options());
  bench.create("in", 1);
  for (int i = 0; i < 5; ++i) bench.feed("in", "a", value(i, "x"), i);
  for (const bool until_end : {false, true}) {
    OutputNode output;
    output.input = source("in", RelationKind::stream);
    if (!until_end) output.limit = 3;
    auto plan = std::make_shared<const PhysicalPlan>(physical(make_node(output), "T", true, true));
    std::atomic<int> rows{0}, ended{0}, refused{0};
    TransientEvents events;
    events.on_rows = [&](const Batch& batch) {
      if (refused++ == 0) return false;
      rows += static_cast<int>(batch.rows);
      return true;
    };
    events.on_end = [&](std::optional<Error> error) { ended = error ? 2 : 1; };
    auto query = bench.engine->run_transient(plan, until_end, events);
    ASSERT_TRUE(query) << query.error().message;
    for (int i = 0; i < 2000 && ended == 0; ++i) {
      if (bench.options.workers == 0) {
        ASSERT_TRUE(bench.engine->run_until_idle());
      } else {
        std::this_thread::sleep_for(std::chrono::milliseconds{1});
      }
      (*query)->resume();
    }
    EXPECT_EQ(ended, 1);
    EXPECT_EQ(rows, until_end ? 5 : 3);
  }
}

TEST_P(EngineTest, ATransientQueryThatNeedsTooMuchMemoryEndsWithAnError) {
  Bench::Options with = options();
  with.transient_memory_bytes = 1 << 20;
  Bench bench(with);
  bench.create("in", 1);
  auto writer = std::move(*bench.log->writer("w", nullptr));
  for (int i = 0; i < 30'000; ++i)
    ASSERT_TRUE(writer->append(*writer->topic("in"), 0, "key " + std::to_string(i), value(i, "x"), RecordTime{i}));
  ASSERT_TRUE(writer->commit());
  ASSERT_EQ(writer->commit_state(std::chrono::seconds{10}).outcome, Writer::Outcome::committed);
  OutputNode output;
  output.input = filter_greater(make_node(MaterializeNode{source("in", RelationKind::table)}), 1, -1);
  auto plan = std::make_shared<const PhysicalPlan>(physical(make_node(output), "T", true, true));
  std::optional<Error> problem;
  std::atomic<bool> ended{false};
  TransientEvents events;
  events.on_rows = [](const Batch&) { return true; };
  events.on_end = [&](std::optional<Error> error) {
    problem = std::move(error);
    ended = true;
  };
  auto query = bench.engine->run_transient(plan, false, events);
  ASSERT_TRUE(query) << query.error().message;
  for (int i = 0; i < 5000 && !ended; ++i) {
    if (bench.options.workers == 0) {
      ASSERT_TRUE(bench.engine->run_until_idle());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds{1});
  }
  ASSERT_TRUE(ended);
  ASSERT_TRUE(problem);
  EXPECT_THAT(problem->message, testing::HasSubstr("millrace.push.memory.bytes"));
}

INSTANTIATE_TEST_SUITE_P(Ways, EngineTest,
                         testing::Values(Way{0, kMaxBatchRows, false}, Way{0, 1, false}, Way{2, kMaxBatchRows, false},
                                         Way{2, 3, false}, Way{0, kMaxBatchRows, true}, Way{2, 3, true}),
                         [](const auto& info) {
                           return (info.param.embedded ? "embedded_" : "memory_") + std::to_string(info.param.workers) +
                                  "_workers_" + std::to_string(info.param.batch_rows);
                         });

}  // namespace
}  // namespace millrace::runtime_test
