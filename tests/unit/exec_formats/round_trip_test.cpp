#include "random_values.h"

namespace millrace {
namespace {

using namespace millrace::testing;

/// Random rows of random schemas through encoder and decoder, all columns and then a random part of them.
void round_trip(const FormatInfo& format, int depth, std::uint64_t seed) {
  RandomValues random(seed);
  for (int schema = 0; schema < 150; ++schema) {
    const auto columns = random.columns(depth);
    std::vector<std::vector<Value>> rows;
    for (std::size_t n = random.below(30) + 1; n > 0; --n) {
      std::vector<Value> row;
      for (const auto& def : columns) row.push_back(random.value(def.type));
      rows.push_back(std::move(row));
    }
    const auto encoded = encode(format, columns, rows);
    const std::vector<std::optional<std::string>> texts(encoded.begin(), encoded.end());
    std::vector<std::size_t> some;
    for (std::size_t i = 0; i < columns.size(); ++i)
      if (random.below(2) == 0) some.push_back(i);
    for (const auto& wanted : {all_of(columns.size()), some}) {
      const Decoded out = decode_all(*make_decoder(format, columns, wanted, false), texts);
      ASSERT_EQ(out.errors.count, 0U) << out.errors.entries[0].message << " in " << encoded[out.errors.entries[0].row];
      for (std::size_t slot = 0; slot < wanted.size(); ++slot) {
        for (std::size_t row = 0; row < rows.size(); ++row) {
          const Value& expected = rows[row][wanted[slot]];
          ASSERT_EQ(out.at(slot, row), expected) << columns[wanted[slot]].type.to_string() << " in " << encoded[row];
        }
      }
    }
  }
}

TEST(RoundTrip, Json) {
  round_trip(kJson, 3, 1);
}
TEST(RoundTrip, Row) {
  round_trip(kRow, 3, 2);
}
TEST(RoundTrip, RowOfScalars) {
  round_trip(kRow, 0, 3);
}

TEST(RoundTrip, Delimited) {
  RandomValues random(4);
  for (int schema = 0; schema < 150; ++schema) {
    // A line whose only field is NULL is blank, which reads as no record: two columns at least.
    auto columns = random.columns(0);
    columns.push_back(column("LAST", Type::integer()));
    std::vector<Value> row;
    for (const auto& def : columns) row.push_back(random.value(def.type));
    const auto encoded = encode(kDelimited, columns, {row});
    const Decoded out = decode(kDelimited, columns, {encoded[0]});
    ASSERT_EQ(out.errors.count, 0U) << out.errors.entries[0].message << " in " << encoded[0];
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const bool empty = (row[i].get_if<std::string>() && row[i].as<std::string>().empty()) ||
                         (row[i].get_if<Bytes>() && row[i].as<Bytes>().data.empty());
      ASSERT_EQ(out.at(i), empty ? Value() : row[i]) << encoded[0];
    }
  }
}

TEST(Row, ColumnsAppendedSinceReadAsNull) {
  const std::vector<ColumnDef> before = {column("A", Type::integer()),
                                         column("S", Type::structure({{"X", Type::string()}}))};
  const std::vector<ColumnDef> after = {
      before[0], column("S", Type::structure({{"X", Type::string()}, {"Y", Type::array(Type::integer())}})),
      column("N", Type::string())};
  const auto encoded = encode(kRow, before, {{1, Value::structure({std::string("x")})}});
  const Decoded out = decode(kRow, after, {encoded[0]});
  EXPECT_EQ(out.errors.count, 0U);
  EXPECT_EQ(out.at(0), Value(1));
  EXPECT_EQ(out.at(1), Value::structure({std::string("x"), Value()}));
  EXPECT_TRUE(out.at(2).is_null());
  EXPECT_TRUE(decode(kRow, before, {encode(kRow, after, {{1, Value(), Value()}})[0]}).bad.test(0));
}

// Cut and disturbed texts must neither crash nor disturb the rows beside them.
TEST(RoundTrip, BrokenTextsAreContained) {
  RandomValues random(5);
  for (const FormatInfo& format : {kJson, kRow, kDelimited}) {
    for (int round = 0; round < 200; ++round) {
      const auto columns = random.columns(format.name == "DELIMITED" ? 0 : 3);
      std::vector<Value> row;
      for (const auto& def : columns) row.push_back(random.value(def.type));
      const std::string good = encode(format, columns, {row})[0];
      std::string cut = good.substr(0, random.below(good.size() + 1)), changed = good;
      for (std::size_t n = random.below(4); n > 0 && !changed.empty(); --n)
        changed[random.below(changed.size())] = static_cast<char>(random.below(256));
      const Decoded out = decode(format, columns, {good, cut, changed, good});
      for (std::size_t i = 0; i < columns.size(); ++i) ASSERT_EQ(out.at(i, 0), out.at(i, 3));
      for (std::size_t i = 0; i < columns.size(); ++i) {
        for (std::size_t r = 0; r < 4; ++r) ASSERT_TRUE(!out.bad.test(r) || out.at(i, r).is_null());
      }
    }
  }
}

}  // namespace
}  // namespace millrace
