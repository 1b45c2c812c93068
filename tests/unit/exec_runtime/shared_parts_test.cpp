#include "planner/physical/shared_parts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "parser/syntax/parse.h"
#include "tests/harness/checked.h"
#include "tests/harness/session.h"
#include "tests/harness/table_pull.h"
#include "tests/unit/exec_runtime/harness.h"

namespace millrace::runtime_test {
namespace {

using harness::checked;
using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kSources =
    "CREATE STREAM s (id STRING KEY, k STRING, v INT) WITH (kafka_topic='s', value_format='JSON');"
    "CREATE STREAM o (id STRING KEY, k STRING, w INT) WITH (kafka_topic='o', value_format='JSON', partitions=5);"
    "CREATE TABLE t (k STRING PRIMARY KEY, name STRING) WITH (kafka_topic='t', value_format='JSON');";

const InternalTopic& given_topic(const PhysicalPlan& part, std::size_t at = 0) {
  return *std::ranges::find(part.topics, given_topics(part).at(at), &InternalTopic::name);
}

/// The queries of these statements, made together.
class Together {
 public:
  explicit Together(const std::string& statements, const PropertyMap& properties = {})
      : session(properties, std::set<std::string>{}) {
    const auto parsed = parse(kSources + statements);
    session.declare_topics_of(parsed, 3);
    for (const auto& statement : parsed) session.apply(statement);
    std::vector<PlannedQuery> queries;
    for (const auto& query : session.queries())
      queries.push_back(
          {query.plan, {.service_id = std::string(harness::kServiceId), .query_id = query.plan->query_id}});
    plans = share_parts(queries);
    for (std::size_t i = 0; i < plans.size(); ++i) {
      shared.push_back(plans[i] != nullptr);
      if (!plans[i]) plans[i] = queries[i].plan;
    }
  }
  const PhysicalPlan& part(std::size_t query, std::size_t at = 0) const { return *plans.at(query)->parts.at(at); }

  harness::Session session;
  std::vector<PlanPtr> plans;
  std::vector<bool> shared;
};

TEST(SharedParts, AreWhatSeveralQueriesDoBeforeRowsAreMoved) {
  const Together all(
      "CREATE TABLE a AS SELECT k, COUNT(*) AS n FROM s GROUP BY k;"
      "CREATE TABLE b AS SELECT k, COUNT(*) AS n FROM s GROUP BY k HAVING COUNT(*) > 2;"
      "CREATE TABLE other_rows AS SELECT k, COUNT(*) AS n FROM s WHERE v > 1 GROUP BY k;"
      "CREATE TABLE other_columns AS SELECT k, SUM(v) AS n FROM s GROUP BY k;"
      "CREATE TABLE other_key AS SELECT v, COUNT(*) AS n FROM s GROUP BY v;"
      "CREATE STREAM none AS SELECT * FROM s;");
  EXPECT_THAT(all.shared, ElementsAre(true, true, false, false, false, false));
  const PhysicalPlan& part = all.part(0);
  EXPECT_EQ(part.query_id, "SHARED-CTAS_A_0-1");
  EXPECT_EQ(&part, &all.part(1));
  EXPECT_EQ(part.subtopologies.size(), 1U);
  EXPECT_THAT(given_topic(part).as_many_as, ElementsAre("s"));
  for (std::size_t query : {0U, 1U}) {
    const PhysicalPlan& plan = *all.plans[query];
    EXPECT_EQ(plan.subtopologies.size(), 1U);
    EXPECT_EQ(plan.materialization->subtopology, 0);
    for (const InternalTopic& topic : plan.topics) EXPECT_TRUE(topic.changelog) << topic.name;
    EXPECT_NE(plan.incarnation, all.session.queries()[query].plan->incarnation);
  }
}

TEST(SharedParts, AreAsLargeAsPossible) {
  const Together all(
      "CREATE TABLE a AS WITH c AS (SELECT k, v, COUNT(*) AS n FROM s GROUP BY k, v) SELECT n, SUM(v) AS x FROM c "
      "GROUP "
      "BY n;"
      "CREATE TABLE b AS WITH c AS (SELECT k, v, COUNT(*) AS n FROM s GROUP BY k, v) SELECT n, SUM(v) AS x FROM c "
      "GROUP "
      "BY n HAVING SUM(v) > 3;"
      "CREATE TABLE first_step AS SELECT k, v, COUNT(*) AS n FROM s GROUP BY k, v;");
  EXPECT_THAT(all.shared, ElementsAre(true, true, false));
  const PhysicalPlan& part = all.part(0);
  EXPECT_EQ(part.subtopologies.size(), 2U);
  EXPECT_EQ(part.subtopologies.back().stores.size(), 1U);
  EXPECT_EQ(all.plans[0]->subtopologies.size(), 1U);
}

TEST(SharedParts, AreAsWideAsWhatTheirReadersJoinWith) {
  const Together all(
      "CREATE STREAM a AS SELECT s.k AS k, s.v AS v, name FROM s JOIN t ON s.k = t.k;"
      "CREATE STREAM b AS SELECT s.k AS k, s.v + 1 AS v, name FROM s JOIN t ON s.k = t.k WHERE name > 'b';"
      "CREATE TABLE of_t AS SELECT k, COUNT(*) AS n FROM o GROUP BY k;"
      "CREATE TABLE of_t_too AS SELECT k, COUNT(*) AS n FROM o GROUP BY k HAVING COUNT(*) > 1;");
  EXPECT_THAT(all.shared, ElementsAre(true, true, true, true));
  EXPECT_EQ(given_topic(all.part(0)).partitions, 3);
  EXPECT_THAT(given_topic(all.part(2)).as_many_as, ElementsAre("o"));
}

TEST(SharedParts, MayGiveSeveralTopics) {
  const Together all(
      "CREATE STREAM a AS SELECT s.k AS k, s.v AS v, o.w AS w FROM s JOIN o WITHIN 1 HOUR ON s.k = o.k;"
      "CREATE STREAM b AS SELECT s.k AS k, s.v AS v, o.w * 2 AS w FROM s JOIN o WITHIN 1 HOUR ON s.k = o.k;");
  EXPECT_THAT(all.shared, ElementsAre(true, true));
  EXPECT_EQ(all.plans[0]->parts.size(), 1U);
  const PhysicalPlan& part = all.part(0);
  EXPECT_EQ(given_topics(part).size(), 2U);
  EXPECT_EQ(part.subtopologies.size(), 2U);
  for (std::size_t side : {0U, 1U}) {
    EXPECT_EQ(std::max(given_topic(part, side).partitions, 5), 5);
    EXPECT_FALSE(given_topic(part, side).paces.empty());
  }
}

TEST(SharedParts, KnowWhoLooksAtTheTimeOfTheirRows) {
  const Together all(
      "CREATE TABLE a AS SELECT k, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 10 SECONDS, GRACE PERIOD 5 SECONDS) "
      "GROUP "
      "BY k;"
      "CREATE TABLE b AS SELECT k, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 60 SECONDS, GRACE PERIOD 1 SECONDS) "
      "GROUP "
      "BY k;");
  EXPECT_THAT(all.shared, ElementsAre(true, true));
  EXPECT_THAT(given_topic(all.part(0)).paces,
              ElementsAre(PaceRule{10'000, 10'000, 0, 5'000}, PaceRule{60'000, 60'000, 0, 1'000}));
}

TEST(SharedParts, AreNotForQueriesThatKeepThePaceOfTheirSources) {
  const Together all(
      "CREATE TABLE a AS SELECT k, COUNT(*) AS n FROM s GROUP BY k;"
      "CREATE TABLE b AS SELECT k, COUNT(*) AS n FROM s GROUP BY k;",
      {{"millrace.time.alignment", "source"}});
  EXPECT_THAT(all.shared, ElementsAre(false, false));
}

TEST(SharedParts, ComeBackFromJson) {
  const Together all(
      "CREATE TABLE a AS SELECT k, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 10 SECONDS) GROUP BY k;"
      "CREATE TABLE b AS SELECT k, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 10 SECONDS) GROUP BY k;");
  const std::string text = to_json(*all.plans[0]);
  const PhysicalPlan back = physical_from_json(text, builtin_functions());
  EXPECT_EQ(to_json(back), text);
  EXPECT_EQ(given_topic(*back.parts.front()).paces, given_topic(all.part(0)).paces);
  EXPECT_THAT(explain(back, {{"SHARED-CTAS_A_0-1", {"CTAS_B_1"}}}),
              HasSubstr("part SHARED-CTAS_A_0-1, shared with CTAS_B_1\n"));
  // A build that knows of no parts must not take it for a plan that does everything itself.
  EXPECT_THAT(text, HasSubstr(R"("topics":{"own")"));
}

struct Way {
  int workers;
  bool embedded, crash;
};

class SharedPartsRun : public testing::TestWithParam<Way> {
 protected:
  void SetUp() override {
    bench_ = std::make_unique<Bench>(Bench::Options{GetParam().workers, kMaxBatchRows, GetParam().embedded, true});
    for (const auto& [topic, info] : all_.session.topics()) bench_->create(topic, info.partitions);
    bench_->start(all_.plans);
  }
  void feed(int from, int to) {
    for (int i = from; i < to; ++i)
      bench_->feed("s", "id" + std::to_string(i), R"({"K":")" + std::to_string(i % 7) + R"(","V":1})", i);
  }
  void step() {
    bench_->settle();
    if (GetParam().crash) ++steps_ % 2 == 1 ? bench_->restart() : bench_->crash();
    bench_->settle();
  }
  /// How much a table has counted.
  std::int64_t total(std::size_t query) {
    std::int64_t sum = 0;
    checked(pull_table(*bench_->engine, *all_.plans[query], {}, [&](const Batch& batch) {
      for (std::size_t row = 0; row < batch.rows; ++row)
        sum += *get_value(*batch.columns[1], row).get_if<std::int64_t>();
      return true;
    }));
    return sum;
  }
  QueryStatus status(std::size_t query) { return *bench_->engine->status(all_.plans[query]->query_id); }
  std::int64_t moved(bool begin = false) {
    std::int64_t sum = 0;
    for (std::int32_t p = 0; p < 3; ++p) {
      const auto bounds = bench_->log->bounds({given_topic(all_.part(0)).name, p});
      if (bounds) sum += begin ? bounds->begin : bounds->end;
    }
    return sum;
  }

  const Together all_{
      "CREATE TABLE a AS SELECT k, COUNT(*) AS n FROM s GROUP BY k;"
      "CREATE TABLE b AS SELECT k, COUNT(*) AS n FROM s GROUP BY k HAVING COUNT(*) > 0;"
      "CREATE TABLE c AS SELECT k, COUNT(*) AS n FROM s GROUP BY k HAVING COUNT(*) > 1;"};
  std::unique_ptr<Bench> bench_;
  int steps_ = 0;
};

TEST_P(SharedPartsRun, CountsForAllOfThem) {
  feed(0, 700);
  step();
  feed(700, 1400);
  step();
  for (std::size_t query : {0U, 1U, 2U}) EXPECT_EQ(total(query), 1400);
  EXPECT_EQ(moved(), 1400);
  EXPECT_EQ(bench_->read("A"), bench_->read("B"));
  if (GetParam().crash) return;
  EXPECT_EQ(status(0).rows_in, 2800U);  // what the part reads is read for it, too
  EXPECT_TRUE(status(0).operators.front().name.starts_with("SHARED-CTAS_A_0-1/"));
  EXPECT_EQ(status(0).lag, 0);
  EXPECT_EQ(bench_->engine->rows_decoded(), 2800U);  // each record of both topics once
}

TEST_P(SharedPartsRun, OneThatRestsHoldsUpNobody) {
  const std::string paused = all_.plans[0]->query_id;
  feed(0, 70);
  step();
  checked(bench_->engine->pause_query(paused));
  feed(70, 140);
  bench_->settle();
  EXPECT_EQ(total(0), 70);
  EXPECT_EQ(total(1), 140);
  EXPECT_EQ(status(0).state, QueryState::paused);
  EXPECT_EQ(status(1).state, QueryState::running);
  checked(bench_->engine->resume_query(paused));
  bench_->settle();
  EXPECT_EQ(total(0), 140);
}

TEST_P(SharedPartsRun, RestsWhenAllDo) {
  for (const PlanPtr& plan : all_.plans) checked(bench_->engine->pause_query(plan->query_id));
  feed(0, 70);
  bench_->settle();
  EXPECT_EQ(moved(), 0);
  checked(bench_->engine->stop_query(all_.plans[1]->query_id));
  bench_->settle();
  EXPECT_EQ(moved(), 0);
  checked(bench_->engine->resume_query(all_.plans[2]->query_id));
  bench_->settle();
  EXPECT_EQ(moved(), 70);
  EXPECT_EQ(total(2), 70);
  // The one that goes leaves another that rests.
  checked(bench_->engine->stop_query(all_.plans[2]->query_id));
  feed(70, 140);
  bench_->settle();
  EXPECT_EQ(moved(), 70);
}

TEST_P(SharedPartsRun, OneThatFailsHoldsUpNobody) {
  feed(0, 70);
  step();
  checked(bench_->log->delete_topic("A"));
  feed(70, 140);
  for (int i = 0; i < 200 && total(1) < 140; ++i) {
    if (GetParam().workers == 0) static_cast<void>(bench_->engine->run_until_idle().has_value());
    std::this_thread::sleep_for(std::chrono::milliseconds{10});
  }
  EXPECT_EQ(total(1), 140);
  EXPECT_EQ(status(0).state, QueryState::error);
  EXPECT_EQ(status(1).state, QueryState::running);
  EXPECT_EQ(status(2).state, QueryState::running);
}

TEST_P(SharedPartsRun, StopsWithTheLastOfThem) {
  feed(0, 70);
  step();
  checked(bench_->engine->stop_query(all_.plans[0]->query_id));
  feed(70, 140);
  bench_->settle();
  EXPECT_EQ(total(2), 140);
  checked(bench_->engine->stop_query(all_.plans[1]->query_id));
  checked(bench_->engine->stop_query(all_.plans[2]->query_id));
  feed(140, 210);
  bench_->settle();
  EXPECT_EQ(moved(), 140);
  EXPECT_FALSE(bench_->engine->status("SHARED-CTAS_A_0-1"));
}

// What the slowest has not read stays, whether it runs or not.
TEST_P(SharedPartsRun, IsTruncatedBehindAllOfThem) {
  if (GetParam().workers == 0) GTEST_SKIP() << "nobody keeps house";
  const auto wait_for = [&](std::int64_t begin) {
    for (int i = 0; i < 1000 && moved(true) < begin; ++i) std::this_thread::sleep_for(std::chrono::milliseconds{10});
    return moved(true);
  };
  feed(0, 70);
  bench_->settle();
  EXPECT_EQ(wait_for(70), 70);
  checked(bench_->engine->pause_query(all_.plans[0]->query_id));
  feed(70, 140);
  bench_->settle();
  std::this_thread::sleep_for(std::chrono::milliseconds{4500});
  EXPECT_EQ(moved(true), 70);
  bench_->restart();
  EXPECT_EQ(wait_for(140), 140);  // as a process that starts has them run
  for (std::size_t query : {0U, 1U, 2U}) EXPECT_EQ(total(query), 140);
}

INSTANTIATE_TEST_SUITE_P(Ways, SharedPartsRun,
                         testing::Values(Way{0, false, false}, Way{2, false, true}, Way{0, true, true},
                                         Way{2, true, true}),
                         [](const auto& info) {
                           return std::string(info.param.embedded ? "embedded_" : "memory_") +
                                  std::to_string(info.param.workers) + "_workers" + (info.param.crash ? "_crash" : "");
                         });

}  // namespace
}  // namespace millrace::runtime_test
