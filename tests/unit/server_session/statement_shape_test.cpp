#include "server/session/statement_shape.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

using Kind = LiteralToken::Kind;

TEST(StatementShape, LiftsTheLiteralsOfTheCondition) {
  StatementShape shape;
  const std::string_view text = "SELECT 1, 'x' FROM t WHERE a = -5 AND b IN ('it''s', 3000000000) AND c < 1.50e3;  ";
  ASSERT_TRUE(read_shape(text, shape));
  ASSERT_EQ(shape.literals.size(), 4);
  EXPECT_EQ(shape.literals[0].characters, "5");
  EXPECT_EQ(shape.literals[1].characters, "'it''s'");
  EXPECT_EQ(shape.literals[2].kind, Kind::bigint);
  EXPECT_EQ(shape.literals[3].kind, Kind::real);
  EXPECT_NE(shape.key.find("SELECT 1, 'x' FROM"), std::string::npos) << "literals elsewhere stay";
  const std::string key = shape.key;
  ASSERT_TRUE(read_shape("SELECT  1, 'x' FROM t WHERE a = -7 AND b IN ('', 9999999999) AND c < 2E-9;", shape));
  EXPECT_EQ(shape.key, key);
  ASSERT_TRUE(read_shape("SELECT 1, 'x' FROM t WHERE a = -7 AND b IN ('', 1) AND c < 2E-9;", shape));
  EXPECT_NE(shape.key, key) << "another type";
}

TEST(StatementShape, LeavesDoubtfulTextsToTheParser) {
  StatementShape shape;
  for (const std::string_view text : {
           "INSERT INTO t VALUES (1);",
           "SELECT * FROM t;",
           "SELECT * FROM t WHERE a = 1 -- comment",
           "SELECT * FROM t WHERE a = /* 2 */ 1;",
           "SELECT * FROM t WHERE a = 1; SELECT * FROM t WHERE a = 2;",
           "SELECT * FROM t WHERE a = 1x;",
           "SELECT * FROM t WHERE a = 1.2.3;",
           "SELECT * FROM t WHERE a = 2147483648;",
           "SELECT * FROM t WHERE a = 9223372036854775808;",
           "SELECT * FROM t WHERE a = 'open",
           "SELECT * FROM t WHERE a\xc2\xa0= 1;",
           "SELECT * FROM t WHERE a = '\xff';",
           "SELECT * FROM t WHERE a = ?0;",
       })
    EXPECT_FALSE(read_shape(text, shape)) << text;
}

TEST(StatementShape, KeepsQuotedNamesAndLimits) {
  StatementShape shape;
  ASSERT_TRUE(read_shape("SELECT \"a'1\" FROM `t\"` WHERE x1 = 1 LIMIT 10;", shape));
  EXPECT_EQ(shape.literals.size(), 1);
  EXPECT_NE(shape.key.find("LIMIT 10"), std::string::npos);
}

}  // namespace
}  // namespace millrace
