#include "format_fixture.h"

namespace millrace {
namespace {

using namespace millrace::testing;

/// The value that `text` gives for a column of `type`; absent: the row is bad.
std::optional<Value> read(const Type& type, const std::string& text) {
  const Decoded out = decode(kJson, {column("C", type)}, {"{\"C\":" + text + "}"});
  EXPECT_EQ(out.bad.test(0), out.errors.count == 1);
  if (out.bad.test(0)) {
    EXPECT_TRUE(out.at(0).is_null());
    return std::nullopt;
  }
  return out.at(0);
}

Int128 big(const std::string& digits) {
  Int128 value = 0;
  for (const char c : digits) value = value * 10 + (c - '0');
  return value;
}

TEST(JsonDecode, Boolean) {
  EXPECT_EQ(read(Type::boolean(), "true"), Value(true));
  EXPECT_EQ(read(Type::boolean(), "false"), Value(false));
  EXPECT_EQ(read(Type::boolean(), "null"), Value());
  for (const char* text : {"1", "\"true\"", "{}", "tru", "truex", "[]"})
    EXPECT_EQ(read(Type::boolean(), text), std::nullopt) << text;
}

TEST(JsonDecode, Integer) {
  EXPECT_EQ(read(Type::integer(), "0"), Value(0));
  EXPECT_EQ(read(Type::integer(), "-12"), Value(-12));
  EXPECT_EQ(read(Type::integer(), "10.9"), Value(10));
  EXPECT_EQ(read(Type::integer(), "-10.9"), Value(-10));
  EXPECT_EQ(read(Type::integer(), "2147483648"), Value(std::int32_t(-2147483648LL)));
  EXPECT_EQ(read(Type::integer(), "1.5e1"), Value(15));
  EXPECT_EQ(read(Type::integer(), "\"-42\""), Value(-42));
  for (const char* text :
       {"\"2147483648\"", "\" 1\"", "\"1.0\"", "\"\"", "true", "01", "-", "1.", "1e", "+1", "--1", "-a", "{}", "[1]"})
    EXPECT_EQ(read(Type::integer(), text), std::nullopt) << text;
}

TEST(JsonDecode, Bigint) {
  EXPECT_EQ(read(Type::bigint(), "9223372036854775807"), Value(std::int64_t{9223372036854775807LL}));
  EXPECT_EQ(read(Type::bigint(), "-9223372036854775808"), Value(std::numeric_limits<std::int64_t>::min()));
  EXPECT_EQ(read(Type::bigint(), "9223372036854775808"), Value(std::numeric_limits<std::int64_t>::min()));
  EXPECT_EQ(read(Type::bigint(), "1e400"), Value(std::int64_t{0}));
  EXPECT_EQ(read(Type::bigint(), "123e-1"), Value(std::int64_t{12}));
  EXPECT_EQ(read(Type::bigint(), "1e-999999999999"), Value(std::int64_t{0}));
  EXPECT_EQ(read(Type::bigint(), "\"9223372036854775807\""), Value(std::int64_t{9223372036854775807LL}));
  EXPECT_EQ(read(Type::bigint(), "\"9223372036854775808\""), std::nullopt);
  // All lengths, also where fewer than eight bytes follow.
  std::int64_t expected = 0;
  std::string digits;
  for (int i = 1; i <= 18; ++i) {
    digits += static_cast<char>('0' + i % 10);
    expected = expected * 10 + i % 10;
    EXPECT_EQ(read(Type::bigint(), digits), Value(expected));
    EXPECT_EQ(read(Type::bigint(), "-" + digits + "  ,\"other\":\"some more text\""), Value(-expected));
  }
}

TEST(JsonDecode, Double) {
  EXPECT_EQ(read(Type::double_(), "1"), Value(1.0));
  EXPECT_EQ(read(Type::double_(), "-1.25e2"), Value(-125.0));
  EXPECT_EQ(read(Type::double_(), "1e999"), Value(std::numeric_limits<double>::infinity()));
  EXPECT_EQ(read(Type::double_(), "1e-999"), Value(0.0));
  EXPECT_EQ(read(Type::double_(), "\" 0.1 \""), Value(0.1));
  EXPECT_EQ(read(Type::double_(), "\"-Infinity\""), Value(-std::numeric_limits<double>::infinity()));
  EXPECT_TRUE(std::isnan(read(Type::double_(), "\"NaN\"")->as<double>()));
  for (const char* text : {"\"\"", "\"x\"", "\"1e\"", "NaN", "true", "[1.0]", "\"inf\"", "\"--1\""})
    EXPECT_EQ(read(Type::double_(), text), std::nullopt) << text;
}

TEST(JsonDecode, Decimal) {
  const Type type = Type::decimal(4, 2);
  EXPECT_EQ(read(type, "12.34"), Value(Decimal{1234, 2}));
  EXPECT_EQ(read(type, "-0.5"), Value(Decimal{-50, 2}));
  EXPECT_EQ(read(type, "12.3400"), Value(Decimal{1234, 2}));
  EXPECT_EQ(read(type, "1e1"), Value(Decimal{1000, 2}));
  EXPECT_EQ(read(type, "\"1.1\""), Value(Decimal{110, 2}));
  EXPECT_EQ(read(type, "0.000"), Value(Decimal{0, 2}));
  for (const char* text : {"1.234", "100", "1e2", "\"\"", "\"x\"", "true", "0.001"})
    EXPECT_EQ(read(type, text), std::nullopt) << text;
  const std::string nines(38, '9');
  EXPECT_EQ(read(Type::decimal(38, 0), nines), Value(Decimal{big(nines), 0}));
  EXPECT_EQ(read(Type::decimal(38, 38), "0." + nines), Value(Decimal{big(nines), 38}));
  EXPECT_EQ(read(Type::decimal(38, 0), nines + "9"), std::nullopt);
}

TEST(JsonDecode, String) {
  EXPECT_EQ(read(Type::string(), R"("text")"), Value(std::string("text")));
  EXPECT_EQ(read(Type::string(), R"("a\"b\\c\/\n\u0041\u00e9\u20AC\ud83d\ude00")"),
            Value(std::string("a\"b\\c/\nA\u00e9\u20ac\U0001F600")));
  EXPECT_EQ(read(Type::string(), R"("\ud83d")"), Value(std::string("?")));
  EXPECT_EQ(read(Type::string(), "12.50"), Value(std::string("12.50")));
  EXPECT_EQ(read(Type::string(), "true"), Value(std::string("true")));
  EXPECT_EQ(read(Type::string(), R"({ "a" : [1, 2], "b c": {} })"), Value(std::string(R"({"a":[1,2],"b c":{}})")));
  EXPECT_EQ(read(Type::string(), R"([ 1,"x" , [null,true], {"k": "v w"} ])"),
            Value(std::string(R"([1, x, [null, true], {"k":"v w"}])")));
  EXPECT_EQ(read(Type::string(), "[ ]"), Value(std::string("[]")));
  for (const char* text : {"\"open", "\"\\x\"", "\"\\u12\"", "\"\xff\"", "\"a\nb\"", "[1", "[1,]", "{\"a\"}", "nul"})
    EXPECT_EQ(read(Type::string(), text), std::nullopt) << text;
  const std::string longer(100, 'x');
  EXPECT_EQ(read(Type::string(), "\"" + longer + "\\t" + longer + "\""), Value(longer + "\t" + longer));
}

TEST(JsonDecode, BytesAndTimes) {
  EXPECT_EQ(read(Type::bytes(), "\"AQID\""), Value(Bytes{"\x01\x02\x03"}));
  EXPECT_EQ(read(Type::bytes(), "\"AQ==\""), Value(Bytes{"\x01"}));
  EXPECT_EQ(read(Type::bytes(), "\"\""), Value(Bytes{""}));
  EXPECT_EQ(read(Type::bytes(), "\"*\""), std::nullopt);
  EXPECT_EQ(read(Type::bytes(), "1"), std::nullopt);
  EXPECT_EQ(read(Type::date(), "10"), Value(Date{10}));
  EXPECT_EQ(read(Type::date(), "\"-10\""), Value(Date{-10}));
  EXPECT_EQ(read(Type::time(), "86399999"), Value(Time{86399999}));
  EXPECT_EQ(read(Type::time(), "86400000"), std::nullopt);
  EXPECT_EQ(read(Type::time(), "-1"), std::nullopt);
  EXPECT_EQ(read(Type::timestamp(), "1700000000000"), Value(Timestamp{1700000000000}));
  EXPECT_EQ(read(Type::timestamp(), "\"1700000000000\""), Value(Timestamp{1700000000000}));
  EXPECT_EQ(read(Type::timestamp(), "\"2020-01-01\""), std::nullopt);
}

TEST(JsonDecode, Nested) {
  const Type numbers = Type::array(Type::integer());
  EXPECT_EQ(read(numbers, "[1, null ,\"3\"]"), Value::list({1, Value(), 3}));
  EXPECT_EQ(read(numbers, "[]"), Value::list({}));
  EXPECT_EQ(read(numbers, "{}"), std::nullopt);
  EXPECT_EQ(read(numbers, "[1,true]"), std::nullopt);
  const Type map = Type::map(Type::string(), numbers);
  EXPECT_EQ(read(map, R"({"a":[1],"b":null,"c":[]})"), Value::map({{Value(std::string("a")), Value::list({1})},
                                                                   {Value(std::string("b")), Value()},
                                                                   {Value(std::string("c")), Value::list({})}}));
  EXPECT_EQ(read(map, R"({"a":[1],"b":[7],"a":[2,3]})"),
            Value::map({{Value(std::string("a")), Value::list({2, 3})}, {Value(std::string("b")), Value::list({7})}}));
  EXPECT_EQ(read(map, "[]"), std::nullopt);
  const Type record = Type::structure({{"A", Type::integer()}, {"b", Type::string()}, {"L", Type::array(numbers)}});
  EXPECT_EQ(read(record, R"({"a":1,"b":"x","L":[[1],[]], "more":{"x":[]}})"),
            Value::structure({1, Value(std::string("x")), Value::list({Value::list({1}), Value::list({})})}));
  EXPECT_EQ(read(record, R"({"A":1,"a":2,"B":"x"})"), Value::structure({1, Value(), Value()}));
  EXPECT_EQ(read(record, "{}"), Value::structure({Value(), Value(), Value()}));
  EXPECT_EQ(read(record, R"({"a":"x"})"), std::nullopt);
  std::string deep = "1";
  for (int i = 0; i < 5000; ++i) deep = "[" + deep;
  EXPECT_EQ(read(Type::string(), deep), std::nullopt);
}

TEST(JsonDecode, FieldNames) {
  const std::vector<ColumnDef> columns = {column("A", Type::integer()), column("a", Type::integer()),
                                          column("LONG_NAME_LONGER_THAN_THIRTY_TWO", Type::integer())};
  const Decoded out = decode(kJson, columns,
                             {R"({"A":1,"a":2})", R"({"a":2,"A":1})", R"({"a":5})", R"({"A":6})",
                              R"({"\u0061":7,"long_name_longer_than_thirty_two":8})",
                              R"({"a":5,"a":6,"Long_Name_Longer_Than_Thirty_Two":9})", R"({})"});
  const std::vector<std::vector<Value>> expected = {{1, 2, Value()},
                                                    {1, 2, Value()},
                                                    {5, 5, Value()},
                                                    {6, Value(), Value()},
                                                    {7, 7, 8},
                                                    {6, 6, 9},
                                                    {Value(), Value(), Value()}};
  for (std::size_t row = 0; row < expected.size(); ++row) {
    EXPECT_FALSE(out.bad.test(row)) << row;
    for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(out.at(i, row), expected[row][i]) << row << " " << i;
  }
}

// The order of fields is guessed from the records before: every way to be wrong.
TEST(JsonDecode, FieldOrderChanges) {
  const std::vector<ColumnDef> columns = {column("A", Type::integer()), column("B", Type::string()),
                                          column("C", Type::bigint())};
  const auto decoder = make_decoder(kJson, columns, {0, 2}, false);
  const std::vector<std::optional<std::string>> texts = {
      R"({"a":1,"b":"x","c":2})",
      R"({"a":1,"b":"x","c":2})",
      R"({"c":2,"b":"x","a":1})",
      R"({"a":1,"c":2})",
      R"({"new":[1,{"a":9}],"a":1,"b":"x","c":2})",
      R"({ "a" : 1 , "b":"x","c":2})",
      R"({"a":1,"ab":"x","c":2})",
      "{\"a\":1,\"b\":\"x\",\"c\":\n 2}",
      "{\"a\":1,\"b\":\"x\",\"c\":\t2 }",
      R"({"a":1,"b":"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx","c":2})"};
  for (int round = 0; round < 2; ++round) {
    const Decoded out = decode_all(*decoder, texts);
    ASSERT_EQ(out.columns.size(), 2U);
    for (std::size_t row = 0; row < texts.size(); ++row) {
      EXPECT_EQ(out.at(0, row), Value(1)) << row;
      EXPECT_EQ(out.at(1, row), Value(std::int64_t{2})) << row;
    }
  }
}

TEST(JsonDecode, BadRowsLeaveTheOthersAlone) {
  const std::vector<ColumnDef> columns = {column("A", Type::integer()), column("L", Type::array(Type::string()))};
  const Decoded out = decode(kJson, columns,
                             {R"({"a":1,"l":["x","y"]})", R"({"l":["p","q",{}],"a":true})", std::nullopt,
                              R"({"l":["z"]})", "", "null", "{\"a\":1", "[1]", R"({"a":1} x)", R"({"a":1,})",
                              "{\"a\":1,\"l\":[\"z\"],\"x\":{\"y\":01}}", "{\"a\":2,\"l\":[]}  "});
  const std::vector<bool> bad = {false, true, false, false, true, false, true, true, false, true, true, false};
  for (std::size_t row = 0; row < bad.size(); ++row) EXPECT_EQ(out.bad.test(row), bad[row]) << row;
  EXPECT_EQ(out.errors.count, 6U);
  EXPECT_EQ(out.errors.entries[0].row, 1U);
  EXPECT_EQ(out.errors.entries[0].message, "A: a boolean cannot be read as INTEGER");
  EXPECT_EQ(out.at(1, 0), Value::list({Value(std::string("x")), Value(std::string("y"))}));
  EXPECT_EQ(out.at(1, 3), Value::list({Value(std::string("z"))}));
  EXPECT_TRUE(out.at(0, 5).is_null());
  EXPECT_EQ(out.at(0, 11), Value(2));
  EXPECT_EQ(out.at(0, 8), Value(1));
  EXPECT_EQ(out.columns[1]->children[0]->size, 3U);
}

TEST(JsonDecode, BareValuesAndKeys) {
  EXPECT_EQ(decode(kJsonBare, {column("C", Type::string())}, {"\"x\""}).at(0), Value(std::string("x")));
  EXPECT_EQ(decode(kJsonBare, {column("C", Type::array(Type::integer()))}, {" [1] "}).at(0), Value::list({1}));
  EXPECT_EQ(decode(kJson, {column("K", Type::bigint())}, {"12"}, true).at(0), Value(std::int64_t{12}));
  EXPECT_TRUE(decode(kJson, {column("C", Type::string())}, {"\"x\""}).bad.test(0));
  const Decoded keys =
      decode(kJson, {column("K", Type::bigint()), column("L", Type::string())}, {R"({"K":1,"L":"x"})"}, true);
  EXPECT_EQ(keys.at(0), Value(std::int64_t{1}));
  EXPECT_EQ(keys.at(1), Value(std::string("x")));
}

TEST(JsonDecode, OneFormForTextsOfOtherValues) {
  const auto text = [](std::string json) { return Value(std::move(json)); };
  EXPECT_EQ(read(Type::string(), R"({"b":1,"a":{"x":1,"x":2},"b":3})"), text(R"({"b":3,"a":{"x":2}})"));
  EXPECT_EQ(read(Type::string(), R"({"\u0061":"\u00e9\/\n\u0001"})"), text("{\"a\":\"\u00e9/\\n\\u0001\"}"));
  EXPECT_EQ(read(Type::string(), R"({"a":1,"\u0061":2})"), text(R"({"a":2})"));
  EXPECT_EQ(read(Type::string(), R"([1e2, 1.50, -0, -0.0, 1E400, 0.0000001, 12e-1, 18446744073709551616])"),
            text("[1E+2, 1.50, 0, 0.0, 1E+400, 1E-7, 1.2, 18446744073709551616]"));
  EXPECT_EQ(read(Type::string(), "1.5e3"), text("1.5E+3"));
  EXPECT_EQ(read(Type::string(), "-0.5"), text("-0.5"));
  EXPECT_EQ(read(Type::string(), "\"a\xff\""), std::nullopt);
  EXPECT_EQ(read(Type::string(), "{\"a\":\"\xff\"}"), std::nullopt);
}

TEST(JsonDecode, TheFirstValueCounts) {
  const std::vector<ColumnDef> columns = {column("N", Type::bigint())};
  for (const char* text : {R"({"n":1} junk)", R"({"n":1}})", R"({"n":1},)", R"({"n":1}{"n":2})",
                           "\xEF\xBB\xBF{\"n\":1}", " \n{\"n\":1}\0", R"({"n":1}")"})
    EXPECT_EQ(decode(kJson, columns, {text}).at(0), Value(std::int64_t{1})) << text;
  for (const char* text : {"1 2", "1,", "1 junk", "\xEF\xBB\xBF 1"})
    EXPECT_EQ(decode(kJsonBare, columns, {text}).at(0), Value(std::int64_t{1})) << text;
  for (const char* text : {"1x", "1-", "01", "nullx", "\xEF\xBB 1", "junk 1", ""})
    EXPECT_TRUE(decode(kJsonBare, columns, {text}).bad.test(0)) << text;
}

TEST(JsonDecode, LastOfEqualNames) {
  const std::vector<ColumnDef> columns = {column("N", Type::integer()), column("M", Type::integer())};
  const Decoded out = decode(kJson, columns,
                             {R"({"n":"x","m":1,"n":2})", R"({"n":2,"n":"x"})", R"({"n":"x","N":2})",
                              R"({"N":2,"n":"x"})", R"({"n":1,"n":null})", R"({"n":"x","n":2)"});
  EXPECT_EQ(out.at(0, 0), Value(2));
  EXPECT_EQ(out.at(1, 0), Value(1));
  EXPECT_TRUE(out.bad.test(1));
  EXPECT_EQ(out.at(0, 2), Value(2));
  EXPECT_EQ(out.at(0, 3), Value(2));
  EXPECT_EQ(out.at(0, 4), Value());
  EXPECT_FALSE(out.bad.test(4));
  EXPECT_TRUE(out.bad.test(5));
  const Type record = Type::structure({{"A", Type::integer()}, {"B", Type::array(Type::integer())}});
  EXPECT_EQ(read(record, R"({"a":"x","b":[1],"b":[2,3],"a":4})"), Value::structure({4, Value::list({2, 3})}));
  EXPECT_EQ(read(Type::map(Type::string(), Type::integer()), R"({"a":"x","b":1,"a":2})"),
            Value::map({{Value(std::string("a")), 2}, {Value(std::string("b")), 1}}));
  // Objects that fail at every level are not read again at every level.
  Type nested = Type::integer();
  std::string text = "\"x\"";
  for (int i = 0; i < 60; ++i) {
    nested = Type::structure({{"A", nested}});
    text = "{\"a\":" + text + "}";
  }
  EXPECT_EQ(read(nested, text), std::nullopt);
}

TEST(JsonDecode, TooDeepSaysSo) {
  const std::string open(1100, '['), close(1100, ']');
  for (const bool wanted : {true, false}) {
    const Decoded out = decode(kJson, {column(wanted ? "A" : "B", Type::string())}, {"{\"a\":" + open + close + "}"});
    ASSERT_TRUE(out.bad.test(0));
    EXPECT_EQ(out.errors.entries[0].message, "JSON nested deeper than 1000 levels");
  }
  EXPECT_FALSE(decode(kJson, {column("B", Type::string())}, {"{\"a\":" + open.substr(200) + close.substr(200) + "}"})
                   .bad.test(0));
}

TEST(JsonDecode, NothingWantedStillChecks) {
  const auto decoder = make_decoder(kJson, {column("A", Type::integer())}, {}, false);
  const Decoded out = decode_all(*decoder, {R"({"a":1})", "{", "{\"a\":[1,2}"});
  EXPECT_TRUE(out.columns.empty());
  EXPECT_FALSE(out.bad.test(0));
  EXPECT_TRUE(out.bad.test(1));
  EXPECT_TRUE(out.bad.test(2));
}

}  // namespace
}  // namespace millrace
