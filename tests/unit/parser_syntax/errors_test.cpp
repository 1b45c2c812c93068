#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "parser/syntax/parse.h"

namespace millrace {
namespace {

using testing::HasSubstr;

struct ErrorCase {
  const char* text;
  Code code;
  std::uint32_t line, column;
  const char* message;  // without "line l:c: Syntax Error\n" when the code is syntax
};

void PrintTo(const ErrorCase& tried, std::ostream* out) {
  *out << tried.text;
}

SqlError error_of(const std::string& text) {
  try {
    parse(text, Dialect::ksql);
  } catch (const SqlError& error) {
    return error;
  }
  ADD_FAILURE() << "no error: " << text;
  return {Code::external, {}, ""};
}

class Errors : public testing::TestWithParam<ErrorCase> {};

TEST_P(Errors, SayWhatIsWrongAndWhere) {
  const ErrorCase& expected = GetParam();
  const SqlError error = error_of(expected.text);
  EXPECT_EQ(error.code(), expected.code);
  EXPECT_EQ(error.span().line, expected.line);
  EXPECT_EQ(error.span().column, expected.column);
  EXPECT_THAT(error.what(), HasSubstr(expected.message));
  EXPECT_FALSE(error.statement().empty());
}

const ErrorCase kSyntax[] = {
    {"SELEC * FROM x;", Code::syntax, 1, 1,
     "line 1:1: Syntax Error\nUnknown statement 'SELEC'\nDid you mean 'SELECT'?"},
    {"SHOW TABLES; crate stream x;", Code::syntax, 1, 14, "Unknown statement 'crate'\nDid you mean 'CREATE'?"},
    {"SHOW STREAMS", Code::syntax, 1, 13, "line 1:13: Syntax Error\nmissing ';' at '<EOF>'"},
    {"SELECT a FROM x WHERE (b = 1", Code::syntax, 1, 29, "Syntax error at or near \";\"\n'}', ']', or ')' is missing"},
    {"SELECT a, size FROM x;", Code::syntax, 1, 11,
     "\"size\" is a reserved keyword and it can't be used as an identifier. You can use it as an identifier by "
     "escaping "
     "it as 'size' "},
    {"CREATE STREAM s (table INT);", Code::syntax, 1, 18, "\"table\" is a reserved keyword"},
    {"SELECT *\nFRM x;", Code::syntax, 2, 1, "line 2:1: Syntax Error\nExpecting {',', 'FROM'}"},
    {"CREATE STREAM s (a INT (KEY));", Code::syntax, 1, 25, "Expecting {'STRING', INTEGER_VALUE}"},
    {"ASSERT VALUES s VALUES (1);", Code::syntax, 1, 8, "Syntax error at or near 'VALUES' at line 1:8"},
    {"SELECT a FROM s GROUP BY a, (b, c);", Code::syntax, 1, 31, "missing ')' at ','"},
    {"SELECT a FROM s GROUP BY a AND b;", Code::syntax, 1, 28, "Syntax Error"},
    {"SELECT a FROM s WHERE a IN ();", Code::syntax, 1, 29, "Syntax Error"},
    {"SELECT 'ü', ' FROM s;", Code::syntax, 1, 13, "Syntax Error"},
    {"SELECT a + b->* FROM s;", Code::syntax, 1, 13, "at or near '->'"},
    {"DESCRIBE EXTENDED s;", Code::syntax, 1, 10, "Syntax Error"},
    {"CREATE SOURCE STREAM s AS SELECT * FROM x;", Code::syntax, 1, 24, "SOURCE"},
    {"SELECT `` FROM s;", Code::syntax, 1, 8, "empty"},
    {"DEFINE `a-b` = 'x';", Code::syntax, 1, 8, "Illegal argument at line 1:8."},
};
INSTANTIATE_TEST_SUITE_P(Syntax, Errors, testing::ValuesIn(kSyntax));

const ErrorCase kMeaning[] = {
    {"SELECT 9223372036854775808 FROM s;", Code::invalid_literal, 1, 8,
     "line 1:8: Syntax Error\nInvalid numeric literal: 9223372036854775808"},
    {"SELECT -9223372036854775809 FROM s;", Code::invalid_literal, 1, 8,
     "line 1:8: Syntax Error\nInvalid numeric literal: -9223372036854775809"},
    {"SELECT -1.7976931348623160E308 FROM s;", Code::invalid_literal, 1, 8,
     "line 1:8: Syntax Error\nNumber overflows DOUBLE: -1.7976931348623160E308"},
    {"SELECT a LIKE 'x' ESCAPE 'ab' FROM s;", Code::invalid_literal, 1, 26, "ESCAPE"},
    {"SELECT * FROM s LIMIT 2.5;", Code::invalid_statement, 1, 23,
     "Failed to prepare statement: Value must be integer for command: LIMIT"},
    {"INSERT INTO s (a, b) VALUES (1);", Code::invalid_insert, 1, 29,
     "Failed to prepare statement: Expected number columns and values to match: 2, 1"},
    {"CREATE TABLE t (id INT KEY);", Code::invalid_key, 1, 17,
     "Line: 1, Col: 17: Column `ID` is a 'KEY' column: please use 'PRIMARY KEY' for tables.\nTables have PRIMARY KEYs"},
    {"CREATE STREAM s (id INT PRIMARY KEY);", Code::invalid_key, 1, 18,
     "Column `ID` is a 'PRIMARY KEY' column: please use 'KEY' for streams."},
    {"SELECT * FROM a JOIN b WITHIN 9223372036854775807 DAYS ON a.x = b.x;", Code::invalid_literal, 1, 31,
     "Duration too long"},
};
INSTANTIATE_TEST_SUITE_P(Meaning, Errors, testing::ValuesIn(kMeaning));

TEST(ErrorDetails, BytesThatAreNotTextAreRefused) {
  const SqlError error = error_of("SELECT 'ü\xff' FROM s;");
  EXPECT_EQ(error.span().column, 10U);
  EXPECT_THAT(error.what(), HasSubstr("UTF-8"));
}

TEST(ErrorDetails, NameTheStatementAtFault) {
  const SqlError error = error_of("SHOW TABLES;\n  SELECT FROM x;\nSHOW STREAMS;");
  EXPECT_EQ(error.statement(), "SELECT FROM x;");
  EXPECT_EQ(error.error_class(), ErrorClass::parse);
}

TEST(ErrorDetails, HintsHelp) {
  EXPECT_EQ(error_of("SELECT * FRM x;").hint(), "did you mean FROM?");
  EXPECT_EQ(error_of("SELEC * FROM x;").hint(), "");  // the message says it
  EXPECT_THAT(error_of("SELECT * FROM x ORDER BY y;").hint(), HasSubstr("ORDER BY"));
  EXPECT_THAT(error_of("SELECT * FROM (SELECT * FROM x);").hint(), HasSubstr("sub-queries"));
  EXPECT_THAT(error_of("SELECT 'x FROM y;").hint(), HasSubstr("not closed"));
  EXPECT_THAT(error_of("SELECT a, SIZE FROM x;").hint(), HasSubstr("`SIZE`"));
}

std::string repeated(const std::string& piece, int times) {
  std::string text;
  for (int i = 0; i < times; ++i) text += piece;
  return text;
}

TEST(ErrorDetails, DeepNestingIsRefusedNotFatal) {
  for (const char* piece : {"(", "f(", "a[", "NOT ", "- ", "CASE WHEN ", "f(x => ", "CAST(", "ARRAY["}) {
    EXPECT_EQ(error_of("SELECT " + repeated(piece, 20000) + " FROM x;").code(), Code::syntax) << piece;
  }
  EXPECT_EQ(error_of("CREATE STREAM s (a " + repeated("ARRAY<", 20000) + "INT);").code(), Code::syntax);
  EXPECT_EQ(error_of(repeated("EXPLAIN ", 20000) + ";").code(), Code::syntax);
  EXPECT_EQ(error_of("SELECT a" + repeated(" + 1", 20000) + " FROM x;").code(), Code::syntax);
  EXPECT_EQ(error_of("SELECT a" + repeated("->b", 20000) + " FROM x;").code(), Code::syntax);
  EXPECT_NO_THROW(parse("SELECT " + repeated("(", 100) + "1" + repeated(")", 100) + " FROM x;"));
  EXPECT_NO_THROW(parse("SELECT a FROM x WHERE a = 0" + repeated(" OR a = 1", 300) + ";"));
}

}  // namespace
}  // namespace millrace
