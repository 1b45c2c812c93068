#include <gtest/gtest.h>

#include <random>

#include "exec/formats/framing.h"
#include "exec/formats/row_layout.h"
#include "exec/formats/utf8_text.h"
#include "exec/schemas/local_registry.h"
#include "exec/schemas/schema_cache.h"
#include "tests/unit/exec_formats/format_fixture.h"

namespace millrace {
namespace {

using namespace millrace::testing;

/// Rows of A INT and B STRING read from data of `schema`, which is registered first.
Decoded read_as_columns(const std::string& schema, const std::vector<std::string>& data) {
  const auto registry = std::make_shared<LocalRegistry>();
  const auto id = registry->add("s-value", {SchemaKind::avro, schema, {}});
  EXPECT_TRUE(id.has_value()) << id.error().message;
  SchemaCache cache(registry);
  std::vector<std::optional<std::string>> texts;
  for (const std::string& datum : data) texts.emplace_back(schema_frame(*id) + datum);
  const std::vector<ColumnDef> columns = {{"A", Type::integer()}, {"B", Type::string()}};
  return decode_all(*make_decoder({.name = "AVRO"}, columns, {0, 1}, false, &cache), texts);
}

TEST(Avro, ADatumThatIsNoRecordIsBad) {
  const Decoded out = read_as_columns(R"("string")", {"\x02z"});
  EXPECT_TRUE(out.bad.test(0));
  EXPECT_TRUE(out.at(0, 0).is_null());
  EXPECT_NE(out.errors.entries.front().message.find("is no record"), std::string::npos);
}

TEST(Avro, NullInPlaceOfARecordHasNoFields) {
  const Decoded out =
      read_as_columns(R"(["null", {"type": "record", "name": "R", "fields": [{"name": "a", "type": "int"}]}])",
                      {std::string(1, '\0'), "\x02\x06", "\x04"});
  EXPECT_FALSE(out.bad.test(0));
  EXPECT_TRUE(out.at(0, 0).is_null());
  EXPECT_EQ(out.at(0, 1), Value(std::int32_t{3}));
  EXPECT_TRUE(out.bad.test(2));
}

TEST(Avro, MarksOfUnionsMayBeLongerThanTheyNeedBe) {
  const std::string nullable = R"({"type": "record", "name": "R", "fields": [
      {"name": "a", "type": ["null", "int"]}, {"name": "skipped", "type": ["long", "null"]}, {"name": "b", "type": ["string", "null"]}]})";
  const std::string null(1, '\0');
  const Decoded out = read_as_columns(nullable, {"\x02\x06" + null + "\x08" + null + "\x02y",      // 3, 4, y
                                                 null + "\x02" + "\x02",                           // all NULL
                                                 "\x82" + null + "\x06" + "\x02" + "\x82" + null,  // 3, NULL, NULL
                                                 "\x04\x06" + null + "\x08" + null + "\x02y",      // no third branch
                                                 "\x02\x06" + null + "\x08" + null + "\x04y"});    // cut off
  EXPECT_EQ(out.at(0, 0), Value(std::int32_t{3}));
  EXPECT_EQ(out.at(1, 0), Value("y"));
  EXPECT_TRUE(out.at(0, 1).is_null() && out.at(1, 1).is_null() && !out.bad.test(1));
  EXPECT_EQ(out.at(0, 2), Value(std::int32_t{3}));
  EXPECT_TRUE(out.at(1, 2).is_null() && !out.bad.test(2));
  EXPECT_TRUE(out.bad.test(3) && out.bad.test(4));
}

TEST(Varint, EveryLengthAtEveryEnd) {
  std::mt19937_64 random(7);
  for (int i = 0; i < 20'000; ++i) {
    const std::uint64_t value = random() >> random() % 64;
    char slow[kMaxVarint + 8] = {}, wide[kMaxVarint] = {};
    const char* const end = write_varint(value, slow);
    const auto size = static_cast<std::size_t>(end - slow);
    ASSERT_EQ(write_varint_wide(value, wide), wide + size) << value;
    ASSERT_EQ(std::string_view(wide, size), std::string_view(slow, size)) << value;
    for (const char* behind : {end, end + 3, end + 8}) {
      std::uint64_t read = 0;
      ASSERT_EQ(read_varint(slow, behind, read), end) << value;
      ASSERT_EQ(read, value);
      ASSERT_EQ(skip_varint(slow, behind), end) << value;
    }
    std::uint64_t read = 0;
    ASSERT_EQ(read_varint(slow, end - 1, read), nullptr) << value;
    ASSERT_EQ(skip_varint(slow, end - 1), nullptr) << value;
  }
  const std::string endless(12, '\xFF');
  std::uint64_t read = 0;
  EXPECT_EQ(read_varint(endless.data(), endless.data() + endless.size(), read), nullptr);
  EXPECT_EQ(skip_varint(endless.data(), endless.data() + endless.size()), nullptr);
}

TEST(Utf8, ShortTextsOfAsciiAlone) {
  for (std::size_t size = 0; size < 40; ++size) {
    std::string text(size, 'x');
    EXPECT_EQ(is_short_ascii(text), size >= 4 && size <= 32) << size;
    for (std::size_t at = 0; at < size; ++at) {
      text[at] = '\xC3';
      EXPECT_FALSE(is_short_ascii(text)) << size << " " << at;
      text[at] = 'x';
    }
  }
}

}  // namespace
}  // namespace millrace
