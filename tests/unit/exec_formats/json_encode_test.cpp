#include "exec/formats/json_text.h"
#include "format_fixture.h"

namespace millrace {
namespace {

using namespace millrace::testing;

std::string text_of(double value) {
  char text[kNumberRoom];
  return {text, write_double(value, text)};
}

TEST(JsonText, DoublesAsJavaPrintsThem) {
  const std::vector<std::pair<double, const char*>> cases = {{0.0, "0.0"},
                                                             {-0.0, "-0.0"},
                                                             {1, "1.0"},
                                                             {-1.5, "-1.5"},
                                                             {100, "100.0"},
                                                             {0.001, "0.001"},
                                                             {0.0009, "9.0E-4"},
                                                             {9999999, "9999999.0"},
                                                             {1e7, "1.0E7"},
                                                             {12345678.9, "1.23456789E7"},
                                                             {0.1 + 0.2, "0.30000000000000004"},
                                                             {1e10, "1.0E10"},
                                                             {5e-324, "4.9E-324"},
                                                             {1.7976931348623157e308, "1.7976931348623157E308"},
                                                             {123.456, "123.456"},
                                                             {0.0123, "0.0123"},
                                                             {907092.908, "907092.908"},
                                                             {2e-3, "0.002"},
                                                             {1e23, "1.0E23"},
                                                             {123456.7891, "123456.7891"},
                                                             {123456.78912, "123456.78912"}};
  for (const auto& [value, text] : cases) {
    EXPECT_EQ(text_of(value), text);
    EXPECT_EQ(text_of(value), double_text(value));
  }
  EXPECT_EQ(text_of(std::numeric_limits<double>::quiet_NaN()), "NaN");
  EXPECT_EQ(text_of(-std::numeric_limits<double>::infinity()), "-Infinity");
  std::uint64_t seed = 1;
  for (int i = 0; i < 100000; ++i) {
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    const double value = (i & 1) != 0 ? std::bit_cast<double>(seed) : static_cast<double>(seed >> 44) * 0.908;
    if (!std::isfinite(value)) continue;
    ASSERT_EQ(std::strtod(text_of(value).c_str(), nullptr), value);
    ASSERT_EQ(text_of(value), double_text(value));
  }
}

TEST(JsonText, Integers) {
  std::vector<std::int64_t> values = {0, std::numeric_limits<std::int64_t>::min(),
                                      std::numeric_limits<std::int64_t>::max()};
  for (std::int64_t power = 1; power < 1'000'000'000'000'000'000; power *= 10)
    for (const std::int64_t delta : {-1, 0, 1})
      values.insert(values.end(), {power + delta, -power + delta, power * 5 + delta});
  for (const std::int64_t value : values) {
    char text[kNumberRoom];
    EXPECT_EQ(std::string(text, write_integer(value, text)), std::to_string(value));
  }
}

TEST(JsonText, Decimals) {
  const auto text_of = [](Int128 unscaled, int scale) {
    char text[kNumberRoom];
    return std::string(text, write_decimal(unscaled, scale, text));
  };
  EXPECT_EQ(text_of(0, 0), "0");
  EXPECT_EQ(text_of(0, 2), "0.00");
  EXPECT_EQ(text_of(-5, 2), "-0.05");
  EXPECT_EQ(text_of(1234, 2), "12.34");
  EXPECT_EQ(text_of(1234, 4), "0.1234");
  Int128 most = 0;
  for (int i = 0; i < 38; ++i) most = most * 10 + 9;
  EXPECT_EQ(text_of(most, 0), std::string(38, '9'));
  EXPECT_EQ(text_of(-most, 38), "-0." + std::string(38, '9'));
  EXPECT_EQ(text_of(Int128{10'000'000'000'000'000'00} * 10, 1), "1000000000000000000.0");
}

TEST(JsonText, Strings) {
  std::string out = "x";
  append_json_string("a\"b\\c\n\t\b\f\r\x01\x1f/\u00e9", out);
  EXPECT_EQ(out, "x\"a\\\"b\\\\c\\n\\t\\b\\f\\r\\u0001\\u001F/\u00e9\"");
  for (std::size_t size = 0; size < 50; ++size) {
    for (std::size_t at = 0; at < size; ++at) {
      std::string text(size, 'x');
      text[at] = '"';
      std::string quoted;
      append_json_string(text, quoted);
      EXPECT_EQ(quoted, "\"" + std::string(at, 'x') + "\\\"" + std::string(size - at - 1, 'x') + "\"");
    }
  }
}

TEST(JsonEncode, EveryType) {
  const std::vector<ColumnDef> columns = {
      column("B", Type::boolean()),
      column("I", Type::integer()),
      column("L", Type::bigint()),
      column("D", Type::double_()),
      column("M", Type::decimal(6, 3)),
      column("S", Type::string()),
      column("Y", Type::bytes()),
      column("T", Type::time()),
      column("DA", Type::date()),
      column("TS", Type::timestamp()),
      column("A", Type::array(Type::double_())),
      column("MP", Type::map(Type::string(), Type::integer())),
      column("ST", Type::structure({{"f\"1", Type::string()}, {"G", Type::array(Type::integer())}}))};
  const std::vector<Value> full = {true,
                                   -1,
                                   std::int64_t{1} << 40,
                                   1e10,
                                   Decimal{-1500, 3},
                                   std::string("q\"\n"),
                                   Bytes{"\x01\x02"},
                                   Time{5},
                                   Date{-7},
                                   Timestamp{1700000000000},
                                   Value::list({1.0, Value(), std::numeric_limits<double>::infinity()}),
                                   Value::map({{Value(std::string("k")), 1}, {Value(std::string("n")), Value()}}),
                                   Value::structure({Value(), Value::list({})})};
  const std::vector<std::string> texts = encode(kJson, columns, {full, std::vector<Value>(columns.size())});
  EXPECT_EQ(
      texts[0],
      R"({"B":true,"I":-1,"L":1099511627776,"D":1.0E10,"M":-1.500,"S":"q\"\n","Y":"AQI=","T":5,"DA":-7,"TS":1700000000000,"A":[1.0,null,"Infinity"],"MP":{"k":1,"n":null},"ST":{"f\"1":null,"G":[]}})");
  EXPECT_EQ(
      texts[1],
      R"({"B":null,"I":null,"L":null,"D":null,"M":null,"S":null,"Y":null,"T":null,"DA":null,"TS":null,"A":null,"MP":null,"ST":null})");
}

TEST(JsonEncode, BareValuesAndKeys) {
  EXPECT_EQ(encode(kJsonBare, {column("C", Type::string())}, {{std::string("x")}, {Value()}}),
            (std::vector<std::string>{"\"x\"", "null"}));
  EXPECT_EQ(encode(kJson, {column("C", Type::string())}, {{std::string("x")}}),
            (std::vector<std::string>{R"({"C":"x"})"}));
  EXPECT_EQ(encode(kJson, {column("C", Type::integer())}, {{7}}, true), (std::vector<std::string>{"7"}));
  EXPECT_EQ(encode(kJson, {column("C", Type::integer()), column("D", Type::integer())}, {{7, Value()}}, true),
            (std::vector<std::string>{R"({"C":7,"D":null})"}));
}

TEST(JsonEncode, LongTextsAndManyRows) {
  const std::vector<ColumnDef> columns = {column("N", Type::bigint()), column("S", Type::string())};
  std::vector<std::vector<Value>> rows;
  for (std::int64_t i = 0; i < 3000; ++i) rows.push_back({i, std::string(static_cast<std::size_t>(i * 7 % 311), 'x')});
  rows.push_back({std::int64_t{1}, std::string(1 << 20, '\x01')});
  const auto texts = encode(kJson, columns, rows);
  for (std::size_t i = 0; i < 3000; ++i)
    ASSERT_EQ(texts[i], "{\"N\":" + std::to_string(i) + ",\"S\":\"" + std::string(i * 7 % 311, 'x') + "\"}");
  EXPECT_EQ(texts.back().size(), (std::size_t{6} << 20) + 14);
}

TEST(EncodeRow, KeysAndValues) {
  const std::vector<ColumnDef> columns = {column("K", Type::bigint())};
  const std::vector<Value> one = {std::int64_t{1}}, none = {Value()};
  EXPECT_EQ(*encode_row(kJson, columns, one, true), "1");
  EXPECT_EQ(*encode_row(kJson, columns, one, false), R"({"K":1})");
  EXPECT_EQ(*encode_row(kKafka, columns, one, true), std::string("\0\0\0\0\0\0\0\1", 8));
  EXPECT_EQ(*encode_row(kJson, columns, none, true), std::nullopt);
  EXPECT_EQ(*encode_row(kJson, columns, none, false), R"({"K":null})");
  EXPECT_EQ(*encode_row({"NONE", ',', true}, {}, {}, true), std::nullopt);
}

// The figures of Kafka's own tests of its Java client.
TEST(Partition, AsJavaClients) {
  EXPECT_EQ(partition_for("21", 1000),
            static_cast<std::int32_t>((static_cast<std::uint32_t>(-973932308) & 0x7fffffff) % 1000));
  EXPECT_EQ(partition_for("foobar", 1000),
            static_cast<std::int32_t>((static_cast<std::uint32_t>(-790332482) & 0x7fffffff) % 1000));
  EXPECT_EQ(partition_for("a-little-bit-long-string", 1000),
            static_cast<std::int32_t>((static_cast<std::uint32_t>(-985981536) & 0x7fffffff) % 1000));
  EXPECT_EQ(partition_for("abc", 1000), 479470107 % 1000);
}

}  // namespace
}  // namespace millrace
