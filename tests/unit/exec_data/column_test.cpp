#include "exec/data/column.h"

#include <gtest/gtest.h>

#include "exec/data/batch.h"

namespace millrace {
namespace {

Type nested_type() {
  return Type::structure({{"A", Type::array(Type::string())}, {"M", Type::map(Type::string(), Type::decimal(4, 2))}});
}
Value nested_value(int i) {
  if (i % 5 == 0) return {};
  Value::List items;
  for (int k = 0; k < i % 4; ++k) items.push_back(k == 1 ? Value() : Value("item" + std::to_string(i + k)));
  Value map = i % 3 == 0 ? Value() : Value::map({{std::string("k"), Decimal{i, 2}}});
  return Value::structure({Value::list(std::move(items)), map});
}

TEST(Column, BuilderRoundTripsNestedValues) {
  ColumnBuilder builder(nested_type());
  for (int i = 0; i < 200; ++i) builder.append(nested_value(i));
  const auto column = builder.finish();
  ASSERT_EQ(column->size, 200U);
  for (int i = 0; i < 200; ++i) EXPECT_EQ(get_value(*column, static_cast<std::size_t>(i)), nested_value(i)) << i;
}

TEST(Column, GatherAndInterleaveAgreeWithBoxes) {
  ColumnBuilder builder(nested_type());
  for (int i = 0; i < 64; ++i) builder.append(nested_value(i));
  const auto column = builder.finish();
  const std::vector<std::uint32_t> rows{63, 0, 5, 5, 17, 1};
  const auto gathered = gather(*column, rows);
  for (std::size_t i = 0; i < rows.size(); ++i)
    EXPECT_EQ(get_value(*gathered, i), nested_value(static_cast<int>(rows[i])));

  const Column* const sources[] = {column.get(), gathered.get()};
  const std::vector<Pick> picks{{0, 2}, {Pick::kNull, 0}, {1, 0}, {1, 4}};
  const auto mixed = interleave(column->type, sources, picks);
  EXPECT_EQ(get_value(*mixed, 0), nested_value(2));
  EXPECT_TRUE(get_value(*mixed, 1).is_null());
  EXPECT_EQ(get_value(*mixed, 2), nested_value(63));
  EXPECT_EQ(get_value(*mixed, 3), nested_value(17));
}

TEST(Column, ConstantsOfEveryKind) {
  const std::vector<std::pair<Value, Type>> all{{true, Type::boolean()},
                                                {std::int32_t{7}, Type::integer()},
                                                {std::int64_t{8}, Type::bigint()},
                                                {1.5, Type::double_()},
                                                {Decimal{125, 2}, Type::decimal(5, 2)},
                                                {std::string("x"), Type::string()},
                                                {Bytes{"ab"}, Type::bytes()},
                                                {Time{5}, Type::time()},
                                                {Date{3}, Type::date()},
                                                {Timestamp{9}, Type::timestamp()},
                                                {nested_value(7), nested_type()},
                                                {Value(), Type::array(Type::bigint())}};
  for (const auto& [value, type] : all) {
    const auto column = make_constant_column(value, type, 3);
    for (std::size_t row = 0; row < 3; ++row) EXPECT_EQ(get_value(*column, row), value) << type.to_string();
  }
}

TEST(Bitmap, CountsAndGrows) {
  Bitmap bits;
  EXPECT_FALSE(bits.test(5));
  bits.set(100, 130);
  bits.set(3, 130);
  EXPECT_TRUE(bits.test(100));
  EXPECT_EQ(bits.count(130), 2U);
  EXPECT_EQ(bits.count(100), 1U);
  bits.reset(100);
  EXPECT_EQ(bits.count(130), 1U);
}

TEST(Batch, GatherTakesEverything) {
  Batch batch;
  batch.rows = 3;
  batch.columns = {make_constant_column(std::int64_t{4}, Type::bigint(), 3)};
  batch.timestamps = std::make_shared<const std::vector<std::int64_t>>(std::vector<std::int64_t>{10, 20, 30});
  batch.kinds = {RowKind::insert, RowKind::remove, RowKind::update_after};
  batch.null_keys.set(1, 3);
  const std::vector<std::uint32_t> rows{2, 1};
  const Batch taken = gather(batch, rows);
  EXPECT_EQ(taken.rows, 2U);
  EXPECT_EQ(*taken.timestamps, (std::vector<std::int64_t>{30, 20}));
  EXPECT_EQ(taken.kinds[1], RowKind::remove);
  EXPECT_TRUE(taken.null_keys.test(1));
  EXPECT_FALSE(taken.null_keys.test(0));
}

}  // namespace
}  // namespace millrace
