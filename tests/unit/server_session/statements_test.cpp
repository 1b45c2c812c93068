#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "exec/log/local/memory.h"
#include "exec/log/log.h"
#include "server/session/service.h"

namespace millrace {
namespace {

using testing::HasSubstr;

/// A service on a memory log that steps.
class Statements : public testing::Test {
 protected:
  void SetUp() override { start({}); }

  void start(const PropertyMap& settings) {
    service_.reset();
    ServiceOptions options;
    options.workers = 0;
    options.process_id = "test";
    options.now = [] { return 4711; };
    options.config.set("ksql.logging.processing.stream.auto.create", "false");
    for (const auto& [name, value] : settings) options.config.set(name, value);
    auto opened = Service::open(*log_, std::move(options));
    ASSERT_TRUE(opened) << opened.error().message;
    service_ = std::move(*opened);
  }

  /// The entities' types, then the error's code and message.
  std::string run(const std::string& sql, const Variables& variables = {}) {
    const Reply reply = service_->execute({.sql = sql, .variables = variables});
    std::string out;
    for (const auto& entity : reply.entities) out += std::string(entity.at("@type").as_string()) + " ";
    if (reply.error) out += std::to_string(reply.error->code) + " " + reply.error->message;
    return out;
  }

  std::string insert(const std::string& target, const boost::json::object& row, const PropertyMap& properties = {}) {
    auto opened = service_->inserter(target, properties);
    if (opened.error) return opened.error->message;
    if (auto error = opened.inserter->insert(row)) return error->message;
    if (auto error = opened.inserter->flush()) return error->message;
    return "ok";
  }

  /// Times of the records of a topic's first partition.
  std::vector<std::int64_t> times(const std::string& topic) {
    std::vector<std::int64_t> found;
    auto reader = log_->reader("test");
    EXPECT_TRUE((*reader)->add({topic, 0}, kOffsetBeginning));
    while (auto fetch = (*reader)->poll(100, std::chrono::milliseconds(0))) {
      if (!*fetch || (*fetch)->records.empty()) break;
      for (const RecordView& record : (*fetch)->records) found.push_back(record.timestamp);
    }
    return found;
  }

  const std::unique_ptr<Log> log_ = make_memory_log();
  std::unique_ptr<Service> service_;
};

constexpr const char* kStream =
    "CREATE STREAM s (k STRING KEY, v INT) WITH (kafka_topic='s', partitions=1, value_format='JSON');";

TEST_F(Statements, DefineAppliesToTheStatementsAfterIt) {
  EXPECT_EQ(run("DEFINE t = 'made'; CREATE STREAM ${s} (v INT) WITH (kafka_topic='${t}', partitions=1, "
                "value_format='JSON'); UNDEFINE t; SHOW VARIABLES;",
                {{"S", "x"}}),
            "currentStatus variables ");
  EXPECT_EQ(service_->catalog().find("X")->topic, "made");
}

TEST_F(Statements, QueriesOfOneRequestReadTogether) {
  run(kStream);
  for (int i = 0; i < 5000; ++i) ASSERT_EQ(insert("s", {{"k", std::to_string(i)}, {"v", i}}), "ok");
  EXPECT_EQ(run("SET 'auto.offset.reset'='earliest'; CREATE STREAM a AS SELECT * FROM s WHERE v < 10; "
                "CREATE STREAM b AS SELECT * FROM s WHERE v < 20; CREATE STREAM c AS SELECT * FROM b WHERE v < 5;"),
            "currentStatus currentStatus currentStatus ");
  ASSERT_TRUE(service_->wait_until_idle(std::chrono::seconds{20}));
  EXPECT_EQ(service_->engine().rows_decoded(), 5020U);
  EXPECT_EQ(times("A").size(), 10U);
  EXPECT_EQ(times("C").size(), 5U);
  EXPECT_EQ(service_->status("stream/`C`/create")->at("status"), "SUCCESS");
  start({});  // and when they are read from the command log
  EXPECT_EQ(service_->query_ids().size(), 3U);
}

class SharingStatements : public Statements {
 protected:
  /// Makes the tables A and B, and a row of each of three groups.
  void make(const std::string& before = {}) {
    run("CREATE STREAM s (id INT KEY, k STRING, v INT) WITH (kafka_topic='s', partitions=4, value_format='JSON');");
    EXPECT_EQ(run(before + "CREATE TABLE a AS SELECT k, COUNT(*) AS n FROM s GROUP BY k;"
                           "CREATE TABLE b AS SELECT k, COUNT(*) AS n FROM s GROUP BY k HAVING COUNT(*) > 0;"),
              "currentStatus currentStatus ");
    feed();
  }
  void feed() {
    for (int i = 0; i < 3; ++i) ASSERT_EQ(insert("s", {{"id", i}, {"k", std::to_string(i)}, {"v", i}}), "ok");
    ASSERT_TRUE(service_->wait_until_idle(std::chrono::seconds{20}));
  }
  std::string explain(std::size_t query) {
    const Reply reply = service_->execute({.sql = "EXPLAIN " + service_->query_ids().at(query) + ";"});
    return std::string(reply.entities.at(0).at("queryDescription").at("topology").as_string());
  }
  std::vector<std::string> topics_with(const std::string& text) {
    std::vector<std::string> found;
    for (const TopicDescription& topic : *log_->list_topics())
      if (topic.name.find(text) != std::string::npos) found.push_back(topic.name);
    return found;
  }
  /// How many changes a table has had.
  std::size_t changes(const std::string& topic) {
    std::size_t sum = 0;
    for (std::int32_t p = 0; p < 4; ++p) sum += static_cast<std::size_t>(log_->bounds({topic, p})->end);
    return sum;
  }
};

TEST_F(SharingStatements, QueriesOfOneRequestMoveRowsOnce) {
  make();
  EXPECT_EQ(topics_with("-repartition").size(), 1U);
  const auto ids = service_->query_ids();
  EXPECT_THAT(explain(0), HasSubstr(", shared with " + ids[1]));
  EXPECT_THAT(explain(1), HasSubstr(", shared with " + ids[0]));
  EXPECT_EQ(changes("A"), 3U);
  EXPECT_EQ(changes("B"), 3U);
  start({});  // and as the command log has it
  feed();
  EXPECT_EQ(changes("A"), 6U);
  EXPECT_EQ(changes("B"), 6U);
}

TEST_F(SharingStatements, WhatIsSharedIsToldOfEach) {
  make();
  const Reply reply = service_->execute({.sql = "DESCRIBE a EXTENDED; DESCRIBE b EXTENDED;"});
  ASSERT_EQ(reply.entities.size(), 2U);
  for (const auto& entity : reply.entities) EXPECT_THAT(serialize(entity), HasSubstr(R"("kafkaTopic":"s")"));
  EXPECT_THAT(serialize(service_->document(Document::cluster_status)), HasSubstr(R"("topic":"s")"));
  for (const std::string& id : service_->query_ids()) EXPECT_EQ(service_->engine().status(id)->rows_in, 6U);
}

TEST_F(SharingStatements, QueriesOfSeveralRequestsDoNot) {
  run("CREATE STREAM s (id INT KEY, k STRING, v INT) WITH (kafka_topic='s', partitions=4, value_format='JSON');");
  run("CREATE TABLE a AS SELECT k, COUNT(*) AS n FROM s GROUP BY k;");
  run("CREATE TABLE b AS SELECT k, COUNT(*) AS n FROM s GROUP BY k HAVING COUNT(*) > 0;");
  EXPECT_EQ(topics_with("-repartition").size(), 2U);
}

TEST_F(SharingStatements, CanBeSwitchedOff) {
  make("SET 'millrace.rules.off' = 'sharing';");
  EXPECT_EQ(topics_with("-repartition").size(), 2U);
}

TEST_F(SharingStatements, WhatIsSharedGoesWithTheLastOfThem) {
  make();
  const auto ids = service_->query_ids();
  EXPECT_EQ(run("TERMINATE " + ids[0] + ";"), "currentStatus ");
  EXPECT_THAT(explain(0), HasSubstr(", shared with no other query"));
  feed();
  EXPECT_EQ(changes("A"), 3U);
  EXPECT_EQ(changes("B"), 6U);
  EXPECT_EQ(topics_with("-repartition").size(), 1U);
  EXPECT_EQ(run("TERMINATE " + ids[1] + ";"), "currentStatus ");
  EXPECT_THAT(topics_with("-repartition"), testing::IsEmpty());
}

TEST_F(SharingStatements, AReplacementTakesOverWhatIsShared) {
  make();
  EXPECT_EQ(run("CREATE OR REPLACE TABLE a AS SELECT k, COUNT(*) AS n, COUNT(*) * 2 AS twice FROM s GROUP BY k;"),
            "currentStatus ");
  EXPECT_THAT(explain(0), HasSubstr(", shared with "));
  feed();
  EXPECT_EQ(changes("A"), 6U);
  EXPECT_EQ(changes("B"), 6U);
  EXPECT_THAT(
      run("CREATE OR REPLACE TABLE a AS SELECT k, COUNT(*) AS n, COUNT(*) * 2 AS twice FROM s WHERE v > 0 GROUP BY k;"),
      HasSubstr("Query is not upgradeable. It shares with others"));
  feed();
  EXPECT_EQ(changes("A"), 9U);
}

TEST_F(Statements, WhatComesBeforeAStatementThatCannotBeDoneIsDone) {
  EXPECT_THAT(run(std::string(kStream) + "CREATE STREAM a AS SELECT * FROM s; CREATE STREAM b WITH (replicas=3) AS "
                                         "SELECT * FROM s; CREATE STREAM c AS SELECT * FROM s;"),
              HasSubstr("currentStatus currentStatus 40001 topic B: "));
  EXPECT_THAT(service_->query_ids(), testing::ElementsAre(testing::StartsWith("CSAS_A_")));
}

TEST_F(Statements, VariablesAreReplacedOnce) {
  run("DEFINE a = '$${b}'; CREATE STREAM x (v INT) WITH (kafka_topic='${a}', partitions=1, value_format='JSON');",
      {{"B", "wrong"}});
  EXPECT_EQ(service_->catalog().find("X")->topic, "${b}");
}

TEST_F(Statements, NothingRunsWhenALaterStatementIsWrong) {
  EXPECT_THAT(run(std::string(kStream) + "DESCRIBE nope;"), HasSubstr("40001 Could not find STREAM/TABLE 'NOPE'"));
  EXPECT_THAT(run(std::string(kStream) + "EXPLAIN nope;"), HasSubstr("Query with id:NOPE does not exist"));
  EXPECT_THAT(run(std::string(kStream) + "SELECT * FROM s;"), HasSubstr("40002"));
  EXPECT_EQ(service_->catalog().find("S"), nullptr);
}

TEST_F(Statements, LaterStatementsSeeWhatEarlierOnesLeadTo) {
  EXPECT_EQ(run(std::string(kStream) +
                "CREATE TABLE t AS SELECT k, COUNT(*) AS n FROM s GROUP BY k; "
                "DESCRIBE t; INSERT INTO s VALUES ('a', 1); DROP TABLE t; "
                "DROP STREAM s DELETE TOPIC; " +
                kStream + "INSERT INTO s VALUES ('a', 1);"),
            "currentStatus currentStatus sourceDescription currentStatus currentStatus currentStatus ");
  EXPECT_EQ(times("s"), std::vector<std::int64_t>{4711});
}

TEST_F(Statements, RowsComeInTheSameWayFromBothSides) {
  run(kStream);
  EXPECT_EQ(run("INSERT INTO s VALUES ('a', 1); INSERT INTO s (ROWTIME, v) VALUES (5, 1);"), "");
  EXPECT_EQ(insert("s", {{"k", "a"}, {"v", 1}}), "ok");
  EXPECT_EQ(insert("`S`", {{"ROWTIME", 6}}), "ok");
  EXPECT_EQ(times("s"), (std::vector<std::int64_t>{4711, 5, 4711, 6}));
  EXPECT_THAT(insert("s", {{"nope", 1}}), HasSubstr("`NOPE` does not exist"));
  EXPECT_THAT(insert("s", {{"v", "x"}}), HasSubstr("Can't coerce"));
}

TEST_F(Statements, RowsAreRefusedInTheSameWayOnBothSides) {
  run(kStream);
  start({{"ksql.insert.into.values.enabled", "false"}});
  EXPECT_THAT(run("INSERT INTO s VALUES ('a', 1);"), HasSubstr("has disabled INSERT INTO"));
  EXPECT_THAT(insert("s", {{"v", 1}}), HasSubstr("has disabled INSERT INTO"));
  start({{"ksql.readonly.topics", "other,s"}});
  EXPECT_THAT(run("INSERT INTO s VALUES ('a', 1);"), HasSubstr("read-only topic: s"));
  EXPECT_THAT(insert("s", {{"v", 1}}), HasSubstr("read-only topic: s"));
  EXPECT_TRUE(times("s").empty());
}

TEST_F(Statements, HowMuchIsCollectedMayChangeWithAReplacement) {
  const std::string query = "TABLE t AS SELECT k, COLLECT_LIST(v) AS l FROM s GROUP BY k;";
  run(kStream);
  EXPECT_EQ(run("CREATE " + query), "currentStatus ");
  EXPECT_EQ(run("SET 'ksql.functions.collect_list.limit'='2'; CREATE OR REPLACE " + query), "currentStatus ");
}

TEST_F(Statements, AReplacementIsComparedWithTheQueryAsItWasBound) {
  run("CREATE TYPE small AS INT; "
      "CREATE STREAM s (k STRING KEY, v INT, h BYTES HEADER('h')) WITH (kafka_topic='s', partitions=1, "
      "value_format='JSON');");
  const std::string query = "TABLE t AS SELECT k, COUNT(h) AS n, SUM(CAST(v AS small)) AS v FROM s GROUP BY k;";
  EXPECT_EQ(run("CREATE " + query), "currentStatus ");
  EXPECT_EQ(run("DROP TYPE small; ALTER STREAM s ADD COLUMN w INT;"), "currentStatus currentStatus ");
  const std::string same = "TABLE t AS SELECT k, COUNT(h) AS n, SUM(CAST(v AS INT)) AS v FROM s GROUP BY k;";
  EXPECT_EQ(run("CREATE OR REPLACE " + same), "currentStatus ");
  EXPECT_THAT(run("CREATE OR REPLACE TABLE t AS SELECT k, COUNT(w) AS n, SUM(v) AS v FROM s GROUP BY k;"),
              HasSubstr("must have matching aggregationFunctions"));
}

TEST_F(Statements, ExplainTellsTheTypeOfAQuery) {
  run(std::string(kStream) + "CREATE TABLE t AS SELECT k, COUNT(*) AS n FROM s GROUP BY k;");
  const auto type = [&](const std::string& query) {
    const Reply reply = service_->execute({.sql = "EXPLAIN " + query, .variables = {}});
    if (reply.error) return reply.error->message;
    return std::string(reply.entities.at(0).at("queryDescription").at("queryType").as_string());
  };
  EXPECT_EQ(type("SELECT * FROM t WHERE k = 'a';"), "PULL");
  EXPECT_EQ(type("SELECT * FROM s;"), "PULL");
  EXPECT_EQ(type("SELECT * FROM s EMIT CHANGES;"), "PUSH");
  EXPECT_EQ(type("SELECT * FROM t EMIT CHANGES;"), "PUSH");
  EXPECT_EQ(type("CREATE STREAM o AS SELECT * FROM s;"), "PERSISTENT");
  EXPECT_EQ(type(service_->catalog().find("T")->created_by + ";"), "PERSISTENT");
}

TEST_F(Statements, FunctionsSurviveARestart) {
  run(std::string(kStream) + "CREATE TYPE small AS INT;");
  EXPECT_EQ(run("CREATE FUNCTION f (x small) RETURNS BIGINT AS CAST(x AS BIGINT) + 1; "
                "CREATE FUNCTION total (x INT) RETURNS BIGINT AS SUM(f(x)); DROP TYPE small;"),
            "currentStatus currentStatus currentStatus ");
  start({});
  EXPECT_EQ(run("CREATE TABLE t AS SELECT k, total(v) AS n FROM s GROUP BY k;"), "currentStatus ");
  EXPECT_THAT(run("CREATE FUNCTION f (x INT) RETURNS INT AS x;"), HasSubstr("there already"));
  EXPECT_THAT(run("DROP FUNCTION f;"), HasSubstr("called by [TOTAL]"));
  EXPECT_EQ(run("DESCRIBE FUNCTION total;"), "describe_function ");
  EXPECT_EQ(run("DROP FUNCTION total; DROP FUNCTION f;"), "currentStatus currentStatus ");
  start({});
  EXPECT_THAT(run("DESCRIBE FUNCTION total;"), HasSubstr("Can't find any functions"));
  EXPECT_EQ(run("DROP FUNCTION IF EXISTS f;"), "warning_entity ");
}

TEST_F(Statements, SetAppliesToTheRestOfTheRequest) {
  run(kStream);
  const std::string off = "SET 'ksql.create.or.replace.enabled'='false'; ",
                    replace = "CREATE OR REPLACE " + std::string(kStream).substr(7);
  EXPECT_THAT(run(off + replace), HasSubstr("CREATE OR REPLACE is disabled"));
  EXPECT_EQ(run(off + "UNSET 'ksql.create.or.replace.enabled'; " + replace), "currentStatus ");
  EXPECT_THAT(run("SET 'nope'='1'; INSERT INTO s VALUES ('a', 1);"), HasSubstr("Unknown property: nope"));
  EXPECT_TRUE(times("s").empty());
}

}  // namespace
}  // namespace millrace
