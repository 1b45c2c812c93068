#include "planner/types/value.h"

#include <gtest/gtest.h>

#include <cmath>

#include "planner/types/decimal.h"
#include "planner/types/parse_text.h"

namespace millrace {
namespace {

TEST(ValueText, DoublesAsJavaPrintsThem) {
  EXPECT_EQ(double_text(1.0), "1.0");
  EXPECT_EQ(double_text(0.001), "0.001");
  EXPECT_EQ(double_text(0.00012), "1.2E-4");
  EXPECT_EQ(double_text(1234567.0), "1234567.0");
  EXPECT_EQ(double_text(1e7), "1.0E7");
  EXPECT_EQ(double_text(123456789.125), "1.23456789125E8");
  EXPECT_EQ(double_text(4.9e-324), "4.9E-324");
  EXPECT_EQ(double_text(-0.0), "-0.0");
  EXPECT_EQ(double_text(2e23), "2.0E23");
  EXPECT_EQ(double_text(100.0), "100.0");
  EXPECT_EQ(double_text(0.05), "0.05");
  EXPECT_EQ(double_text(12.34), "12.34");
  EXPECT_EQ(double_text(std::nan("")), "NaN");
}

TEST(ValueText, Scalars) {
  EXPECT_EQ(decimal_text({-1250, 2}), "-12.50");
  EXPECT_EQ(decimal_text({5, 3}), "0.005");
  EXPECT_EQ(decimal_text({0, 0}), "0");
  EXPECT_EQ(date_text({18262}), "2020-01-01");
  EXPECT_EQ(date_text({-1}), "1969-12-31");
  EXPECT_EQ(time_text({0}), "00:00");
  EXPECT_EQ(time_text({3'661'500}), "01:01:01");
  EXPECT_EQ(timestamp_text({-1}), "1969-12-31T23:59:59.999");
  const Type type = Type::structure({{"F0", Type::integer()}, {"F1", Type::string()}});
  EXPECT_EQ(to_text(Value::structure({std::int32_t{1}, {}}), type), "Struct{F0=1}");
  EXPECT_EQ(to_json(Value::structure({std::int32_t{1}, std::string("a\"b")}), type), R"({"F0":1,"F1":"a\"b"})");
  EXPECT_EQ(to_text(Value::list({std::int32_t{1}, {}}), Type::array(Type::integer())), "[1, null]");
}

TEST(ValueText, Base64) {
  for (const std::string_view text : {"", "a", "ab", "abc", "abcd"}) {
    std::string back;
    ASSERT_TRUE(base64_decode(base64_encode(text), back));
    EXPECT_EQ(back, text);
  }
  std::string back;
  EXPECT_FALSE(base64_decode("a!==", back));
}

TEST(Value, Order) {
  EXPECT_TRUE(compare(Value(std::string("\xF0\x9F\x98\x80")), Value(std::string("\xEF\xBF\xBD"))) < 0);
  EXPECT_TRUE(compare(Value(Bytes{"\x80"}), Value(Bytes{"\x7f"})) > 0);
  EXPECT_TRUE(compare(Value(Decimal{10, 1}), Value(Decimal{100, 2})) == 0);
}

TEST(Decimal, Exactness) {
  EXPECT_EQ(decimal_divide({1, 0}, {3, 0}, 10), std::nullopt);
  EXPECT_EQ(decimal_divide({1, 0}, {8, 0}, 10), (Decimal{125, 3}));
  EXPECT_EQ(decimal_divide({100, 0}, {4, 0}, 6), (Decimal{25, 0}));
  EXPECT_EQ(decimal_divide({1, 0}, {5, 3}, 6), (Decimal{200, 0}));
  EXPECT_EQ(rescale(125, 2, 1, Rounding::half_up), 13);
  EXPECT_EQ(rescale(-125, 2, 1, Rounding::half_up), -13);
  EXPECT_EQ(rescale(-125, 2, 1, Rounding::half_towards_positive), -12);
  EXPECT_EQ(rescale(125, 2, 1, Rounding::exact), std::nullopt);
  EXPECT_EQ(rescale(-121, 2, 1, Rounding::floor), -13);
  EXPECT_EQ(parse_decimal("1e3"), (Decimal{1000, 0}));
  EXPECT_EQ(parse_decimal("-04.90"), (Decimal{-490, 2}));
  EXPECT_EQ(parse_decimal("1.2.3"), std::nullopt);
  EXPECT_EQ(double_to_decimal(0.1, Type::decimal(5, 2)), 10);
  EXPECT_EQ(decimal_compare({1, 0}, {11, 1}), std::strong_ordering::less);
  EXPECT_EQ(decimal_compare({-5, 0}, {11, 1}), std::strong_ordering::less);
}

TEST(ParseText, Temporal) {
  EXPECT_EQ(parse_date("2020-01"), (Date{18262}));
  EXPECT_EQ(parse_date("2021-02-29"), std::nullopt);
  EXPECT_EQ(parse_time("13:05"), (Time{47'100'000}));
  EXPECT_EQ(parse_time("13"), std::nullopt);
  EXPECT_EQ(parse_timestamp("1970-01-01T01:00+01:00"), (Timestamp{0}));
  EXPECT_EQ(parse_timestamp("1970"), (Timestamp{0}));
  EXPECT_EQ(parse_timestamp("1970-01-01T00:00:00.5Z"), (Timestamp{500}));
  EXPECT_EQ(parse_timestamp("2020-02-23T22:45:12.000-0100"), (Timestamp{1582501512000}));
}

TEST(ParseText, Numbers) {
  EXPECT_EQ(parse_int(" 12 "), 12);
  EXPECT_EQ(parse_int("12.0"), std::nullopt);
  EXPECT_EQ(parse_bigint("+9"), 9);
  EXPECT_EQ(parse_double("1e3"), 1000.0);
  EXPECT_EQ(parse_double("NaN"), std::nullopt);
  EXPECT_TRUE(parse_boolean_loosely("Ye"));
  EXPECT_FALSE(parse_boolean_loosely(""));
}

}  // namespace
}  // namespace millrace
