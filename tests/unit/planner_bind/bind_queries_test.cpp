#include <gmock/gmock.h>

#include "bind_session.h"

namespace millrace {
namespace {

using testing::HasSubstr;

TEST(BindQueries, ProjectsAndFilters) {
  BindSession session;
  EXPECT_EQ(session.run("CREATE STREAM O AS SELECT NAME, ID, PRICE * 2 AS TWICE FROM S WHERE ID > 3;"),
            "sink O topic=O KAFKA/JSON  [stream]\n"
            "  project ID, NAME, TWICE := (PRICE * 2)  [stream]\n"
            "    filter (ID > 3)  [stream]\n"
            "      source S topic=s KAFKA/JSON  [stream]\n");
  EXPECT_EQ(session.source("O").schema.to_string(), "`ID` INTEGER KEY, `NAME` STRING, `TWICE` DECIMAL(15, 2)");
  EXPECT_EQ(session.source("O").partitions, 4);
}

TEST(BindQueries, NamesColumns) {
  BindSession session;
  session.run(
      "CREATE STREAM O AS SELECT ID, ID + 1, ADDRESS->CITY, ADDRESS->CITY, NAME + 'x', ADDRESS->ZIP AS Z FROM S;");
  EXPECT_EQ(session.source("O").schema.to_string(),
            "`ID` INTEGER KEY, `KSQL_COL_0` INTEGER, `CITY` STRING, `CITY_1` STRING, `KSQL_COL_1` STRING, `Z` INTEGER");
  EXPECT_THAT(session.error("CREATE STREAM P AS SELECT ID, ADDRESS->CITY, ADDRESS->* FROM S;"),
              HasSubstr("Duplicate value columns found in schema: `CITY` STRING"));
}

TEST(BindQueries, Aggregates) {
  BindSession session;
  EXPECT_EQ(
      session.run(
          "CREATE TABLE O AS SELECT NAME, COUNT(*) AS N, SUM(ID) + 1 AS M FROM S WINDOW TUMBLING (SIZE 10 SECONDS) "
          "GROUP BY NAME HAVING COUNT(*) > 1;"),
      "sink O topic=O KAFKA/JSON  [table windowed]\n"
      "  project NAME, N := COUNT(*), M := (SUM(ID) + 1)  [table windowed]\n"
      "    filter (COUNT(*) > 1)  [table windowed]\n"
      "      aggregate COUNT(), SUM(#1) tumbling 10000 ms, grace 86390000 ms  [table windowed]\n"
      "        rekey NAME  [stream]\n"
      "          source S topic=s KAFKA/JSON  [stream]\n");
}

TEST(BindQueries, GroupingByTheKeyNeedsNoRekey) {
  BindSession session;
  EXPECT_THAT(session.run("CREATE TABLE O AS SELECT ID, COUNT(*) AS N FROM S GROUP BY ID;"),
              testing::Not(HasSubstr("rekey")));
}

TEST(BindQueries, PartitionsBy) {
  BindSession session;
  EXPECT_THAT(session.run("CREATE STREAM O AS SELECT * FROM S PARTITION BY NAME;"), HasSubstr("rekey NAME"));
  EXPECT_EQ(session.source("O").schema.columns.front().name, "NAME");
  EXPECT_EQ(session.source("O").schema.columns.back().name, "ID");
  session.run("CREATE STREAM P AS SELECT * FROM S PARTITION BY NULL;");
  EXPECT_EQ(session.source("P").key_format.name, "NONE");
  EXPECT_EQ(session.source("P").schema.key_count(), 0U);
}

TEST(BindQueries, JoinsAStreamWithATable) {
  BindSession session;
  EXPECT_EQ(session.run("CREATE STREAM O AS SELECT S.ID, NAME, LABEL FROM S LEFT JOIN T ON S.ID = T.ID;"),
            "sink O topic=O KAFKA/JSON  [stream]\n"
            "  project S_ID, NAME := S_NAME, LABEL := T_LABEL  [stream]\n"
            "    stream_table_join left on S_ID  [stream]\n"
            "      source S topic=s KAFKA/JSON  [stream]\n"
            "      source T topic=t KAFKA/JSON  [table]\n");
  EXPECT_THAT(session.run("CREATE STREAM P AS SELECT T.ID, NAME FROM S JOIN T ON LEN(S.NAME) = T.ID;"),
              HasSubstr("rekey"));
}

TEST(BindQueries, PushShowsColumnsInSelectOrder) {
  BindSession session;
  EXPECT_THAT(session.run("SELECT NAME, ID FROM S EMIT CHANGES LIMIT 3;"), HasSubstr("output"));
}

TEST(BindQueries, InsertsIntoAStream) {
  BindSession session;
  session.run("CREATE STREAM O AS SELECT ID, NAME FROM S;");
  EXPECT_THAT(session.run("INSERT INTO O SELECT ID, NAME + '!' AS NAME FROM S;"), HasSubstr("sink O"));
  EXPECT_THAT(
      session.error("INSERT INTO O SELECT ID, PRICE AS NAME FROM S;"),
      HasSubstr(
          "Incompatible schema between results and sink.\nResult schema is `ID` INTEGER KEY, `NAME` DECIMAL(4, 2)"));
}

}  // namespace
}  // namespace millrace
