#include "exec/functions/aggregate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "exec/functions/builtin.h"
#include "exec/functions/table_function.h"

namespace millrace {
namespace {

ColumnPtr column_of(const Type& type, const Value::List& values) {
  ColumnBuilder builder(type);
  for (const Value& value : values) builder.append(value);
  return builder.finish();
}
Value::List ints(std::initializer_list<int> values) {
  Value::List list;
  for (const int v : values) list.emplace_back(std::int32_t{v});
  return list;
}

/// One aggregate with two states, driven the way an operator does.
class Driver {
 public:
  Driver(const char* name, std::size_t variant, std::vector<Type> types, Type result,
         std::vector<Value> constants = {}) {
    AggregateCall call;
    call.function = builtin_functions().find(name);
    call.variant = variant;
    for (Type& type : types) {
      auto expr = std::make_shared<Expr>();
      expr->type = std::move(type);
      expr->node = ColumnExpr{call.arguments.size()};
      call.arguments.push_back(std::move(expr));
    }
    call.constants = std::move(constants);
    call.column.type = std::move(result);
    aggregate_ = make_aggregate(call);
    memory_.resize(256);
    for (std::byte* s : {state(0), state(1)}) aggregate_->init(s);
  }
  ~Driver() {
    for (std::byte* s : {state(0), state(1)}) aggregate_->destroy(s);
  }

  Status add(const std::vector<ColumnPtr>& columns, std::size_t which = 0) { return apply(columns, which, false); }
  Status undo(const std::vector<ColumnPtr>& columns) { return apply(columns, 0, true); }
  void merge() { EXPECT_TRUE(aggregate_->merge(state(0), state(1))); }
  /// The second state into the first, twice.
  void merge_encoded() {
    std::string bytes;
    aggregate_->encode(state(1), bytes);
    const std::string more = bytes + "rest";
    std::string_view encoded[] = {bytes, more};
    std::byte* into[] = {state(0), state(0)};
    EXPECT_TRUE(aggregate_->merge_encoded(into, 0, encoded));
    EXPECT_EQ(encoded[0], "");
    EXPECT_EQ(encoded[1], "rest");
    std::string_view broken[] = {""};
    EXPECT_FALSE(aggregate_->merge_encoded(std::span(into, 1), 0, broken));
  }
  std::size_t heap_bytes() { return aggregate_->heap_bytes(state(0)); }
  Value result() {
    const std::byte* states[] = {state(0)};
    const ColumnPtr direct = aggregate_->result(states, 0);
    // Through the changelog and through a copy the answer is the same.
    std::string bytes;
    aggregate_->encode(state(0), bytes);
    bytes += "rest";
    std::string_view in = bytes;
    std::byte* decoded = memory_.data() + 128;
    EXPECT_TRUE(aggregate_->decode(in, decoded));
    EXPECT_EQ(in, "rest");
    std::byte* copied = memory_.data() + 192;
    aggregate_->copy(decoded, copied);
    EXPECT_EQ(aggregate_->heap_bytes(copied), aggregate_->heap_bytes(decoded));
    aggregate_->destroy(decoded);
    const std::byte* again[] = {copied};
    const Value value = get_value(*direct, 0);
    const double* number = value.get_if<double>();
    if (number == nullptr || !std::isnan(*number)) {
      EXPECT_EQ(get_value(*aggregate_->result(again, 0), 0), value);
    }
    aggregate_->destroy(copied);
    return value;
  }

 private:
  std::byte* state(std::size_t i) { return memory_.data() + i * 64; }
  Status apply(const std::vector<ColumnPtr>& columns, std::size_t which, bool undo) {
    const std::size_t rows = columns.empty() ? 3 : columns[0]->size;
    std::vector<std::byte*> states(rows, state(which));
    std::vector<std::uint32_t> all(rows);
    std::iota(all.begin(), all.end(), 0U);
    return undo ? aggregate_->undo(states, 0, columns, all) : aggregate_->update(states, 0, columns, all);
  }
  std::unique_ptr<Aggregate> aggregate_;
  std::vector<std::byte> memory_;
};

TEST(Aggregates, CountSumAverage) {
  const auto values = column_of(Type::integer(), {std::int32_t{1}, Value(), std::int32_t{5}});
  Driver rows("COUNT", 0, {}, Type::bigint());
  ASSERT_TRUE(rows.add({}));
  EXPECT_EQ(rows.result(), Value(std::int64_t{3}));
  Driver count("COUNT", 1, {Type::integer()}, Type::bigint());
  ASSERT_TRUE(count.add({values}));
  EXPECT_EQ(count.result(), Value(std::int64_t{2}));
  Driver sum("SUM", 3, {Type::integer()}, Type::integer());
  ASSERT_TRUE(sum.add({values}));
  EXPECT_EQ(sum.result(), Value(std::int32_t{6}));
  ASSERT_TRUE(sum.undo({column_of(Type::integer(), ints({5}))}));
  EXPECT_EQ(sum.result(), Value(std::int32_t{1}));
  Driver average("AVG", 0, {Type::integer()}, Type::double_());
  EXPECT_EQ(average.result(), Value(0.0));
  ASSERT_TRUE(average.add({values}));
  EXPECT_EQ(average.result(), Value(3.0));
}

TEST(Aggregates, DecimalSumOverflowIsAUserError) {
  const Type type = Type::decimal(3, 1);
  Driver sum("SUM", 0, {type}, type);
  ASSERT_TRUE(sum.add({column_of(type, {Decimal{500, 1}})}));
  EXPECT_EQ(sum.result(), Value(Decimal{500, 1}));
  const Status status = sum.add({column_of(type, {Decimal{500, 1}})});
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().fault, Fault::user);
}

TEST(Aggregates, Extremes) {
  Driver max("MAX", 0, {Type::integer()}, Type::integer());
  EXPECT_TRUE(max.result().is_null());
  ASSERT_TRUE(max.add({column_of(Type::integer(), ints({-3, -1, -2}))}));
  EXPECT_EQ(max.result(), Value(std::int32_t{-1}));
  Driver min("MIN", 7, {Type::string()}, Type::string());
  ASSERT_TRUE(min.add({column_of(Type::string(), {std::string("b"), Value(), std::string("ab")})}));
  ASSERT_TRUE(min.add({column_of(Type::string(), {std::string("aa")})}, 1));
  EXPECT_EQ(min.result(), Value(std::string("ab")));
  min.merge();
  EXPECT_EQ(min.result(), Value(std::string("aa")));
}

TEST(Aggregates, ExtremesOfDoublesDoNotDependOnTheOrder) {
  const double nan = std::nan("");
  for (const Value::List& values : {Value::List{nan, 2.0, -0.0, 0.0}, Value::List{0.0, -0.0, 2.0, nan}}) {
    Driver max("MAX", 2, {Type::double_()}, Type::double_());
    ASSERT_TRUE(max.add({column_of(Type::double_(), values)}));
    EXPECT_TRUE(std::isnan(max.result().as<double>()));
    Driver min("MIN", 2, {Type::double_()}, Type::double_());
    ASSERT_TRUE(min.add({column_of(Type::double_(), values)}));
    EXPECT_EQ(min.result().as<double>(), 0.0);
    EXPECT_TRUE(std::signbit(min.result().as<double>()));
  }
}

TEST(Aggregates, EncodedStatesMerge) {
  Driver sum("SUM", 3, {Type::integer()}, Type::integer());
  ASSERT_TRUE(sum.add({column_of(Type::integer(), ints({1, 2}))}));
  ASSERT_TRUE(sum.add({column_of(Type::integer(), ints({10}))}, 1));
  sum.merge_encoded();
  EXPECT_EQ(sum.result(), Value(std::int32_t{23}));
  Driver max("MAX", 7, {Type::string()}, Type::string());
  max.merge_encoded();
  EXPECT_TRUE(max.result().is_null());
  ASSERT_TRUE(max.add({column_of(Type::string(), {std::string("b")})}));
  ASSERT_TRUE(max.add({column_of(Type::string(), {std::string("c"), std::string("a")})}, 1));
  max.merge_encoded();
  EXPECT_EQ(max.result(), Value(std::string("c")));
}

TEST(Aggregates, Deviation) {
  Driver variance("STDDEV_SAMP", 0, {Type::integer()}, Type::double_());
  ASSERT_TRUE(variance.add({column_of(Type::integer(), ints({1, 3}))}));
  ASSERT_TRUE(variance.add({column_of(Type::integer(), ints({5, 7}))}, 1));
  variance.merge();
  EXPECT_NEAR(variance.result().as<double>(), 20.0 / 3, 1e-9);
  ASSERT_TRUE(variance.undo({column_of(Type::integer(), ints({7}))}));
  EXPECT_NEAR(variance.result().as<double>(), 4.0, 1e-9);
  Driver correlation("CORRELATION", 0, {Type::integer(), Type::integer()}, Type::double_());
  ASSERT_TRUE(
      correlation.add({column_of(Type::integer(), ints({1, 2, 3})), column_of(Type::integer(), ints({2, 4, 6}))}));
  EXPECT_NEAR(correlation.result().as<double>(), 1.0, 1e-9);
}

TEST(Aggregates, ByOffset) {
  const auto values = column_of(Type::integer(), {std::int32_t{1}, std::int32_t{2}, Value()});
  const Type list = Type::array(Type::integer());
  Driver latest("LATEST_BY_OFFSET", 0, {Type::integer()}, Type::integer());
  ASSERT_TRUE(latest.add({values}));
  EXPECT_EQ(latest.result(), Value(std::int32_t{2}));
  Driver nulls("LATEST_BY_OFFSET", 1, {Type::integer()}, Type::integer(), {false});
  ASSERT_TRUE(nulls.add({values}));
  EXPECT_TRUE(nulls.result().is_null());
  Driver two("LATEST_BY_OFFSET", 2, {Type::integer()}, list, {std::int32_t{2}});
  ASSERT_TRUE(two.add({column_of(Type::integer(), ints({1, 2, 3}))}));
  EXPECT_EQ(two.result(), Value::list(ints({2, 3})));
  Driver first("EARLIEST_BY_OFFSET", 0, {Type::string()}, Type::string());
  ASSERT_TRUE(first.add({column_of(Type::string(), {Value(), std::string("x"), std::string("y")})}));
  EXPECT_EQ(first.result(), Value(std::string("x")));
}

TEST(Aggregates, TextsByOffset) {
  const auto text = [](std::size_t size, char letter) { return Value(std::string(size, letter)); };
  const auto texts = [&](const Value::List& values) { return std::vector{column_of(Type::string(), values)}; };
  for (const bool keep_nulls : {false, true}) {
    std::vector<Value> constants;
    if (keep_nulls) constants.emplace_back(false);
    Driver latest("LATEST_BY_OFFSET", keep_nulls ? 1 : 0, {Type::string()}, Type::string(), constants);
    EXPECT_TRUE(latest.result().is_null());
    for (const auto& value : {text(3, 'a'), text(4000, 'b'), text(0, ' '), text(900, 'c')}) {
      ASSERT_TRUE(latest.add(texts({text(1, 'x'), value})));
      EXPECT_EQ(latest.result(), value);
    }
    ASSERT_TRUE(latest.add(texts({Value()})));
    EXPECT_EQ(latest.result(), keep_nulls ? Value() : text(900, 'c'));
    ASSERT_TRUE(latest.add(texts({text(5, 'd')}), 1));
    latest.merge();
    EXPECT_EQ(latest.result(), text(5, 'd'));
    ASSERT_TRUE(latest.add(texts({text(6, 'e')}), 1));
    latest.merge_encoded();
    EXPECT_EQ(latest.result(), text(6, 'e'));
  }
  Driver earliest("EARLIEST_BY_OFFSET", 0, {Type::string()}, Type::string());
  ASSERT_TRUE(earliest.add(texts({text(2, 'b')}), 1));
  ASSERT_TRUE(earliest.add(texts({text(2, 'a')})));
  earliest.merge_encoded();
  EXPECT_EQ(earliest.result(), text(2, 'b'));
}

TEST(Aggregates, Collections) {
  const Type list = Type::array(Type::integer());
  Driver all("COLLECT_LIST", 0, {Type::integer()}, list);
  ASSERT_TRUE(all.add({column_of(Type::integer(), {std::int32_t{1}, Value(), std::int32_t{1}})}));
  EXPECT_EQ(all.result(), Value::list({std::int32_t{1}, Value(), std::int32_t{1}}));
  ASSERT_TRUE(all.undo({column_of(Type::integer(), ints({1}))}));
  EXPECT_EQ(all.result(), Value::list({Value(), std::int32_t{1}}));
  Driver set("COLLECT_SET", 0, {Type::integer()}, list);
  ASSERT_TRUE(set.add({column_of(Type::integer(), ints({1, 2, 1}))}));
  EXPECT_EQ(set.result(), Value::list(ints({1, 2})));
  Driver histogram("HISTOGRAM", 0, {Type::string()}, Type::map(Type::string(), Type::bigint()));
  ASSERT_TRUE(histogram.add({column_of(Type::string(), {std::string("a"), std::string("b"), std::string("a")})}));
  EXPECT_EQ(histogram.result(), Value::map({{std::string("a"), std::int64_t{2}}, {std::string("b"), std::int64_t{1}}}));
  Driver attribute("ATTR", 0, {Type::integer()}, Type::integer());
  ASSERT_TRUE(attribute.add({column_of(Type::integer(), ints({4, 4}))}));
  EXPECT_EQ(attribute.result(), Value(std::int32_t{4}));
  ASSERT_TRUE(attribute.add({column_of(Type::integer(), ints({5}))}));
  EXPECT_TRUE(attribute.result().is_null());
  Driver distinct("COUNT_DISTINCT", 0, {Type::bigint()}, Type::bigint());
  Value::List many;
  for (std::int64_t i = 0; i < 40000; ++i) many.emplace_back(i % 20000);
  ASSERT_TRUE(distinct.add({column_of(Type::bigint(), many)}));
  EXPECT_NEAR(static_cast<double>(distinct.result().as<std::int64_t>()), 20000, 600);
  for (const int count : {7, 8, 9, 33, 1024}) {
    Driver exact("COUNT_DISTINCT", 0, {Type::string()}, Type::bigint());
    Value::List texts;
    for (int i = 0; i < 3 * count; ++i) texts.emplace_back("text number " + std::to_string(i % count));
    ASSERT_TRUE(exact.add({column_of(Type::string(), texts)}));
    EXPECT_EQ(exact.result(), Value(std::int64_t{count}));
  }
}

/// What was counted apart counts together as if one state had seen it all, whichever side has given up exactness.
TEST(Aggregates, TellWhatTheyHold) {
  constexpr std::size_t kTexts = 100, kLength = 1000;
  Value::List texts, keys;
  for (std::size_t i = 0; i < kTexts; ++i) {
    texts.emplace_back(std::to_string(1000 + i) + std::string(kLength, 'x'));
    keys.emplace_back(static_cast<std::int32_t>(i));
  }
  const auto column = column_of(Type::string(), texts);
  for (const char* name : {"COLLECT_LIST", "COLLECT_SET", "HISTOGRAM"}) {
    Driver all(name, 0, {Type::string()}, Type::array(Type::string()));
    EXPECT_EQ(all.heap_bytes(), 0U);
    ASSERT_TRUE(all.add({column}));
    EXPECT_GE(all.heap_bytes(), kTexts * kLength) << name;
    EXPECT_LT(all.heap_bytes(), 3 * kTexts * kLength) << name;
  }
  for (const char* name : {"LATEST_BY_OFFSET", "MAX"}) {
    Driver one(name, name[0] == 'M' ? 7 : 0, {Type::string()}, Type::string());
    ASSERT_TRUE(one.add({column}));
    EXPECT_GE(one.heap_bytes(), kLength) << name;
    EXPECT_LT(one.heap_bytes(), 2 * kLength) << name;
  }
  Driver sum("SUM", 3, {Type::integer()}, Type::integer());
  ASSERT_TRUE(sum.add({column_of(Type::integer(), keys)}));
  EXPECT_EQ(sum.heap_bytes(), 0U);
}

TEST(Aggregates, DistinctPartsAreTheWhole) {
  const auto numbers = [](int from, int to) {
    Value::List list;
    for (std::int64_t i = from; i < to; ++i) list.emplace_back(i * 7919);
    return column_of(Type::bigint(), list);
  };
  constexpr int kSizes[] = {0, 3, 1000, 1024, 1025, 5000};
  for (const int first : kSizes) {
    for (const int second : kSizes) {
      Driver parts("COUNT_DISTINCT", 0, {Type::bigint()}, Type::bigint());
      Driver encoded("COUNT_DISTINCT", 0, {Type::bigint()}, Type::bigint());
      Driver whole("COUNT_DISTINCT", 0, {Type::bigint()}, Type::bigint());
      const ColumnPtr left = numbers(0, first), right = numbers(first / 2, first / 2 + second);
      for (Driver* driver : {&parts, &encoded}) {
        ASSERT_TRUE(driver->add({left}));
        ASSERT_TRUE(driver->add({right}, 1));
      }
      parts.merge();
      encoded.merge_encoded();
      ASSERT_TRUE(whole.add({left}));
      ASSERT_TRUE(whole.add({right}));
      EXPECT_EQ(parts.result(), whole.result()) << first << " and " << second;
      EXPECT_EQ(encoded.result(), whole.result()) << first << " and " << second;
    }
  }
}

TEST(Aggregates, Top) {
  const Type list = Type::array(Type::integer());
  Driver top("TOPK", 0, {Type::integer()}, list, {std::int32_t{2}});
  ASSERT_TRUE(top.add({column_of(Type::integer(), ints({1, 3, 2, 3}))}));
  EXPECT_EQ(top.result(), Value::list(ints({3, 3})));
  Driver distinct("TOPKDISTINCT", 0, {Type::integer()}, list, {std::int32_t{2}});
  ASSERT_TRUE(distinct.add({column_of(Type::integer(), ints({3, 3, 2, 1}))}));
  EXPECT_EQ(distinct.result(), Value::list(ints({3, 2})));
}

TEST(TableFunctions, ExplodeAndCube) {
  const Type list = Type::array(Type::integer());
  const auto lists = column_of(list, {Value::list(ints({1, 2})), Value()});
  const auto run = [&](const char* name, Type type) {
    TableCall call{builtin_functions().find(name), 0, {}, {}};
    call.column.type = std::move(type);
    RowErrors errors;
    const ColumnPtr arguments[] = {lists};
    return make_table_function(call)->apply(arguments, 2, errors);
  };
  const ColumnPtr rows = run("EXPLODE", Type::integer());
  EXPECT_EQ(get_value(*rows, 0), Value::list(ints({1, 2})));
  EXPECT_EQ(get_value(*rows, 1), Value::list({}));
  const ColumnPtr cube = run("CUBE_EXPLODE", list);
  const Value n;
  EXPECT_EQ(get_value(*cube, 0), Value::list({Value::list({n, n}), Value::list({n, std::int32_t{2}}),
                                              Value::list({std::int32_t{1}, n}), Value::list(ints({1, 2}))}));
}

}  // namespace
}  // namespace millrace
