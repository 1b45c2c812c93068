#include <gtest/gtest.h>

#include "parser/ast/format.h"
#include "parser/syntax/parse.h"

namespace millrace {
namespace {

std::string problem(const std::string& text, Dialect dialect) {
  try {
    parse(text, dialect);
  } catch (const SqlError& error) {
    return error.what();
  }
  return {};
}

// Both dialects have the words that ksqlDB reserves as names only where they make sense as nothing else.
TEST(Dialect, FewWordsAreReserved) {
  for (const char* text : {
           "CREATE STREAM e (at TIMESTAMP, value INT, order STRING, s STRUCT<group STRING, topic INT>);",
           "SELECT at, value, order, s->group FROM e WHERE at AT TIME ZONE 'Europe/Paris' > '2026-01-01';",
           "SELECT group FROM t GROUP BY group;",
           "SELECT size, list, t.stream, x AS table FROM t WHERE size > 3;",
           "SELECT sample FROM properties properties WHERE properties.sample = 1 LIMIT 3;",
           "SELECT limit FROM t LIMIT 3;",
           "SELECT * FROM stream JOIN table ON stream.all = table.with;",
           "CREATE TABLE print (delete INT PRIMARY KEY, from STRING, select STRUCT<where INT, values INT>);",
           "SELECT a->select, a->from->where FROM t;",
           "INSERT INTO t (size, list) VALUES (1, 2);",
       }) {
    EXPECT_EQ(problem(text, Dialect::millrace), "") << text;
    EXPECT_NE(problem(text, Dialect::ksql), "") << text;
  }
}

TEST(Dialect, ReservedWordsStayReserved) {
  for (const char* text : {"SELECT a FROM select;", "SELECT a FROM t WHERE;", "SELECT a, FROM t;",
                           "CREATE STREAM where (a INT);", "SELECT case FROM t;"})
    EXPECT_NE(problem(text, Dialect::millrace), "") << text;
}

TEST(Dialect, NewClausesAreThatOfOne) {
  for (const char* text : {
           "SELECT DISTINCT a FROM t;",
           "SELECT a FROM t ORDER BY a DESC NULLS LAST, 2 ASC LIMIT 3 OFFSET 1;",
           "SELECT a FROM t ORDER BY a OFFSET 10 ROWS FETCH FIRST 5 ROWS ONLY;",
           "INSERT INTO t VALUES (1, 2), (3, 4);",
           "INSERT INTO t ONCE SELECT * FROM s;",
           "UPSERT INTO t (a, b) VALUES (1, 2), (3, 4);",
           "UPDATE t SET a = a + 1, b = NULL WHERE a > 1;",
           "DELETE FROM t WHERE a = 1;",
           "DELETE FROM t;",
           "SELECT * FROM a JOIN b WITHIN UNBOUNDED ON a.x = b.x;",
           "SELECT * FROM a JOIN b WITHIN UNBOUNDED TTL 3 DAYS GRACE PERIOD 1 HOUR ON a.x = b.x;",
           "SELECT * FROM a JOIN BROADCAST(b) ON a.x % 10 = b.x LEFT JOIN READY(t) r ON a.x = r.x;",
           "SELECT * FROM a CROSS JOIN b CROSS JOIN UNNEST(a.list) WITH ORDINALITY AS u (x, n) WHERE u.n > 1;",
           "SELECT (SELECT MAX(x) FROM t) AS m FROM (SELECT a FROM t) q (b) WHERE b > (WITH c AS (SELECT 1 AS x FROM "
           "t) SELECT x FROM c);",
           "INSERT FIRST WHEN a > 1 THEN INTO x (a, b) WHEN a > 0 THEN INTO y (*) ELSE INTO z (a AS b) SELECT * FROM "
           "s;",
           "INSERT ALL WHEN a > 1 THEN INTO x (a) WITH q AS (SELECT * FROM s) SELECT * FROM q;",
           "SELECT * FROM a JOIN t FOR SYSTEM_TIME AS OF a.ROWTIME - 5 AS r ON a.x = r.x;",
       }) {
    const auto statements = parse(text);
    ASSERT_EQ(statements.size(), 1U) << text;
    EXPECT_TRUE(ast::equal(*statements[0], *parse_statement(ast::format(*statements[0])))) << text;
    EXPECT_NE(problem(text, Dialect::ksql), "") << text;
  }
}

TEST(Dialect, NewWordsAreNames) {
  for (const char* text :
       {"SELECT order, asc, first, rows FROM update order WHERE offset = 1;",
        "CREATE STREAM upsert (once INT, fetch STRING);",
        "SELECT unnest, ordinality FROM unnest cross JOIN cross ordinality ON cross.x = ordinality.x;",
        "SELECT UNNEST(a), CROSS(b) FROM t;",
        "SELECT ttl, of, system_time, unbounded FROM broadcast for JOIN ready ready ON ready.x = for.x;"}) {
    EXPECT_EQ(problem(text, Dialect::ksql), "") << text;
    EXPECT_TRUE(ast::equal(*parse_statement(text, Dialect::ksql), *parse_statement(text))) << text;
  }
}

TEST(Dialect, MistakesAreReportedWhereTheyAre) {
  try {
    parse("SELECT size, list FROM t WEHRE a = 1;");
    FAIL();
  } catch (const SqlError& error) {
    EXPECT_EQ(error.span().column, 32U);
  }
}

}  // namespace
}  // namespace millrace
