#include <gtest/gtest.h>

#include "parser/error/sql_error.h"

namespace millrace {
namespace {

TEST(Render, DrawsACaretRunUnderTheSpan) {
  const SqlError error =
      SqlError(Code::unknown_column, {1, 12, 11, 15}, "column not found: pirce").hint("did you mean price?");
  EXPECT_EQ(render_error(error, "SELECT id, pirce\nFROM s;"),
            "error[unknown_column] at 1:12: column not found: pirce\n"
            "  SELECT id, pirce\n"
            "             ^^^^\n"
            "  hint: did you mean price?");
}

TEST(Render, CountsCharactersAndKeepsTabs) {
  const SqlError error(Code::syntax, {2, 6, 7, 8}, "no");
  EXPECT_EQ(render_error(error, "a\n\t'ü'x"), "error[syntax] at 2:6: no\n  \t'ü'x\n  \t   ^");
}

TEST(Render, CutsASpanAtTheEndOfItsLine) {
  const SqlError error(Code::syntax, {1, 3, 2, 9}, "no");
  EXPECT_EQ(render_error(error, "a bcd\nefgh"), "error[syntax] at 1:3: no\n  a bcd\n    ^^^");
}

TEST(Render, AnErrorWithoutAPlaceHasNoDrawing) {
  EXPECT_EQ(render_error(SqlError(Code::external, {}, "no"), "text"), "error[external]: no");
  EXPECT_EQ(render_error(SqlError(Code::syntax, {9, 9, 99, 100}, "no"), "text"), "error[syntax]: no");
}

TEST(Render, AnErrorAtTheEndPointsPastTheText) {
  EXPECT_EQ(render_error(SqlError(Code::syntax, {1, 5, 4, 4}, "no"), "text"),
            "error[syntax] at 1:5: no\n  text\n      ^");
}

TEST(Render, ShowsOfALongLineWhatIsAroundThePlace) {
  const std::string text = "SELECT " + std::string(100, 'a') + ", bü, " + std::string(100, 'c') + " FROM s;";
  const SqlError error(Code::syntax, {1, 110, 109, 112}, "no");
  EXPECT_EQ(render_error(error, text, 30),
            "error[syntax] at 1:110: no\n"
            "  …aaaaaa, bü, cccccccccccccc…\n"
            "           ^^");
  EXPECT_EQ(render_error({Code::syntax, {1, 1, 0, 6}, "no"}, text, 30),
            "error[syntax] at 1:1: no\n"
            "  SELECT aaaaaaaaaaaaaaaaaaa…\n"
            "  ^^^^^^");
  EXPECT_EQ(render_error({Code::syntax, {1, 222, 222, 222}, "no"}, text, 30),
            "error[syntax] at 1:222: no\n"
            "  …cccccccccccccccccc FROM s;\n"
            "                             ^");
}

TEST(Codes, HaveNames) {
  EXPECT_EQ(code_name(Code::syntax), "syntax");
  EXPECT_EQ(code_name(Code::external), "external");
  EXPECT_EQ(code_name(Code::read_only), "read_only");
}

}  // namespace
}  // namespace millrace
