#include <gmock/gmock.h>

#include "bind_session.h"

namespace millrace {
namespace {

using testing::StartsWith;

struct Mistake {
  const char* sql;
  const char* error;  // its beginning
};

class BindErrors : public testing::TestWithParam<Mistake> {};

TEST_P(BindErrors, AreReported) {
  BindSession session;
  EXPECT_THAT(session.error(GetParam().sql), StartsWith(GetParam().error)) << GetParam().sql;
}

INSTANTIATE_TEST_SUITE_P(
    Queries, BindErrors,
    testing::Values(
        Mistake{"CREATE STREAM O AS SELECT ID, NAM FROM S;",
                "unknown_column at 1:31: Line: 1, Col: 31: SELECT column 'NAM' cannot be resolved."},
        Mistake{"CREATE STREAM O AS SELECT ID, X.NAME FROM S;",
                "unknown_source at 1:31: Failed to prepare statement: 'X' is not a valid stream/table name or alias."},
        Mistake{"CREATE STREAM O AS SELECT * FROM NOPE;", "unknown_source at 1:34: NOPE does not exist."},
        Mistake{"CREATE STREAM O AS SELECT ID, NOPE(NAME) FROM S;",
                "unknown_function at 1:31: Can't find any functions with the name 'NOPE'"},
        Mistake{"CREATE STREAM O AS SELECT * FROM S WHERE NAME;",
                "type_mismatch at 1:42: Type error in WHERE expression: Should evaluate to boolean but is NAME "
                "(STRING) instead."},
        Mistake{"CREATE STREAM O AS SELECT * FROM S WHERE ID = 'x';",
                "type_mismatch at 1:42: Error in WHERE expression: Cannot compare ID (INTEGER) to 'x' (STRING) with "
                "EQUAL."},
        Mistake{"CREATE STREAM O AS SELECT * FROM S WHERE ID IN (1, 'x');",
                "type_mismatch at 1:52: Invalid Predicate: invalid input syntax for type INTEGER: \"x\"."},
        Mistake{"CREATE STREAM O AS SELECT NAME FROM S;",
                "invalid_key at 1:20: Key missing from projection (ie, SELECT). See https://cnfl.io/2LV7ouS.\nThe "
                "query used to build "
                "`O` must include the key column ID in its projection (eg, SELECT ID...)."},
        Mistake{"CREATE STREAM O AS SELECT ID FROM S;",
                "invalid_key at 1:20: The projection contains no value columns."},
        Mistake{"CREATE TABLE O AS SELECT NAME, COUNT(*) FROM S GROUP BY ID;",
                "invalid_aggregate at 1:26: Non-aggregate SELECT expression(s) not part of GROUP BY: NAME"},
        Mistake{"CREATE TABLE O AS SELECT NAME, SUM(COUNT(ID)) FROM S GROUP BY NAME;",
                "invalid_aggregate at 1:32: Aggregate functions can not be nested: SUM(COUNT())"},
        Mistake{"CREATE TABLE O AS SELECT NAME, COUNT(*) FROM S GROUP BY NAME EMIT FINAL;",
                "invalid_window at 1:19: EMIT FINAL is only supported for windowed aggregations."},
        Mistake{"CREATE STREAM O AS SELECT NAME, COUNT(*) FROM S GROUP BY NAME;",
                "invalid_statement at 1:15: Invalid result type. Your SELECT query produces a TABLE."},
        Mistake{"CREATE STREAM O AS SELECT S.ID, LABEL FROM S JOIN T ON S.ID = T.LABEL;",
                "invalid_join at 1:46: Invalid join condition: stream-table joins require to join on the table's "
                "primary key. Got "
                "S.ID = T.LABEL."},
        Mistake{"CREATE STREAM O AS SELECT ID FROM S JOIN T ON S.ID = T.ID;",
                "ambiguous_column at 1:27: Exception while preparing statement: Line: 1, Col: 27: Column 'ID' is "
                "ambiguous. Could be "
                "S.ID or T.ID."},
        Mistake{"CREATE TABLE O AS SELECT T.ID, NAME FROM T JOIN S ON S.ID = T.ID;",
                "invalid_join at 1:44: Invalid join order: table-stream joins are not supported; only stream-table "
                "joins. Got T "
                "[INNER] JOIN S."}));

INSTANTIATE_TEST_SUITE_P(
    Definitions, BindErrors,
    testing::Values(
        Mistake{"CREATE STREAM X (A INT) WITH (KAFKA_TOPIC='x', VALUE_FORMAT='FOO', PARTITIONS=1);",
                "invalid_format at 1:31: Unknown format: FOO"},
        Mistake{"CREATE STREAM X (A INT) WITH (KAFKA_TOPIC='x', PARTITIONS=1);",
                "invalid_property at 1:15: Statement is missing the 'VALUE_FORMAT' property from the WITH clause."},
        Mistake{"CREATE STREAM X (K BOOLEAN KEY, A INT) WITH (KAFKA_TOPIC='x', VALUE_FORMAT='JSON', PARTITIONS=1);",
                "invalid_format at 1:46: Key format does not support schema.\nformat: KAFKA\nschema: "
                "Persistence{columns=[`K` BOOLEAN "
                "KEY], features=[]}\nreason: The 'KAFKA' format does not support type 'BOOLEAN'"},
        Mistake{"CREATE TABLE X (A INT) WITH (KAFKA_TOPIC='x', VALUE_FORMAT='JSON', PARTITIONS=1);",
                "invalid_schema at 1:14: Tables require a PRIMARY KEY. Please define the PRIMARY KEY."},
        Mistake{
            "CREATE STREAM X (A INT) WITH (KAFKA_TOPIC='x', VALUE_FORMAT='JSON', TIMESTAMP='B', PARTITIONS=1);",
            "invalid_property at 1:31: The TIMESTAMP column set in the WITH clause does not exist in the schema: 'B'"},
        Mistake{"CREATE STREAM X (A NOPE) WITH (KAFKA_TOPIC='x', VALUE_FORMAT='JSON', PARTITIONS=1);",
                "unknown_type at 1:20: Cannot resolve unknown type or alias: NOPE"},
        Mistake{"CREATE STREAM S (A INT) WITH (KAFKA_TOPIC='x', VALUE_FORMAT='JSON', PARTITIONS=1);",
                "already_exists at 1:15: Cannot add stream 'S': A stream with the same name already exists"},
        Mistake{
            "ALTER STREAM S ADD NAME INT;",
            "invalid_schema at 1:16: Cannot add column `NAME` to schema. A column with the same name already exists."},
        Mistake{"INSERT INTO NOPE VALUES (1);",
                "unknown_source at 1:13: Cannot insert values into an unknown stream/table: `NOPE`"},
        Mistake{"INSERT INTO T (LABEL) VALUES ('x');",
                "invalid_insert at 1:13: Failed to insert values into 'T'. Value for primary key column(s) ID is "
                "required for tables"}));

TEST(Dialect, PlainTablesAreAskedInOne) {
  BindSession session;
  EXPECT_EQ(session.error("SELECT * FROM T;"), "no error");
  session.set("millrace.dialect", "ksql");
  EXPECT_TRUE(session.error("SELECT * FROM T;").starts_with("not_supported at 1:15: The `T` table isn't queryable."));
}

}  // namespace
}  // namespace millrace
