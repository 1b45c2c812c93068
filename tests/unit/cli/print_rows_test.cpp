#include "cli/print_rows.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

std::string shown(const PrintOptions& options, const std::vector<std::string>& columns,
                  const std::vector<const char*>& rows, std::size_t settled_after = SIZE_MAX) {
  RowPrinter printer(options, columns);
  std::string out;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (i == settled_after) out += printer.settle();
    out += printer.row(*harness::parse_json(rows[i]), false);
  }
  return out + printer.settle();
}

TEST(RowPrinter, ColumnsFitTheirContent) {
  EXPECT_EQ(shown({}, {"ORIGIN", "WINDOWSTART", "MEAN"},
                  {R"(["JFK",1360281600000,12.50])", R"(["LaGuardia",5,3.1])", "[null,null,null]"}),
            "+---------+-------------+-----+\n"
            "|ORIGIN   |  WINDOWSTART| MEAN|\n"
            "+---------+-------------+-----+\n"
            "|JFK      |1360281600000|12.50|\n"
            "|LaGuardia|            5|  3.1|\n"
            "|null     |         null| null|\n");
}

TEST(RowPrinter, LongTextIsWrappedOrCutAndNumbersAreNot) {
  PrintOptions options;
  options.width = 30;
  const std::vector<const char*> rows = {R"(["one two three four",1360281600000,"[1, 2]"])"};
  EXPECT_EQ(shown(options, {"A", "B", "C"}, rows),
            "+-------+-------------+------+\n"
            "|A      |            B|C     |\n"
            "+-------+-------------+------+\n"
            "|one two|1360281600000|[1, 2]|\n"
            "|three  |             |      |\n"
            "|four   |             |      |\n");
  options.wrap = false;
  EXPECT_EQ(shown(options, {"A", "B", "C"}, rows),
            "+-------+-------------+------+\n"
            "|A      |            B|C     |\n"
            "+-------+-------------+------+\n"
            "|one tw…|1360281600000|[1, 2]|\n");
}

TEST(RowPrinter, WordsAreNotBrokenWhereTheyHaveRoom) {
  PrintOptions options;
  options.width = 50;
  const std::vector<const char*> rows = {
      R"(["2023-11-14T22:13:20.000","a note of several words that is long","2024-05-01"])"};
  EXPECT_EQ(shown(options, {"AT", "NOTE", "D"}, rows),
            "+-----------------------+-------------+----------+\n"
            "|AT                     |NOTE         |D         |\n"
            "+-----------------------+-------------+----------+\n"
            "|2023-11-14T22:13:20.000|a note of    |2024-05-01|\n"
            "|                       |several words|          |\n"
            "|                       |that is long |          |\n");
  options.width = 30;
  EXPECT_EQ(shown(options, {"AT", "NOTE", "D"}, rows).substr(0, 29), "+--------+--------+--------+\n");
}

TEST(RowPrinter, LaterRowsWidenColumns) {
  EXPECT_EQ(shown({}, {"X", "Y"}, {R"(["a",1])", R"(["longer",12345])"}, 1),
            "+-+-+\n"
            "|X|Y|\n"
            "+-+-+\n"
            "|a|1|\n"
            "|longer|12345|\n");
}

TEST(RowPrinter, AGivenWidthIsKeptForText) {
  PrintOptions options;
  options.column_width = 4;
  EXPECT_EQ(shown(options, {"NAME", "N"}, {R"(["abcdef",123456])"}),
            "+----+------+\n"
            "|NAME|     N|\n"
            "+----+------+\n"
            "|abcd|123456|\n"
            "|ef  |      |\n");
}

TEST(RowPrinter, WideCharactersAndLinesCount) {
  EXPECT_EQ(shown({}, {"T"}, {R"(["日本\nab"])", R"(["é"])"}),
            "+----+\n"
            "|T   |\n"
            "+----+\n"
            "|日本|\n"
            "|ab  |\n"
            "|é   |\n");
}

TEST(RowPrinter, WithoutRowsTheHeaderIsShown) {
  EXPECT_EQ(shown({}, {"NAME"}, {}), "+----+\n|NAME|\n+----+\n");
}

TEST(PrettyJson, KeepsNumbers) {
  EXPECT_EQ(pretty_json(*harness::parse_json(R"({"row":{"columns":[1.50,"a\"",{}]}})")),
            "{\n"
            "  \"row\" : {\n"
            "    \"columns\" : [\n"
            "      1.50,\n"
            "      \"a\\\"\",\n"
            "      {}\n"
            "    ]\n"
            "  }\n"
            "}\n");
}

}  // namespace
}  // namespace millrace
