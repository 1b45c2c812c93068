#include <gtest/gtest.h>

#include "parser/syntax/parse.h"

namespace millrace {
namespace {

std::string_view covered(std::string_view text, const Span& span) {
  return text.substr(span.begin, span.end - span.begin);
}

TEST(Spans, CoverWhatWasWritten) {
  const std::string text = "SHOW TABLES;\n  SELECT a + b x, LEN('ü') FROM s t\n JOIN u ON t.a = u.a;";
  const auto statements = parse(text);
  const ast::Query& query = *statements[1]->as<ast::Select>()->query;
  EXPECT_EQ(statements[1]->span.line, 2U);
  EXPECT_EQ(statements[1]->span.column, 3U);
  EXPECT_EQ(covered(text, statements[1]->span), statements[1]->text);
  const auto& first = std::get<ast::SelectExpr>(query.items[0]);
  EXPECT_EQ(covered(text, first.span), "a + b x");
  EXPECT_EQ(covered(text, first.expr->span), "a + b");
  EXPECT_EQ(covered(text, first.alias->span), "x");
  const auto& join = query.from.joins[0];
  EXPECT_EQ(covered(text, join.on->as<ast::Comparison>()->right->span), "u.a");
  EXPECT_EQ(join.on->span.line, 3U);
  EXPECT_EQ(join.on->span.column, 12U);
}

TEST(Spans, CountColumnsInCharactersAndOffsetsInBytes) {
  const std::string text = "SELECT 'üß€', b FROM s;";
  const auto statement = parse_statement(text);
  const auto& item = std::get<ast::SelectExpr>(statement->as<ast::Select>()->query->items[1]);
  EXPECT_EQ(item.span.column, 15U);
  EXPECT_EQ(covered(text, item.span), "b");
}

TEST(Spans, OfAColumnDefinitionBeginAtItsName) {
  const std::string text = "CREATE STREAM s (a INT, b DECIMAL(4, 2) KEY);";
  const auto statement = parse_statement(text);
  const auto& column = statement->as<ast::CreateSource>()->columns[1];
  EXPECT_EQ(covered(text, column.span), "b DECIMAL(4, 2) KEY");
  EXPECT_EQ(covered(text, column.type.span), "DECIMAL(4, 2)");
}

}  // namespace
}  // namespace millrace
