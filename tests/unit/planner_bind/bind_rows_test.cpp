#include <gmock/gmock.h>

#include "bind_session.h"
#include "planner/bind/upgrade.h"

namespace millrace {
namespace {

class BindRows : public testing::Test {
 protected:
  BindRows() {
    session_.run("CREATE TABLE Q AS SELECT * FROM T;");
    session_.run("CREATE TABLE W AS SELECT NAME, COUNT(*) AS N FROM S WINDOW TUMBLING (SIZE 1 SECOND) GROUP BY NAME;");
  }
  BindSession session_;
};

TEST_F(BindRows, FindsKeys) {
  const auto one = session_.pull("SELECT * FROM Q WHERE ID = 1 + 2;");
  ASSERT_EQ(one.access.keys.size(), 1U);
  EXPECT_EQ(one.access.keys[0].key.at(0)->as<LiteralExpr>()->value, Value(3));
  EXPECT_TRUE(one.access.says_all);
  EXPECT_EQ(one.items[0].column.role, ColumnRole::key);
  const auto list = session_.pull("SELECT * FROM Q WHERE ID IN (1, 2) AND OWNER > 3;");
  EXPECT_EQ(list.access.keys.size(), 2U);
  EXPECT_FALSE(list.access.says_all);
  EXPECT_TRUE(session_.pull("SELECT * FROM Q WHERE ID = 1 OR ID = 2;").access.says_all);
  EXPECT_TRUE(session_.pull("SELECT * FROM Q WHERE ID > 1;").access.keys.empty());
  EXPECT_TRUE(session_.pull("SELECT * FROM Q WHERE ID = 1 OR OWNER = 2;").access.keys.empty());
}

TEST_F(BindRows, FindsWindowBoundsAndRanges) {
  const auto windows = session_.pull(
      "SELECT * FROM W WHERE NAME = 'a' AND WINDOWSTART >= 1000 AND '1970-01-01T00:00:09' > WINDOWSTART;");
  ASSERT_EQ(windows.access.keys.size(), 1U);
  EXPECT_EQ(text_of(windows.access.keys[0].limits), "WINDOWSTART >= 1000, WINDOWSTART < 9000");
  std::string names;
  for (const auto& item : windows.items) names += item.column.name + " ";
  EXPECT_EQ(names, "NAME WINDOWSTART WINDOWEND N ");
  const auto range = session_.pull("SELECT * FROM W WHERE NAME >= 'b';");
  EXPECT_EQ(range.access.from.at(0)->as<LiteralExpr>()->value, Value(std::string("b")));
}

TEST_F(BindRows, RefusesScansWhenToldTo) {
  session_.set("ksql.query.pull.table.scan.enabled", "false");
  EXPECT_THAT(session_.error("SELECT * FROM Q WHERE OWNER = 1;"),
              testing::HasSubstr("WHERE clause missing key column for disjunct: (OWNER = 1)"));
  EXPECT_THAT(session_.error("SELECT * FROM Q WHERE ID <> 1;"),
              testing::HasSubstr("Bound on key columns '[`ID` INTEGER KEY]' must currently be '='. "));
  EXPECT_EQ(session_.error("SELECT * FROM Q WHERE ID = 1;"), "no error");
}

TEST_F(BindRows, InsertsValues) {
  const auto row = session_.insert("INSERT INTO S (ID, PRICE, ROWTIME) VALUES (1, 4.5, 77);");
  EXPECT_EQ(row.rows[0].values[0], Value(1));
  EXPECT_TRUE(row.rows[0].values[1].is_null());
  EXPECT_EQ(row.rows[0].values[2], Value(Decimal{450, 2}));
  EXPECT_EQ(row.rows[0].time, 77);
  EXPECT_THAT(session_.error("INSERT INTO S (ID) VALUES ('x');"),
              testing::HasSubstr("Expected type INTEGER for field `ID`"));
}

TEST_F(BindRows, RewritesStatements) {
  EXPECT_EQ(
      session_.canonical("create stream X (A int) with (kafka_topic='x', value_format='json', partitions=1);"),
      "CREATE STREAM X (A INTEGER) WITH (CLEANUP_POLICY='delete', KAFKA_TOPIC='x', KEY_FORMAT='KAFKA', PARTITIONS=1, "
      "VALUE_FORMAT='json');");
}

TEST(BindUpgrade, KeepsTheShapeOfSteps) {
  BindSession session;
  const auto plan = [&](const std::string& sql) { return session.plan("CREATE TABLE O AS SELECT " + sql); };
  const auto old = plan("NAME, COUNT(*) AS N FROM S GROUP BY NAME;");
  EXPECT_NO_THROW(check_query_upgrade(old, plan("NAME, COUNT(*) AS N FROM S WHERE ID > 3 GROUP BY NAME;"), {}));
  EXPECT_THROW(check_query_upgrade(old, plan("NAME, SUM(ID) AS N FROM S GROUP BY NAME;"), {}), SqlError);
  EXPECT_THROW(check_query_upgrade(old, plan("ADDRESS->CITY, COUNT(*) AS N FROM S GROUP BY ADDRESS->CITY;"), {}),
               SqlError);
  EXPECT_THROW(check_query_upgrade(old, plan("* FROM T;"), {}), SqlError);
}

}  // namespace
}  // namespace millrace
