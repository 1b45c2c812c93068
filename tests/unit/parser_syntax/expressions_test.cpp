#include <gtest/gtest.h>

#include "parser/ast/format.h"
#include "parser/syntax/parse.h"

namespace millrace {
namespace {

struct ExpressionCase {
  const char* text;
  const char* formatted;
};
void PrintTo(const ExpressionCase& tried, std::ostream* out) {
  *out << tried.text;
}

class Expressions : public testing::TestWithParam<ExpressionCase> {};

TEST_P(Expressions, AreReadAndPrinted) {
  const ast::ExprPtr expression = parse_expression(GetParam().text);
  EXPECT_EQ(ast::format(*expression), GetParam().formatted);
  EXPECT_TRUE(ast::equal(*expression, *parse_expression(GetParam().formatted)));
}

const ExpressionCase kPrecedence[] = {
    {"a + b * c", "(A + (B * C))"},
    {"a - b - c", "((A - B) - C)"},
    {"a || b + c", "((A || B) + C)"},
    {"-a * b", "(-A * B)"},
    {"NOT a AND b OR c", "(((NOT A) AND B) OR C)"},
    {"NOT a = b", "(NOT (A = B))"},
    {"a OR b AND c", "(A OR (B AND C))"},
    {"a + 1 BETWEEN b AND c AND d", "(((A + 1) BETWEEN B AND C) AND D)"},
    {"a->b[1]->c", "A->B[1]->C"},
    {"-a->b", "-A->B"},
    {"a NOT IN (1, 2)", "(A NOT IN (1, 2))"},
    {"a NOT LIKE 'x!%' ESCAPE '!'", "(A NOT LIKE 'x!%' ESCAPE '!')"},
    {"a IS NOT DISTINCT FROM b", "(A IS NOT DISTINCT FROM B)"},
    {"a != b AND a <> b", "((A != B) AND (A <> B))"},
    {"a AT TIME ZONE 'UTC'", "(A AT TIME ZONE 'UTC')"},
    {"case when a then 1 else 2 end", "(CASE WHEN A THEN 1 ELSE 2 END)"},
    {"case a when 1 then 2 end", "(CASE A WHEN 1 THEN 2 END)"},
    {"cast(a as varchar)", "CAST(A AS STRING)"},
};
INSTANTIATE_TEST_SUITE_P(Precedence, Expressions, testing::ValuesIn(kPrecedence));

const ExpressionCase kCalls[] = {
    {"dateadd(days, 1, d)", "DATEADD(DAYS, 1, D)"},
    {"f(`DAYS`, day + 1)", "F(`DAYS`, (DAY + 1))"},
    {"f(date, timestamp)", "F(DATE, TIMESTAMP)"},
    {"filter(a, x => x > 1)", "FILTER(A, X => (X > 1))"},
    {"reduce(m, 0, (s, k, v) => s + v)", "REDUCE(M, 0, (S, K, V) => (S + V))"},
    {"array[]", "ARRAY[]"},
    {"map()", "MAP()"},
    {"map('a' := 1)['a']", "MAP('a':=1)['a']"},
    {"struct(a := 1)->a", "STRUCT(A:=1)->A"},
    {"`ARRAY`[1]", "`ARRAY`[1]"},
    {"replace(a, if(b))", "REPLACE(A, IF(B))"},
};
INSTANTIATE_TEST_SUITE_P(Calls, Expressions, testing::ValuesIn(kCalls));

const ExpressionCase kLiterals[] = {
    {"-5", "-5"},       {"- 5", "-5"},          {"-(5)", "-(5)"}, {"- -5", "-(-5)"}, {"1 - -1", "(1 - -1)"},
    {"1-1", "(1 - 1)"}, {"+3", "+3"},           {"000012", "12"}, {"1.20", "1.20"},  {".5", ".5"},
    {"1E3", "1E3"},     {"'it''s'", "'it''s'"}, {"null", "null"}, {"TRUE", "true"},  {"\"a\"\"b\"", "`a\"b`"},
    {"1r", "`1R`"},     {"s.`x y`", "S.`x y`"},
};
INSTANTIATE_TEST_SUITE_P(Literals, Expressions, testing::ValuesIn(kLiterals));

template <class T>
const T& literal(const char* text, ast::ExprPtr& keep) {
  keep = parse_expression(text);
  return std::get<T>(keep->node);
}

TEST(Literals, AreTypedByTheirForm) {
  ast::ExprPtr keep;
  EXPECT_EQ(literal<ast::IntegerLiteral>("2147483647", keep).value, 2147483647);
  EXPECT_EQ(literal<ast::IntegerLiteral>("-2147483648", keep).value, -2147483648LL);
  EXPECT_EQ(literal<ast::BigintLiteral>("2147483648", keep).value, 2147483648LL);
  EXPECT_EQ(literal<ast::BigintLiteral>("-9223372036854775808", keep).value, INT64_MIN);
  EXPECT_EQ(literal<ast::DecimalLiteral>("-04.90", keep).text, "-04.90");
  EXPECT_EQ(literal<ast::DoubleLiteral>("1.5E-3", keep).value, 1.5e-3);
  EXPECT_EQ(literal<ast::DoubleLiteral>("1E-400", keep).value, 0);
  EXPECT_GT(literal<ast::DoubleLiteral>("04.90E-324", keep).value, 0);
}

TEST(Names, AreUpperCasedUnlessQuoted) {
  ast::ExprPtr keep;
  EXPECT_EQ(literal<ast::ColumnRef>("Foo", keep).name.text, "FOO");
  EXPECT_EQ(literal<ast::ColumnRef>("`Foo`", keep).name.text, "Foo");
  EXPECT_EQ(literal<ast::ColumnRef>("\"Foo\"", keep).name.text, "Foo");
  EXPECT_EQ(literal<ast::ColumnRef>("a@b", keep).name.text, "A@B");
}

TEST(Names, MayBeKeywordsThatAreFree) {
  for (const std::string& word : keywords()) {
    const auto& reserved = reserved_words();
    if (std::find(reserved.begin(), reserved.end(), word) != reserved.end()) continue;
    EXPECT_NO_THROW(parse("SELECT " + word + ", t." + word + " AS " + word + " FROM " + word + " " + word + " WHERE " +
                          word + " = 1 GROUP BY " + word + " EMIT CHANGES;"))
        << word;
    EXPECT_NO_THROW(parse("CREATE STREAM " + word + " (" + word + " " + word + " KEY);")) << word;
  }
}

}  // namespace
}  // namespace millrace
