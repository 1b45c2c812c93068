#include <gtest/gtest.h>

#include "parser/ast/format.h"
#include "parser/syntax/parse.h"

namespace millrace {
namespace {

struct StatementCase {
  const char* text;
  const char* formatted;
};
void PrintTo(const StatementCase& tried, std::ostream* out) {
  *out << tried.text;
}

class Statements : public testing::TestWithParam<StatementCase> {};

TEST_P(Statements, AreReadAndPrinted) {
  const ast::StatementPtr statement = parse_statement(GetParam().text, Dialect::millrace, StatementSet::test);
  EXPECT_EQ(ast::format(*statement), GetParam().formatted);
  EXPECT_TRUE(ast::equal(*statement, *parse_statement(GetParam().formatted, Dialect::millrace, StatementSet::test)));
}

const StatementCase kDefinitions[] = {
    {"create stream s (id int key, `v` varchar) with (kafka_topic='t', value_format='json');",
     "CREATE STREAM S (ID INTEGER KEY, `v` STRING) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='json')"},
    {"CREATE OR REPLACE TABLE IF NOT EXISTS t (k BIGINT PRIMARY KEY, d DECIMAL(4,2)) WITH (partitions=-1);",
     "CREATE OR REPLACE TABLE IF NOT EXISTS T (K BIGINT PRIMARY KEY, D DECIMAL(4, 2)) WITH (PARTITIONS=-1)"},
    {"CREATE SOURCE STREAM s (h ARRAY<STRUCT<key STRING, value BYTES>> HEADERS);",
     "CREATE SOURCE STREAM S (H ARRAY<STRUCT<KEY STRING, VALUE BYTES>> HEADERS)"},
    {"CREATE STREAM s (h BYTES HEADER('it''s'));", "CREATE STREAM S (H BYTES HEADER('it''s'))"},
    {"CREATE STREAM s WITH (value_schema_id=3);", "CREATE STREAM S WITH (VALUE_SCHEMA_ID=3)"},
    {"CREATE STREAM s (a VARCHAR(STRING), b MAP<STRING, ARRAY<DOUBLE>>, c my_type);",
     "CREATE STREAM S (A STRING, B MAP<STRING, ARRAY<DOUBLE>>, C MY_TYPE)"},
    {"CREATE TABLE t WITH (kafka_topic='x') AS SELECT a, COUNT(*) AS n FROM s GROUP BY a EMIT CHANGES;",
     "CREATE TABLE T WITH (KAFKA_TOPIC='x') AS SELECT\n  A,\n  COUNT(*) N\nFROM S\nGROUP BY A\nEMIT CHANGES"},
    {"ALTER STREAM s ADD COLUMN a INT, ADD b STRING, ADD column INT;",
     "ALTER STREAM S ADD COLUMN A INTEGER, ADD COLUMN B STRING, ADD COLUMN COLUMN INTEGER"},
    {"DROP STREAM IF EXISTS s DELETE TOPIC;", "DROP STREAM IF EXISTS S DELETE TOPIC"},
    {"DROP TABLE t", "DROP TABLE T"},
    {"CREATE TYPE IF NOT EXISTS address AS STRUCT<street STRING, no INT>;",
     "CREATE TYPE IF NOT EXISTS ADDRESS AS STRUCT<STREET STRING, NO INTEGER>"},
    {"DROP TYPE IF EXISTS address;", "DROP TYPE IF EXISTS ADDRESS"},
    {"CREATE SINK CONNECTOR c WITH ('connector.class'='x', \"tasks.max\"=1, name=true);",
     "CREATE SINK CONNECTOR C WITH (NAME=true, `connector.class`='x', `tasks.max`=1)"},
    {"DROP CONNECTOR IF EXISTS c;", "DROP CONNECTOR IF EXISTS C"},
    {"INSERT INTO s SELECT * FROM x;", "INSERT INTO S SELECT *\nFROM X"},
    {"INSERT INTO s WITH (query_id='q') SELECT * FROM x;", "INSERT INTO S WITH (QUERY_ID='q') SELECT *\nFROM X"},
    {"INSERT INTO s (a, `b`) VALUES (1, STRUCT(x:=-1, y:=null));",
     "INSERT INTO S (A, `b`) VALUES (1, STRUCT(X:=-1, Y:=null))"},
    {"INSERT INTO s VALUES (ARRAY[1, 2], MAP('a':=1), STRUCT());",
     "INSERT INTO S VALUES (ARRAY[1, 2], MAP('a':=1), STRUCT())"},
};
INSTANTIATE_TEST_SUITE_P(Definitions, Statements, testing::ValuesIn(kDefinitions));

const StatementCase kQueries[] = {
    {"SELECT * FROM s;", "SELECT *\nFROM S"},
    {"SELECT s.*, x->*, a AS b, c d FROM s AS t LIMIT 3;", "SELECT\n  S.*,\n  X->*,\n  A B,\n  C D\nFROM S T\nLIMIT 3"},
    {"SELECT * FROM a JOIN b ON a.x = b.x LEFT JOIN c WITHIN 1 HOUR ON a.x = c.x;",
     "SELECT *\nFROM A\nINNER JOIN B ON ((A.X = B.X))\nLEFT OUTER JOIN C WITHIN 1 HOUR ON ((A.X = C.X))"},
    {"SELECT * FROM a RIGHT OUTER JOIN b WITHIN (1 DAY, 2 DAYS) GRACE PERIOD 3 SECONDS ON a.x = b.x FULL JOIN c ON "
     "true;",
     "SELECT *\nFROM A\nRIGHT OUTER JOIN B WITHIN (1 DAY, 2 DAYS) GRACE PERIOD 3 SECONDS ON ((A.X = B.X))\n"
     "FULL OUTER JOIN C ON (true)"},
    {"SELECT COUNT(*) FROM s WINDOW TUMBLING (SIZE 1 MINUTE, RETENTION 1 DAY, GRACE PERIOD 0 SECONDS) GROUP BY a EMIT "
     "FINAL;",
     "SELECT COUNT(*)\nFROM S\nWINDOW TUMBLING ( SIZE 1 MINUTE, RETENTION 1 DAY, GRACE PERIOD 0 SECONDS )\nGROUP BY "
     "A\nEMIT FINAL"},
    {"SELECT COUNT() FROM s WINDOW w HOPPING (SIZE 10 SECONDS, ADVANCE BY 5 SECONDS) GROUP BY (a, b) HAVING COUNT() > "
     "1;",
     "SELECT COUNT()\nFROM S\nWINDOW W HOPPING ( SIZE 10 SECONDS, ADVANCE BY 5 SECONDS )\nGROUP BY A, B\nHAVING "
     "(COUNT() > 1)"},
    {"SELECT COUNT(1) FROM s WINDOW SESSION (60 SECONDS) WHERE a IS NULL GROUP BY (a IS NULL);",
     "SELECT COUNT(1)\nFROM S\nWINDOW SESSION ( 60 SECONDS )\nWHERE (A IS NULL)\nGROUP BY (A IS NULL)"},
    {"SELECT * FROM s PARTITION BY a, b + 1;", "SELECT *\nFROM S\nPARTITION BY A, (B + 1)"},
    {"SELECT * FROM s PARTITION BY NULL;", "SELECT *\nFROM S\nPARTITION BY null"},
    {"SELECT a FROM s GROUP BY ();", "SELECT A\nFROM S\nGROUP BY ()"},
    {"SELECT a FROM s emit emit changes limit -1;", "SELECT A\nFROM S EMIT\nEMIT CHANGES\nLIMIT -1"},
};
INSTANTIATE_TEST_SUITE_P(Queries, Statements, testing::ValuesIn(kQueries));

const StatementCase kOthers[] = {
    {"PRINT my_topic FROM BEGINNING INTERVAL 2 LIMIT 3;", "PRINT `my_topic` FROM BEGINNING INTERVAL 2 LIMIT 3"},
    {"PRINT 'a-b' SAMPLE 5;", "PRINT `a-b` INTERVAL 5"},
    {"LIST STREAMS EXTENDED;", "SHOW STREAMS EXTENDED"},
    {"SHOW TABLES;", "SHOW TABLES"},
    {"SHOW ALL TOPICS EXTENDED;", "SHOW ALL TOPICS EXTENDED"},
    {"SHOW QUERIES EXTENDED;", "SHOW QUERIES EXTENDED"},
    {"SHOW FUNCTIONS;", "SHOW FUNCTIONS"},
    {"SHOW PROPERTIES;", "SHOW PROPERTIES"},
    {"SHOW TYPES;", "SHOW TYPES"},
    {"SHOW VARIABLES;", "SHOW VARIABLES"},
    {"SHOW SINK CONNECTORS;", "SHOW SINK CONNECTORS"},
    {"SHOW CONNECTOR PLUGINS;", "SHOW CONNECTOR PLUGINS"},
    {"DESCRIBE s EXTENDED;", "DESCRIBE S EXTENDED"},
    {"DESCRIBE STREAMS EXTENDED;", "DESCRIBE STREAMS EXTENDED"},
    {"DESCRIBE FUNCTION len;", "DESCRIBE FUNCTION LEN"},
    {"DESCRIBE FUNCTION;", "DESCRIBE FUNCTION"},
    {"DESCRIBE CONNECTOR c;", "DESCRIBE CONNECTOR C"},
    {"EXPLAIN ctas_t_1;", "EXPLAIN CTAS_T_1"},
    {"explain analyze ctas_t_1;", "EXPLAIN ANALYZE CTAS_T_1"},
    {"EXPLAIN analyze;", "EXPLAIN ANALYZE"},
    {"EXPLAIN SELECT * FROM s;", "EXPLAIN SELECT *\nFROM S"},
    {"TERMINATE ALL;", "TERMINATE ALL"},
    {"PAUSE `q`;", "PAUSE `q`"},
    {"RESUME q;", "RESUME Q"},
    {"SET 'auto.offset.reset'='earliest';", "SET 'auto.offset.reset'='earliest'"},
    {"UNSET 'a';", "UNSET 'a'"},
    {"ALTER SYSTEM 'a'='b';", "ALTER SYSTEM 'a'='b'"},
    {"DEFINE v = 'x';", "DEFINE V='x'"},
    {"UNDEFINE v;", "UNDEFINE V"},
    {"ASSERT TOPIC t WITH (partitions=2) TIMEOUT 3 SECONDS;", "ASSERT TOPIC `t` WITH (PARTITIONS=2) TIMEOUT 3 SECONDS"},
    {"ASSERT NOT EXISTS TOPIC 't';", "ASSERT NOT EXISTS TOPIC `t`"},
    {"ASSERT SCHEMA SUBJECT 's-value' ID 3 TIMEOUT 1 MINUTE;", "ASSERT SCHEMA SUBJECT 's-value' ID 3 TIMEOUT 1 MINUTE"},
    {"ASSERT NOT EXISTS SCHEMA ID 4;", "ASSERT NOT EXISTS SCHEMA ID 4"},
    {"ASSERT VALUES s (a, b) VALUES (1, 'x');", "ASSERT VALUES S (A, B) VALUES (1, 'x')"},
    {"ASSERT NULL VALUES s (a) KEY (1);", "ASSERT NULL VALUES S (A) KEY (1)"},
    {"ASSERT TABLE t (a INT PRIMARY KEY) WITH (kafka_topic='t');",
     "ASSERT TABLE T (A INTEGER PRIMARY KEY) WITH (KAFKA_TOPIC='t')"},
    {"RUN SCRIPT 'a.sql';", "RUN SCRIPT 'a.sql'"},
};
INSTANTIATE_TEST_SUITE_P(Others, Statements, testing::ValuesIn(kOthers));

TEST(Requests, HoldAnyNumberOfStatements) {
  const auto statements = parse("-- first\nSHOW STREAMS; /* between */ SHOW\n TABLES ;");
  ASSERT_EQ(statements.size(), 2U);
  EXPECT_EQ(statements[0]->text, "SHOW STREAMS;");
  EXPECT_EQ(statements[1]->text, "SHOW\n TABLES ;");
  EXPECT_TRUE(parse("").empty());
  EXPECT_TRUE(parse(" -- nothing\n").empty());
}

TEST(Requests, TopicsKeepTheirCase) {
  const auto statement = parse_statement("PRINT myTopic;");
  EXPECT_EQ(statement->as<ast::Print>()->topic.text, "myTopic");
}

TEST(Requests, DurationsKnowTheirLength) {
  const auto statement = parse_statement("SELECT * FROM a JOIN b WITHIN (2 HOURS, 500 MILLISECONDS) ON a.x = b.x;");
  const auto& within = statement->as<ast::Select>()->query->from.joins[0].within;
  EXPECT_EQ(within->before.millis, 7'200'000);
  EXPECT_EQ(within->after.millis, 500);
}

TEST(Requests, ColumnListsAndTypesStandAlone) {
  const auto columns = parse_columns("ID INT KEY, `v` STRUCT<F STRING>");
  ASSERT_EQ(columns.size(), 2U);
  EXPECT_EQ(columns[0].role, ast::ColumnRole::key);
  EXPECT_EQ(columns[1].name.text, "v");
  EXPECT_EQ(ast::format(parse_type("map<varchar, decimal(4,2)>")), "MAP<STRING, DECIMAL(4, 2)>");
}

}  // namespace
}  // namespace millrace
