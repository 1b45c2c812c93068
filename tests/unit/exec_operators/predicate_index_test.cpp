#include "exec/operators/predicate_index.h"

#include <gtest/gtest.h>

#include <limits>
#include <random>

#include "tests/unit/exec_operators/harness.h"

namespace millrace::test {
namespace {

constexpr CompareOp kOps[] = {CompareOp::equal,   CompareOp::less,      CompareOp::less_equal,
                              CompareOp::greater, CompareOp::not_equal, CompareOp::greater_equal};

SourceNode source(const Type& type) {
  SourceNode node;
  node.topic = "in";
  node.declared.columns = {key("k", Type::bigint()), value("unread", Type::string()), value("v", type)};
  node.read = {0, 2};
  return node;
}

ExprPtr compared(CompareOp op, ExprPtr left, ExprPtr right) {
  return std::make_shared<const Expr>(
      Expr{Type::boolean(), CompareExpr{op, std::move(left), std::move(right)}, {}, {}});
}

/// Of both columns that are read; the values come from `pool`, or are NULL.
Batch random_batch(const Type& type, const std::vector<Value>& pool, std::size_t rows, std::mt19937& random) {
  ColumnBuilder keys(Type::bigint()), values(type);
  for (std::size_t row = 0; row < rows; ++row) {
    keys.append(static_cast<std::int64_t>(row));
    const std::size_t pick = random() % (pool.size() + 1);
    values.append(pick < pool.size() ? pool[pick] : Value());
  }
  Batch batch;
  batch.rows = rows;
  batch.columns = {keys.finish(), values.finish()};
  batch.timestamps = std::make_shared<std::vector<std::int64_t>>(rows, 0);
  return batch;
}

struct Filter {
  Evaluator alone;
  std::unique_ptr<PredicateIndex::Member> indexed;
};

void expect_same(const Type& type, const std::vector<Value>& constants, const std::vector<Value>& pool) {
  std::mt19937 random(7);
  PredicateIndexes indexes;
  std::vector<Filter> filters;
  for (const Value& constant : constants)
    for (const CompareOp op : kOps) {
      const ExprPtr left = make_column(1, type, "v"), right = make_literal(constant, type);
      for (const ExprPtr& predicate : {compared(op, left, right), compared(op, right, left)})
        filters.push_back({Evaluator(predicate), indexes.add(source(type), predicate)});
    }
  std::size_t answered = 0;
  for (int round = 0; round < 40; ++round) {
    const Batch batch = random_batch(type, pool, round % 4 == 0 ? 1 : 1 + random() % 300, random);
    const std::vector<ColumnPtr> others = batch.columns;
    for (Filter& filter : filters) {
      if (!filter.indexed) continue;
      std::vector<std::uint32_t> selected{99}, expected;
      RowErrors errors;
      filter.alone.select(batch, errors, expected);
      ASSERT_TRUE(filter.indexed->select(batch, selected));
      ASSERT_EQ(selected, expected);
      ++answered;
    }
    // Some go, and the others do not notice.
    if (round % 10 == 9) filters[random() % filters.size()].indexed.reset();
  }
  EXPECT_GT(answered, 0U);
}

TEST(PredicateIndex, SaysWhatEachComparisonSays) {
  const auto big = [](std::int64_t v) { return Value(v); };
  const auto word = [](const char* v) { return Value(std::string(v)); };
  const std::int64_t least = std::numeric_limits<std::int64_t>::min(), most = std::numeric_limits<std::int64_t>::max();
  expect_same(Type::bigint(), {big(3), big(-3), big(0), big(most), big(least), big(17)},
              {big(3), big(-3), big(0), big(4), big(-4), big(most), big(least), big(16), big(most - 1)});
  expect_same(Type::double_(), {Value(0.0), Value(-1.5), Value(2.5), Value(1e300), Value(-0.0)},
              {Value(0.0), Value(-0.0), Value(-1.5), Value(2.5), Value(1e301), Value(std::nan("")),
               Value(std::numeric_limits<double>::infinity())});
  expect_same(Type::string(), {word("a"), word("b"), word(""), word("\U0001F600"), word("\uFF5A")},
              {word("a"), word("aa"), word(""), word("c"), word("\U0001F600"), word("\uFF5A"), word("b")});
}

TEST(PredicateIndex, LeavesRareAndUnsharedOnesAlone) {
  std::mt19937 random(7);
  const Value three(std::int64_t{3});
  Batch batch = random_batch(Type::bigint(), {three}, 10, random);
  std::vector<ColumnPtr> others = batch.columns;
  PredicateIndexes indexes;
  std::vector<std::unique_ptr<PredicateIndex::Member>> members;
  std::vector<std::uint32_t> selected;
  for (std::int64_t bound = 0; bound < 3; ++bound)
    members.push_back(indexes.add(
        source(Type::bigint()),
        compared(CompareOp::equal, make_column(1, Type::bigint(), "v"), make_literal(bound, Type::bigint()))));
  EXPECT_FALSE(members.front()->select(batch, selected)) << "three constants";
  members.push_back(indexes.add(source(Type::bigint()), compared(CompareOp::equal, make_column(1, Type::bigint(), "v"),
                                                                 make_literal(three, Type::bigint()))));
  EXPECT_TRUE(members.front()->select(batch, selected));
  others.clear();
  EXPECT_FALSE(members.front()->select(batch, selected)) << "nobody else has the columns";
}

TEST(PredicateIndex, LeavesFailuresToEachOfThem) {
  std::mt19937 random(7);
  const Value zero(std::int64_t{0}), three(std::int64_t{3});
  const auto quotient = std::make_shared<const Expr>(Expr{
      Type::bigint(),
      ArithmeticExpr{ArithmeticOp::divide, make_literal(three, Type::bigint()), make_column(1, Type::bigint(), "v")},
      {},
      {}});
  PredicateIndexes indexes;
  std::vector<std::unique_ptr<PredicateIndex::Member>> members;
  for (std::int64_t bound = 0; bound < 5; ++bound)
    members.push_back(
        indexes.add(source(Type::bigint()), compared(CompareOp::equal, quotient, make_literal(bound, Type::bigint()))));
  std::vector<std::uint32_t> selected;
  const Batch sound = random_batch(Type::bigint(), {three}, 1, random),
              bad = random_batch(Type::bigint(), {zero}, 9, random);
  const auto others = {sound.columns, bad.columns};
  EXPECT_FALSE(members.front()->select(bad, selected));
  EXPECT_EQ(others.size(), 2U);
}

TEST(PredicateIndex, TakesTheFirstOfAnAnd) {
  PredicateIndexes indexes;
  const ExprPtr v = make_column(1, Type::bigint(), "v");
  const ExprPtr equal_one = compared(CompareOp::equal, v, make_literal(std::int64_t{1}, Type::bigint()));
  const ExprPtr two_columns = compared(CompareOp::equal, v, make_column(0, Type::bigint(), "k"));
  const auto both = [](bool is_and, ExprPtr left, ExprPtr right) {
    return std::make_shared<const Expr>(
        Expr{Type::boolean(), LogicalExpr{is_and, std::move(left), std::move(right)}, {}, {}});
  };
  const SourceNode in = source(Type::bigint());
  EXPECT_EQ(indexes.add(in, equal_one)->rest(), nullptr);
  EXPECT_NE(indexes.add(in, both(true, equal_one, two_columns))->rest(), nullptr);
  EXPECT_EQ(indexes.add(in, both(true, two_columns, equal_one)), nullptr);
  EXPECT_EQ(indexes.add(in, both(false, equal_one, two_columns)), nullptr);
}

}  // namespace
}  // namespace millrace::test
