#include "exec/expr/evaluator.h"

#include <gtest/gtest.h>

#include "build_expr.h"

namespace millrace {
namespace {

using namespace test;

std::vector<Value> run(const ExprPtr& expr, const Batch& batch, RowErrors& errors) {
  Evaluator evaluator(expr);
  const ColumnPtr column = evaluator.evaluate(batch, errors);
  EXPECT_EQ(column->size, batch.rows);
  std::vector<Value> values;
  for (std::size_t i = 0; i < column->size; ++i) values.push_back(get_value(*column, i));
  return values;
}
std::vector<Value> run(const ExprPtr& expr, const Batch& batch) {
  RowErrors errors;
  return run(expr, batch, errors);
}
Value big(std::int64_t value) {
  return value;
}

Batch numbers() {
  return batch({{Type::bigint(), {big(10), Value(), big(-7), big(0)}},
                {Type::string(), {std::string("a"), Value(), std::string("b\nc"), std::string("12")}}});
}

TEST(Evaluator, ArithmeticWithNullFailsTheRowOnce) {
  const auto sum = arithmetic(ArithmeticOp::add, column(0, Type::bigint()), bigint(5));
  const auto twice = arithmetic(ArithmeticOp::multiply, sum, sum);
  RowErrors errors;
  EXPECT_EQ(run(twice, numbers(), errors), (std::vector<Value>{big(225), Value(), big(4), big(25)}));
  EXPECT_EQ(errors.count, 1U);
  EXPECT_EQ(errors.entries[0].row, 1U);
}

TEST(Evaluator, DivisionByZeroFails) {
  RowErrors errors;
  const auto quotient = arithmetic(ArithmeticOp::divide, bigint(100), column(0, Type::bigint()));
  EXPECT_EQ(run(quotient, numbers(), errors), (std::vector<Value>{big(10), Value(), big(-14), Value()}));
  EXPECT_EQ(errors.count, 2U);
}

TEST(Evaluator, ModuloByConstant) {
  const auto rest = arithmetic(ArithmeticOp::modulo, column(0, Type::bigint()), bigint(123));
  std::vector<Value> in;
  for (std::int64_t v : {std::int64_t{0}, std::int64_t{122}, std::int64_t{123}, std::int64_t{-124}, INT64_MAX,
                         INT64_MIN, std::int64_t{1} << 62})
    in.emplace_back(v);
  const auto out = run(rest, batch({{Type::bigint(), in}}));
  for (std::size_t i = 0; i < in.size(); ++i) EXPECT_EQ(out[i].as<std::int64_t>(), in[i].as<std::int64_t>() % 123);
}

TEST(Evaluator, ParametersAreReadWheneverItIsEvaluated) {
  ParameterRow values;
  const auto parameter = expr(Type::bigint(), ParameterExpr{1});
  Evaluator less(comparison(CompareOp::less, column(0, Type::bigint()), parameter), &values);
  // Also where only some rows are evaluated.
  Evaluator chosen(logical(true, comparison(CompareOp::not_equal, column(0, Type::bigint()), bigint(0)),
                           comparison(CompareOp::less, column(0, Type::bigint()), parameter)),
                   &values);
  Evaluator alone(parameter, &values);
  for (const std::int64_t limit : {std::int64_t{-7}, std::int64_t{1}, std::int64_t{11}}) {
    values.values = {nullptr, make_constant_column(big(limit), Type::bigint(), 1)};
    RowErrors errors;
    std::vector<std::uint32_t> selected, expected;
    less.select(numbers(), errors, selected);
    if (limit > 10) expected.push_back(0);
    if (limit > -7) expected.push_back(2);
    if (limit > 0) expected.push_back(3);
    EXPECT_EQ(selected, expected) << limit;
    chosen.select(numbers(), errors, selected);
    std::erase(expected, 3U);
    EXPECT_EQ(selected, expected) << limit;
    const ColumnPtr column = alone.evaluate(numbers(), errors);
    ASSERT_EQ(column->size, 4U);
    EXPECT_EQ(get_value(*column, 3), big(limit));
  }
}

TEST(Evaluator, RightSideOfAndIsNotEvaluatedWhereNotNeeded) {
  const auto safe = comparison(CompareOp::not_equal, column(0, Type::bigint()), bigint(0));
  const auto risky = comparison(CompareOp::greater,
                                arithmetic(ArithmeticOp::divide, bigint(100), column(0, Type::bigint())), bigint(0));
  RowErrors errors;
  EXPECT_EQ(run(logical(true, safe, risky), numbers(), errors), (std::vector<Value>{true, false, false, false}));
  EXPECT_EQ(errors.count, 0U);
  std::vector<std::uint32_t> selected;
  Evaluator evaluator(logical(true, safe, risky));
  evaluator.select(numbers(), errors, selected);
  EXPECT_EQ(selected, std::vector<std::uint32_t>{0});
}

TEST(Evaluator, FailuresReachTheRootThroughComparisons) {
  RowErrors errors;
  const auto compared =
      comparison(CompareOp::equal, arithmetic(ArithmeticOp::add, column(0, Type::bigint()), bigint(1)), bigint(11));
  EXPECT_EQ(run(compared, numbers(), errors), (std::vector<Value>{true, Value(), false, false}));
  EXPECT_EQ(errors.count, 1U);
}

TEST(Evaluator, CaseIsLazy) {
  RowErrors errors;
  const auto zero = comparison(CompareOp::equal, column(0, Type::bigint()), bigint(0));
  const auto null = expr(Type::boolean(), IsNullExpr{column(0, Type::bigint()), false});
  const auto choice =
      expr(Type::bigint(), CaseExpr{{{zero, bigint(-1)}, {null, literal({}, Type::null())}},
                                    arithmetic(ArithmeticOp::divide, bigint(100), column(0, Type::bigint()))});
  EXPECT_EQ(run(choice, numbers(), errors), (std::vector<Value>{big(10), Value(), big(-14), big(-1)}));
  EXPECT_EQ(errors.count, 0U);
}

TEST(Evaluator, LikeMatchesWholeTextWithoutLineBreaks) {
  const auto like = [](const char* pattern) {
    return expr(Type::boolean(), LikeExpr{column(0, Type::string()), text(pattern), '!', false});
  };
  const Batch in =
      batch({{Type::string(), {std::string("abc"), std::string("ab\nc"), std::string("a%c"), std::string("")}}});
  EXPECT_EQ(run(like("a%"), in), (std::vector<Value>{true, false, true, false}));
  EXPECT_EQ(run(like("%c"), in), (std::vector<Value>{true, false, true, false}));
  EXPECT_EQ(run(like("a_c"), in), (std::vector<Value>{true, false, true, false}));
  EXPECT_EQ(run(like("a!%c"), in), (std::vector<Value>{false, false, true, false}));
  EXPECT_EQ(run(like("%"), in), (std::vector<Value>{true, false, true, true}));
  EXPECT_EQ(run(like("%b%c%"), in), (std::vector<Value>{true, false, false, false}));
}

TEST(Evaluator, CastsAndConstants) {
  RowErrors errors;
  EXPECT_EQ(run(cast(column(1, Type::string()), Type::bigint()), numbers(), errors),
            (std::vector<Value>{Value(), Value(), Value(), big(12)}));
  EXPECT_EQ(errors.count, 2U);
  EXPECT_EQ(evaluate_constant(*cast(text("1.005"), Type::decimal(4, 2))), Value(Decimal{101, 2}));
  EXPECT_TRUE(evaluate_constant(*cast(text("x"), Type::integer())).is_null());
  EXPECT_EQ(evaluate_constant(*cast(integer(3), Type::string())), Value(std::string("3")));
}

TEST(Evaluator, ElementsOfConstructorsFailAlone) {
  RowErrors errors;
  const auto risky = arithmetic(ArithmeticOp::divide, bigint(100), column(0, Type::bigint()));
  const auto array = expr(Type::array(Type::bigint()), ArrayExpr{{risky, bigint(1)}});
  const auto out = run(array, numbers(), errors);
  EXPECT_EQ(out[0], Value::list({big(10), big(1)}));
  EXPECT_EQ(out[3], Value::list({Value(), big(1)}));
  EXPECT_EQ(errors.count, 2U);
  const auto last = expr(Type::bigint(), SubscriptExpr{array, integer(-2)});
  EXPECT_EQ(run(last, numbers())[2], big(-14));
}

TEST(Evaluator, InWithManyConstants) {
  InExpr many{column(0, Type::bigint()), {literal({}, Type::bigint())}, true};
  for (std::int64_t i = -20; i < 0; ++i) many.items.push_back(bigint(i));
  EXPECT_EQ(run(expr(Type::boolean(), many), numbers()), (std::vector<Value>{true, true, false, true}));
}

TEST(Evaluator, InNeverMatchesNull) {
  const auto in =
      expr(Type::boolean(), InExpr{column(0, Type::bigint()), {bigint(10), literal({}, Type::bigint())}, false});
  EXPECT_EQ(run(in, numbers()), (std::vector<Value>{true, false, false, false}));
}

}  // namespace
}  // namespace millrace
