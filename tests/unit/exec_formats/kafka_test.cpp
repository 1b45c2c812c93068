#include "format_fixture.h"

namespace millrace {
namespace {

using namespace millrace::testing;

TEST(KafkaFormat, ReadsAndWrites) {
  const std::vector<std::pair<Type, std::vector<std::pair<Value, std::string>>>> cases = {
      {Type::integer(), {{1, std::string("\0\0\0\1", 4)}, {-2, "\xff\xff\xff\xfe"}}},
      {Type::bigint(), {{std::int64_t{258}, std::string("\0\0\0\0\0\0\1\2", 8)}}},
      {Type::double_(), {{1.0, std::string("\x3f\xf0\0\0\0\0\0\0", 8)}}},
      {Type::string(), {{std::string("x,\"y"), "x,\"y"}, {std::string(), ""}}},
      {Type::bytes(), {{Bytes{std::string("\0\1", 2)}, std::string("\0\1", 2)}}},
  };
  for (const auto& [type, values] : cases) {
    for (const auto& [value, bytes] : values) {
      EXPECT_EQ(encode(kKafka, {column("C", type)}, {{value}})[0], bytes);
      EXPECT_EQ(decode(kKafka, {column("C", type)}, {bytes}).at(0), value);
    }
  }
}

TEST(KafkaFormat, WrongLength) {
  const Decoded out =
      decode(kKafka, {column("C", Type::integer())}, {std::string("\0\0\0\1", 4), "12345", "", std::nullopt});
  EXPECT_FALSE(out.bad.test(0));
  EXPECT_TRUE(out.bad.test(1));
  EXPECT_TRUE(out.bad.test(2));
  EXPECT_FALSE(out.bad.test(3));
  EXPECT_TRUE(out.at(0, 1).is_null());
  EXPECT_TRUE(out.at(0, 3).is_null());
  EXPECT_EQ(out.errors.entries[0].message, "C: 5 bytes where INTEGER takes 4");
}

// As Java decodes them: U+FFFD for what cannot be a character.
TEST(KafkaFormat, RepairsTextsThatAreNotUtf8) {
  const std::vector<std::pair<std::string, std::string>> cases = {{"plain", "plain"},
                                                                  {"\u00e9\U0001F600", "\u00e9\U0001F600"},
                                                                  {"a\xff\xfe z", "a\ufffd\ufffd z"},
                                                                  {"\xe2\x82", "\ufffd"},
                                                                  {"\xe2\x82z", "\ufffdz"},
                                                                  {"\xc0\x80", "\ufffd\ufffd"},
                                                                  {"\xed\xa0\x80z", "\ufffdz"},
                                                                  {"\xf0\x9f\x98", "\ufffd"}};
  for (const auto& [bytes, text] : cases) {
    EXPECT_EQ(decode(kKafka, {column("C", Type::string())}, {bytes}).at(0), Value(text));
    EXPECT_EQ(decode(kDelimited, {column("C", Type::string())}, {bytes}).at(0), Value(text));
    EXPECT_EQ(decode(kKafka, {column("C", Type::bytes())}, {bytes}).at(0), Value(Bytes{bytes}));
  }
}

TEST(NoneFormat, ReadsNothingAndWritesNothing) {
  const FormatInfo none{"NONE", ',', true};
  EXPECT_TRUE(decode(none, {}, {"anything", std::nullopt}, true).columns.empty());
  for (const FormatInfo& format : {kJson, kDelimited, kKafka, kRow}) {
    EXPECT_EQ(decode(format, {}, {"anything"}, true).errors.count, 0U);
    EXPECT_EQ(encode(format, {}, {{}}, true)[0], "");
  }
  Encoded out;
  EXPECT_TRUE(make_encoder(none, {}, true)->encode({}, 2, out).has_value());
  EXPECT_EQ(out.ends.size(), 2U);
  EXPECT_EQ(out.row(1), "");
}

}  // namespace
}  // namespace millrace
