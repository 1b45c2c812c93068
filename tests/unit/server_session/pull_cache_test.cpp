#include <gtest/gtest.h>

#include "exec/log/local/memory.h"
#include "exec/log/log.h"
#include "server/session/service.h"

namespace millrace {
namespace {

/// An answer as text, whichever way it came.
struct Answer final : QuickAnswer, ResultSink {
  std::string text;

  ResultSink& sink() override { return *this; }
  void fail(const ServiceError& error) override { text += "error " + std::to_string(error.code) + " " + error.message; }
  void later(std::function<void()> work) override { work(); }
  void begin(const QueryHeader& header) override { text += header.schema.to_string() + "\n"; }
  bool rows(const Batch& batch) override {
    for (std::size_t row = 0; row < batch.rows; ++row) {
      append_row_json(batch, row, text);
      text += '\n';
    }
    return true;
  }
  bool line(std::string_view) override { return true; }
  void end(std::optional<std::string>, std::optional<ServiceError> error) override {
    text += error ? "error " + error->message : "end";
  }
};

class PullCache : public testing::Test {
 protected:
  void SetUp() override {
    log_ = make_memory_log();
    ServiceOptions options;
    options.workers = 0;
    options.process_id = "test";
    options.config.set("ksql.streams.auto.offset.reset", "earliest");
    auto opened = Service::open(*log_, std::move(options));
    ASSERT_TRUE(opened) << opened.error().message;
    service_ = std::move(*opened);
    run(R"(
      CREATE STREAM s (k STRING KEY, b BIGINT, i INT, d DOUBLE, m DECIMAL(6, 2), t TIMESTAMP, f BOOLEAN)
        WITH (kafka_topic='s', partitions=3, value_format='JSON', key_format='JSON');
      CREATE TABLE by_text AS SELECT k, LATEST_BY_OFFSET(b) AS b, LATEST_BY_OFFSET(i) AS i, LATEST_BY_OFFSET(d) AS d,
        LATEST_BY_OFFSET(m) AS m, LATEST_BY_OFFSET(t) AS t, LATEST_BY_OFFSET(f) AS f, COUNT(*) AS n FROM s GROUP BY k;
      CREATE TABLE by_big AS SELECT b, COUNT(*) AS n, LATEST_BY_OFFSET(k) AS `k` FROM s GROUP BY b;
      CREATE TABLE by_int AS SELECT i, COUNT(*) AS n FROM s GROUP BY i;
      CREATE TABLE by_double AS SELECT d, COUNT(*) AS n FROM s GROUP BY d;
      CREATE TABLE by_decimal AS SELECT m, COUNT(*) AS n FROM s GROUP BY m;
      CREATE TABLE by_two AS SELECT i, k, COUNT(*) AS n FROM s GROUP BY i, k;
      CREATE TABLE windowed AS SELECT k, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 10 SECONDS) GROUP BY k;
      CREATE TABLE sessions AS SELECT k, COUNT(*) AS n FROM s WINDOW SESSION (5 SECONDS) GROUP BY k;)");
    for (int n = 0; n < 60; ++n) {
      static const std::string texts[] = {"'a'", "'b'", "'it''s'", "''", "'A'", "'2020-01-01'", "'\xc3\xa9'"};
      const std::string sign = n % 2 ? "-" : "";
      const std::string value = std::to_string(n % 7);
      run("INSERT INTO s (ROWTIME, k, b, i, d, m, t, f) VALUES (" + std::to_string(1577836800000 + n * 1500) + ", " +
          texts[n % 7] + ", " + (n % 3 ? sign + value : sign + "3000000000") + ", " + sign + value + ", " + sign +
          value + ".5, " + sign + value + ".25, '2020-01-01T00:00:0" + value + "', " + (n % 2 ? "true" : "false") +
          ");");
    }
    ASSERT_TRUE(service_->engine().run_until_idle());
  }

  void run(const std::string& sql) {
    const Reply reply =
        service_->execute({.sql = sql, .properties = {}, .variables = {}, .command_sequence_number = {}});
    ASSERT_FALSE(reply.error) << reply.error->message << "\n" << sql;
    ASSERT_TRUE(service_->engine().run_until_idle());
  }

  static Request request(const std::string& sql) {
    return {.sql = sql, .properties = properties(), .variables = {}, .command_sequence_number = {}};
  }
  static PropertyMap& properties() {
    static PropertyMap map;
    return map;
  }
  std::string ask(const std::string& sql) {
    Answer answer;
    const auto started = service_->query(request(sql), answer);
    if (started.error) answer.fail(*started.error);
    return answer.text;
  }
  std::optional<std::string> ask_quickly(const std::string& sql) {
    auto answer = std::make_shared<Answer>();
    if (!service_->quick_query(request(sql), answer)) return std::nullopt;
    return answer->text;
  }
  /// A comment keeps a text away from the cache.
  std::string ask_parser(const std::string& sql) { return ask(sql.substr(0, sql.size() - 1) + "/**/;"); }

  /// Every text is asked when the shapes of all texts are known.
  void check(const std::vector<std::string>& texts, bool quick) {
    for (int round = 0; round < 2; ++round)
      for (const std::string& text : texts) {
        const std::string expected = ask_parser(text);
        EXPECT_EQ(ask(text), expected) << text;
        const auto quickly = ask_quickly(text);
        EXPECT_EQ(quickly.value_or(expected), expected) << text;
        EXPECT_TRUE(quickly || !quick || round == 0) << text;
      }
  }

  std::unique_ptr<Log> log_;
  std::unique_ptr<Service> service_;
};

TEST_F(PullCache, KeysOfEveryKind) {
  check({"SELECT * FROM by_text WHERE k = 'a';", "SELECT * FROM by_text WHERE k = 'it''s';",
         "SELECT * FROM by_text WHERE k = '';", "SELECT * FROM by_text WHERE k = 'A';",
         "SELECT * FROM by_text WHERE k = '2020-01-01';", "SELECT * FROM by_text WHERE k = '\xc3\xa9';",
         "SELECT * FROM by_text WHERE k = 'no -- comment';", "SELECT * FROM by_text WHERE 'b' = k;",
         "SELECT * FROM by_text WHERE 'A' = k;", "select N, k from BY_TEXT as x where x.K = 'b';",
         "select N, k from BY_TEXT as x where x.K = 'c';", "SELECT k, n + 1, 'lit' AS l FROM by_text WHERE k='a';",
         "SELECT k, n + 1, 'lit' AS l FROM by_text WHERE k='b';"},
        true);
  check({"SELECT * FROM by_big WHERE b = 1;", "SELECT * FROM by_big WHERE b = -1;", "SELECT * FROM by_big WHERE b = 0;",
         "SELECT * FROM by_big WHERE b = - 1;", "SELECT * FROM by_big WHERE b = -3000000000;",
         "SELECT * FROM by_big WHERE b = 3000000000;", "SELECT * FROM by_big WHERE b = 9223372036854775807;",
         "SELECT * FROM by_int WHERE i = 2;", "SELECT * FROM by_int WHERE i = -5;",
         "SELECT * FROM by_int WHERE (i = 3);", "SELECT * FROM by_int WHERE (i = 4);"},
        true);
  check({"SELECT * FROM by_int WHERE i = 3000000000;",
         "SELECT * FROM by_int WHERE i = 2147483648;",
         "SELECT * FROM by_int WHERE i = -2147483648;",
         "SELECT * FROM by_int WHERE i = 9223372036854775808;",
         "SELECT * FROM by_int WHERE i = 1.0;",
         "SELECT * FROM by_int WHERE i = 1e0;",
         "SELECT * FROM by_int WHERE i = '1';",
         "SELECT * FROM by_int WHERE i = +1;",
         "SELECT * FROM by_int WHERE i = -(1);",
         "SELECT * FROM by_int WHERE i = 1 + 1;",
         "SELECT * FROM by_int WHERE i = 2 - 1;",
         "SELECT * FROM by_int WHERE i = 2 -1;",
         "SELECT * FROM by_int WHERE i = NULL;",
         "SELECT * FROM by_int WHERE i = true;",
         "SELECT * FROM by_double WHERE d = 1.5;",
         "SELECT * FROM by_double WHERE d = 2.5;",
         "SELECT * FROM by_double WHERE d = -1.5e0;",
         "SELECT * FROM by_double WHERE d = 25e-1;",
         "SELECT * FROM by_double WHERE d = 1;",
         "SELECT * FROM by_decimal WHERE m = 2.25;",
         "SELECT * FROM by_decimal WHERE m = -1.25;",
         "SELECT * FROM by_decimal WHERE m = 2.250;",
         "SELECT * FROM by_decimal WHERE m = 225e-2;",
         "SELECT * FROM by_text WHERE k = 1;",
         "SELECT * FROM by_text WHERE k = CAST(1 AS STRING);",
         "SELECT * FROM by_text WHERE k = CAST(2 AS STRING);"},
        false);
}

TEST_F(PullCache, ListsAndConditions) {
  check({"SELECT * FROM by_big WHERE b IN (1, 2, -3);", "SELECT * FROM by_big WHERE b IN (0, 5, -1);",
         "SELECT * FROM by_text WHERE k IN ('a', 'b');", "SELECT * FROM by_text WHERE k IN ('A', 'it''s');",
         "SELECT * FROM by_two WHERE i = 2 AND k = 'it''s';", "SELECT * FROM by_two WHERE k = 'b' AND i = -1;",
         "SELECT * FROM by_two WHERE k = 'a' AND i = 0;", "SELECT * FROM by_text WHERE k = 'a' AND n > 3;",
         "SELECT * FROM by_text WHERE k = 'b' AND n > 30;", "SELECT * FROM by_text WHERE k = 'a' OR k = 'b';",
         "SELECT * FROM by_text WHERE k = 'b' OR k = '';", "SELECT * FROM by_text WHERE k = 'a' AND i IS NULL;",
         "SELECT * FROM by_text WHERE k = 'a' AND n BETWEEN 1 AND 100;",
         "SELECT * FROM by_text WHERE k = 'a' AND n BETWEEN 100 AND 1;", "SELECT * FROM by_text WHERE k = 'a' LIMIT 0;",
         "SELECT * FROM by_text WHERE k = 'a' AND n NOT IN (9, 8);"},
        false);
  check({"SELECT * FROM by_big WHERE b IN (1, 1, 2);",
         "SELECT * FROM by_big WHERE b IN (1, 2, 2);",
         "SELECT * FROM by_big WHERE b IN (1, 2, 3000000000);",
         "SELECT * FROM by_big WHERE b IN (1, NULL, 2);",
         "SELECT * FROM by_big WHERE b IN (1, '2', 2);",
         "SELECT * FROM by_big WHERE b NOT IN (1, 2);",
         "SELECT * FROM by_big WHERE b = 1 AND b = 1;",
         "SELECT * FROM by_big WHERE b = 1 AND b = 2;",
         "SELECT * FROM by_big WHERE b = 1 OR b = 1;",
         "SELECT * FROM by_big WHERE NOT b = 1;",
         "SELECT * FROM by_text WHERE k > 'a' AND k < 'c';",
         "SELECT * FROM by_text WHERE k > 'b' AND k < 'd';",
         "SELECT * FROM by_text WHERE k LIKE 'i%';",
         "SELECT * FROM by_text WHERE k = 'a' AND d > 0.5;",
         "SELECT * FROM by_text WHERE k = 'a' AND m = 0.25;",
         "SELECT * FROM by_text WHERE k = 'a' AND m > 9.25;",
         "SELECT * FROM by_text WHERE k = 'a' AND t = '2020-01-01T00:00:00';",
         "SELECT * FROM by_text WHERE k = 'a' AND t > '2020-01-01T00:00:06';",
         "SELECT * FROM by_text WHERE k = 'a' AND t > 'x';",
         "SELECT * FROM by_text WHERE k = 'a' AND 1 = 1;",
         "SELECT * FROM by_text WHERE k = 'a' AND 1 = 2;",
         "SELECT * FROM by_text WHERE k = 'a' AND nix = 1;",
         "SELECT * FROM by_text WHERE k = 'a' AND nix = 2;",
         "SELECT * FROM by_text WHERE n = 9;",
         "SELECT * FROM by_text WHERE n = 8;",
         "SELECT * FROM by_text WHERE n > 8 LIMIT 2;",
         "SELECT * FROM by_text WHERE UCASE(k) = 'A';",
         "SELECT * FROM by_text WHERE UCASE(k) = 'B';",
         "SELECT * FROM by_text WHERE CASE WHEN n > 8 THEN k = 'a' ELSE k = 'b' END;",
         "SELECT k FROM s WHERE k = 'a';",
         "SELECT k FROM s WHERE i = 1;",
         "SELECT * FROM nix WHERE k = 'a';"},
        false);
}

TEST_F(PullCache, Windows) {
  check({"SELECT * FROM windowed WHERE k = 'a';", "SELECT * FROM windowed WHERE k = 'b';",
         "SELECT * FROM sessions WHERE k = 'a';", "SELECT * FROM sessions WHERE k = 'nix';"},
        true);
  check({"SELECT * FROM windowed WHERE k = 'a' AND WINDOWSTART = 1577836800000;",
         "SELECT * FROM windowed WHERE k = 'a' AND WINDOWSTART >= 1577836810000 AND WINDOWEND < 1577836850000;",
         "SELECT * FROM windowed WHERE k = 'b' AND WINDOWSTART >= 1577836820000 AND WINDOWEND < 1577836840000;",
         "SELECT * FROM windowed WHERE k = 'b' AND WINDOWSTART >= '2020-01-01T00:00:30';",
         "SELECT * FROM windowed WHERE k = 'b' AND WINDOWSTART >= '2020-01-01T00:00:50';",
         "SELECT * FROM windowed WHERE k = 'b' AND WINDOWSTART >= 'nix';",
         "SELECT * FROM windowed WHERE k = 'b' AND WINDOWSTART > 1577836820000 AND WINDOWSTART > 1577836810000;",
         "SELECT * FROM windowed WHERE k = 'b' AND WINDOWSTART > 1577836810000 AND WINDOWSTART > 1577836820000;",
         "SELECT * FROM sessions WHERE k = 'a' AND WINDOWEND > 1577836820000;",
         "SELECT * FROM sessions WHERE k = 'a' AND WINDOWEND > 1577836830000;"},
        false);
}

TEST_F(PullCache, ExplainShowsHowRowsAreFound) {
  const auto topology = [&](const std::string& query) {
    const Reply reply = service_->execute(request("EXPLAIN " + query));
    EXPECT_FALSE(reply.error) << reply.error->message;
    return std::string(reply.entities.at(0).at("queryDescription").at("topology").as_string());
  };
  const std::string keys = topology("SELECT n FROM by_two WHERE i IN (1, 2) AND k = 'a' LIMIT 3;");
  EXPECT_NE(keys.find("output limit 3"), std::string::npos) << keys;
  EXPECT_NE(keys.find("project N"), std::string::npos) << keys;
  EXPECT_NE(keys.find("key_lookup BY_TWO kept by CTAS_BY_TWO_"), std::string::npos) << keys;
  EXPECT_NE(keys.find("keys (1, 'a'), (2, 'a')"), std::string::npos) << keys;
  EXPECT_EQ(keys.find("filter"), std::string::npos) << keys;
  const std::string range = topology("SELECT * FROM by_text WHERE k >= 'b' AND n > 3;");
  EXPECT_NE(range.find("store_scan BY_TEXT"), std::string::npos) << range;
  EXPECT_NE(range.find("from 'b'"), std::string::npos) << range;
  EXPECT_NE(range.find("filter"), std::string::npos) << range;
  const std::string windows = topology("SELECT * FROM windowed WHERE k = 'a' AND WINDOWSTART > 5;");
  EXPECT_NE(windows.find("('a' WINDOWSTART > 5)"), std::string::npos) << windows;
}

TEST_F(PullCache, PropertiesAreOfTheShape) {
  const std::string text = "SELECT * FROM by_text WHERE n = 9 AND k = 'a';";
  const std::string scan = "SELECT * FROM by_text WHERE n = 9;";
  check({text, scan}, false);
  properties()["ksql.query.pull.table.scan.enabled"] = "false";
  EXPECT_EQ(ask(scan), ask_parser(scan));
  EXPECT_NE(ask(scan).find("error"), std::string::npos);
  properties().clear();
  EXPECT_EQ(ask(scan).find("error"), std::string::npos);
}

TEST_F(PullCache, ForgetsWhenTheCatalogChanges) {
  const std::string text = "SELECT * FROM by_int WHERE i = 1;";
  check({text, "SELECT * FROM by_int WHERE i = 2;"}, true);
  run("DROP TABLE by_int;");
  EXPECT_FALSE(ask_quickly(text));
  EXPECT_NE(ask(text).find("error"), std::string::npos);
  run("CREATE TABLE by_int AS SELECT i, COUNT(*) AS n, MAX(b) AS b FROM s GROUP BY i;");
  check({text, "SELECT * FROM by_int WHERE i = 2;"}, true);
}

TEST_F(PullCache, LeavesVariablesToTheParser) {
  EXPECT_FALSE(ask_quickly("SELECT * FROM by_text WHERE k = '${x}';"));
  Request with = request("SELECT * FROM by_text WHERE k = '${x}';");
  with.variables["X"] = "a";
  Answer answer;
  service_->query(with, answer);
  EXPECT_EQ(answer.text, ask("SELECT * FROM by_text WHERE k = 'a';"));
}

}  // namespace
}  // namespace millrace
