#include "format_fixture.h"

namespace millrace {
namespace {

using namespace millrace::testing;

const std::vector<ColumnDef> kScalars = {column("B", Type::boolean()),     column("I", Type::integer()),
                                         column("L", Type::bigint()),      column("D", Type::double_()),
                                         column("M", Type::decimal(5, 2)), column("S", Type::string()),
                                         column("Y", Type::bytes()),       column("T", Type::time()),
                                         column("DA", Type::date()),       column("TS", Type::timestamp())};

std::optional<std::string> read_text(const std::string& line, const std::string& delimiter = ",") {
  const FormatInfo format{"DELIMITED", delimiter[0], true};
  const Decoded out = decode(format, {column("A", Type::string()), column("B", Type::string())}, {line});
  if (out.bad.test(0)) return std::nullopt;
  std::string text;
  for (std::size_t i = 0; i < 2; ++i) {
    const Value value = out.at(i);
    text += value.is_null() ? "NULL" : "<" + value.as<std::string>() + ">";
  }
  return text;
}

TEST(Delimited, ReadsEveryType) {
  const Decoded out = decode(
      kDelimited, kScalars,
      {"TRUE,-1,1099511627776,1.5E3,12.50,some text,AQI=,5,-7,1700000000000", ",,,,,,,,,", "yes,1,1,1,1,x,,1,1,1"});
  const std::vector<Value> expected = {
      true,    -1,       std::int64_t{1} << 40,   1500.0, Decimal{1250, 2}, std::string("some text"), Bytes{"\x01\x02"},
      Time{5}, Date{-7}, Timestamp{1700000000000}};
  for (std::size_t i = 0; i < expected.size(); ++i) {
    EXPECT_EQ(out.at(i, 0), expected[i]) << i;
    EXPECT_TRUE(out.at(i, 1).is_null()) << i;
  }
  EXPECT_EQ(out.at(0, 2), Value(false));
  EXPECT_EQ(out.errors.count, 0U);
}

TEST(Delimited, Quotes) {
  EXPECT_EQ(read_text("a,b"), "<a><b>");
  EXPECT_EQ(read_text("\"a,\"\"x\n\",b"), "<a,\"x\n><b>");
  EXPECT_EQ(read_text(" a ,\"b\"  "), "< a ><b>");
  EXPECT_EQ(read_text("a\"b,c"), "<a\"b><c>");
  EXPECT_EQ(read_text("\"\",b"), "NULL<b>");
  EXPECT_EQ(read_text("a,"), "<a>NULL");
  EXPECT_EQ(read_text("a,b\r\nsecond,record,ignored"), "<a><b>");
  EXPECT_EQ(read_text("\n\na,b"), "<a><b>");
  EXPECT_EQ(read_text("a|b,c", "|"), "<a><b,c>");
  EXPECT_EQ(read_text("a longer field of text,and one more that is longer"),
            "<a longer field of text><and one more that is longer>");
  for (const char* line : {"", "\n", "a", "a,b,c", "\"a,b", "\"a\"x,b"})
    EXPECT_EQ(read_text(line), std::nullopt) << line;
}

TEST(Delimited, BadNumbers) {
  for (const char* line : {"x", "1.0", " 1", "2147483648", "1,2"})
    EXPECT_TRUE(decode(kDelimited, {column("I", Type::integer())}, {line}).bad.test(0)) << line;
  EXPECT_TRUE(decode(kDelimited, {column("M", Type::decimal(3, 1))}, {"1.25"}).bad.test(0));
  EXPECT_TRUE(decode(kDelimited, {column("T", Type::time())}, {"86400000"}).bad.test(0));
  EXPECT_EQ(decode(kDelimited, {column("I", Type::integer())}, {"x"}).errors.entries[0].message,
            "I: 'x' cannot be read as INTEGER");
}

TEST(Delimited, OnlyWantedColumns) {
  const auto decoder = make_decoder(kDelimited, kScalars, {2, 5}, false);
  const Decoded out = decode_all(*decoder, {"bad,bad,7,bad,bad,text,bad,bad,bad,bad", "1,2"});
  EXPECT_EQ(out.at(0), Value(std::int64_t{7}));
  EXPECT_EQ(out.at(1), Value(std::string("text")));
  EXPECT_TRUE(out.bad.test(1));
}

TEST(Delimited, Writes) {
  const auto line = [](std::vector<Value> row, const std::vector<ColumnDef>& columns) {
    return encode(kDelimited, columns, {row})[0];
  };
  EXPECT_EQ(line({true, -1, std::int64_t{5}, 1e10, Decimal{50, 2}, std::string("x"), Bytes{"\x01"}, Time{5}, Date{7},
                  Timestamp{9}},
                 kScalars),
            "true,-1,5,1.0E10,0.50,x,AQ==,5,7,9");
  EXPECT_EQ(line(std::vector<Value>(10), kScalars), ",,,,,,,,,");
  const std::vector<ColumnDef> one = {column("I", Type::integer())},
                               text = {column("A", Type::string()), column("B", Type::string())};
  EXPECT_EQ(line({-5}, one), "\"-5\"");
  EXPECT_EQ(line({Value()}, one), "");
  EXPECT_EQ(encode({"DELIMITED", '-', true}, {one[0], one[0]}, {{5, -5}})[0], "5-\"-5\"");
  EXPECT_EQ(encode({"DELIMITED", '1', true}, {one[0], one[0]}, {{10, 25}})[0], "\"10\"125");
  const std::vector<std::pair<std::pair<std::string, std::string>, std::string>> cases = {
      {{"", ""}, "\"\","},
      {{"a", " b"}, "a,\" b\""},
      {{"a", "#b"}, "a,\"#b\""},
      {{"a", "$b"}, "a,$b"},
      {{"$a", "b"}, "\"$a\",b"},
      {{"a", "b "}, "a,\"b \""},
      {{"a,b", "c\"d"}, "\"a,b\",\"c\"\"d\""},
      {{"a\nb", "-1"}, "\"a\nb\",-1"},
      {{"\u00e9", "\u00e9"}, "\"\u00e9\",\u00e9"}};
  for (const auto& [fields, expected] : cases) EXPECT_EQ(line({fields.first, fields.second}, text), expected);
}

}  // namespace
}  // namespace millrace
