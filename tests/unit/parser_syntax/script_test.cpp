#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "parser/syntax/parse.h"

namespace millrace {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

TEST(Split, KeepsTextAndSemicolons) {
  EXPECT_THAT(split_statements("a; b;\n c"), ElementsAre("a;", "b;", "c"));
  EXPECT_THAT(split_statements("  \n"), IsEmpty());
  EXPECT_THAT(split_statements("a;\n-- done; really\n"), ElementsAre("a;"));
}

TEST(Split, LooksPastQuotesAndComments) {
  EXPECT_THAT(split_statements("a ';' \";\" `;`; b"), ElementsAre("a ';' \";\" `;`;", "b"));
  EXPECT_THAT(split_statements("a 'it''s;'; b"), ElementsAre("a 'it''s;';", "b"));
  EXPECT_THAT(split_statements("a /* ; */ -- ;\n; b"), ElementsAre("a /* ; */ -- ;\n;", "b"));
}

TEST(Split, ReturnsWhatIsOpen) {
  EXPECT_THAT(split_statements("a; b 'x;"), ElementsAre("a;", "b 'x;"));
  EXPECT_THAT(split_statements("a; /* b;"), ElementsAre("a;", "/* b;"));
}

TEST(Variables, AreReplacedByName) {
  const Variables variables = {{"A", "1"}, {"TOPIC", "'x'"}};
  EXPECT_EQ(substitute_variables("SELECT ${a}, ${A} FROM ${Topic};", variables), "SELECT 1, 1 FROM 'x';");
  EXPECT_EQ(substitute_variables("'${a}'", variables), "'1'");
}

TEST(Variables, OtherTextStays) {
  const Variables variables = {{"A", "1"}};
  EXPECT_EQ(substitute_variables("${b} $a {a} ${a ${} ${a-b} $${a} $$ $", variables),
            "${b} $a {a} ${a ${} ${a-b} ${a} $$ $");
}

TEST(Variables, OfAScriptApplyFromTheirStatementOn) {
  EXPECT_EQ(substitute_script("${a};\nDEFINE a = '1'; -- x\n${a};\nUNDEFINE a;${a}; -- end", {}),
            "${a};\nDEFINE a = '1'; -- x\n1;\nUNDEFINE a;${a}; -- end");
  EXPECT_EQ(substitute_script("DEFINE a = '${b}'; ${a}", {{"B", "2"}}), "DEFINE a = '2'; 2");
}

TEST(Variables, AreEscaped) {
  const Variables variables = {{"A", "1"}};
  for (const char* text : {"${a}", "$${a} ${b} $ ${", "'${a}'$$${a}"})
    EXPECT_EQ(substitute_variables(escape_variables(text), variables), text);
}

}  // namespace
}  // namespace millrace
