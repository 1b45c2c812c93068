#include "exec/formats/format.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <deque>

#include "exec/formats/schema_registrar.h"
#include "exec/schemas/local_registry.h"
#include "exec/schemas/schema_cache.h"
#include "tests/allocations/counting_malloc.h"

/// Formats with a schema, once warm, read and write as many rows as a batch can hold with as many allocations as few.
namespace millrace::allocations {
namespace {

constexpr std::size_t kFew = 64, kMany = kMaxBatchRows;
// What grows with a batch doubles: some steps for a buffer, and nothing for a row.
constexpr std::uint64_t kGrowth = 20;

const std::vector<ColumnDef>& columns() {
  static const std::vector<ColumnDef> all = {
      {"ID", Type::bigint()},
      {"NAME", Type::string()},
      {"RATE", Type::double_()},
      {"PRICE", Type::decimal(10, 2)},
      {"SEEN", Type::timestamp()},
      {"DAY", Type::date()},
      {"RAW", Type::bytes()},
      {"TAGS", Type::array(Type::string())},
      {"COUNTS", Type::map(Type::string(), Type::integer())},
      {"PLACE", Type::structure({{"CITY", Type::string()}, {"ZIP", Type::integer()}})}};
  return all;
}

std::vector<std::size_t> every_column() {
  std::vector<std::size_t> all(columns().size());
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = i;
  return all;
}

using Texts = std::vector<std::optional<std::string_view>>;

std::vector<ColumnPtr> decode(Decoder& decoder, const Texts& texts) {
  std::vector<ColumnPtr> out;
  Bitmap bad;
  RowErrors errors;
  decoder.decode(texts, nullptr, out, bad, errors);
  EXPECT_TRUE(errors.entries.empty()) << errors.entries.front().message;
  return out;
}

std::vector<ColumnPtr> rows(std::size_t count) {
  static std::deque<std::vector<std::string>> owners;  // what columns point into
  auto& owner = owners.emplace_back();
  for (std::size_t i = 0; i < count; ++i)
    owner.push_back(fmt::format(
        R"({{"ID":{0},"NAME":"name of {0}","RATE":{0}.5,"PRICE":{0}.25,"SEEN":{1},"DAY":{2},"RAW":"AP9B","TAGS":["a","of {0}"],)"
        R"("COUNTS":{{"a":1,"b":{0}}},"PLACE":{{"CITY":"city {0}","ZIP":{0}}}}})",
        i, 1'700'000'000'000 + i, 19000 + i));
  const Texts texts(owner.begin(), owner.end());
  return decode(*make_decoder({.name = "JSON"}, columns(), every_column(), false), texts);
}

class FormatAllocations : public testing::TestWithParam<const char*> {
 protected:
  FormatAllocations() {
    format_.name = GetParam();
    const SchemaSource schema = schema_for_columns(format_, "S", columns(), false);
    const auto id = registry_->add("s-value", schema);
    EXPECT_TRUE(id.has_value());
    format_.schema = std::make_shared<WriterSchema>(WriterSchema{*id, {schema.text, {}}});
  }

  FormatInfo format_;
  std::shared_ptr<LocalRegistry> registry_ = std::make_shared<LocalRegistry>();
  SchemaCache cache_{registry_};
};

TEST_P(FormatAllocations, DoNotDependOnTheNumberOfRows) {
  const auto encoder = make_encoder(format_, columns(), false);
  const auto decoder = make_decoder(format_, columns(), every_column(), false, &cache_);
  const auto few = rows(kFew), many = rows(kMany);
  std::uint64_t encoding[2] = {}, decoding[2] = {};
  Encoded encoded;
  for (int round = 0; round < 4; ++round) {
    for (const bool large : {true, false}) {
      const std::size_t count_of_rows = large ? kMany : kFew;
      encoded.clear();
      const std::uint64_t before = count();
      ASSERT_TRUE(encoder->encode(large ? many : few, count_of_rows, encoded).has_value());
      encoding[large ? 1 : 0] = count() - before;
      Texts texts;
      for (std::size_t i = 0; i < count_of_rows; ++i) texts.emplace_back(encoded.row(i));
      const std::uint64_t between = count();
      const auto out = decode(*decoder, texts);
      decoding[large ? 1 : 0] = count() - between;
      ASSERT_EQ(out.size(), columns().size());
      ASSERT_EQ(get_value(*out[0], count_of_rows - 1), get_value(*(large ? many : few)[0], count_of_rows - 1));
    }
  }
  RecordProperty("encoding", static_cast<int>(encoding[1]));
  RecordProperty("decoding", static_cast<int>(decoding[1]));
  EXPECT_LE(encoding[1], encoding[0] + kGrowth);
  EXPECT_LE(decoding[1], decoding[0] + kGrowth);
}

INSTANTIATE_TEST_SUITE_P(Schemas, FormatAllocations, testing::Values("AVRO", "PROTOBUF", "JSON_SR"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace millrace::allocations
