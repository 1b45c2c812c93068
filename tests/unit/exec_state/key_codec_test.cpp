#include "exec/state/key_codec.h"

#include <gtest/gtest.h>

#include <random>

namespace millrace {
namespace {

ColumnPtr column_of(const Type& type, const std::vector<Value>& values) {
  ColumnBuilder builder(type);
  for (const Value& value : values) builder.append(value);
  return builder.finish();
}

std::vector<std::string> encoded(const std::vector<ColumnPtr>& columns, std::size_t rows) {
  std::vector<std::uint32_t> all(rows);
  for (std::uint32_t i = 0; i < rows; ++i) all[i] = i;
  KeyBuffer buffer;
  encode_keys(columns, all, {}, buffer);
  std::vector<std::string> out;
  for (std::size_t i = 0; i < rows; ++i) out.emplace_back(buffer[i]);
  return out;
}

void expect_ascending(const Type& type, const std::vector<Value>& values) {
  const auto keys = encoded({column_of(type, values)}, values.size());
  for (std::size_t i = 1; i < keys.size(); ++i) EXPECT_LT(keys[i - 1], keys[i]) << type.to_string() << " " << i;
  std::vector<std::string_view> views(keys.begin(), keys.end());
  const auto back = decode_keys(std::vector{type}, views, 0);
  for (std::size_t i = 0; i < values.size(); ++i) EXPECT_EQ(get_value(*back[0], i), values[i]) << type.to_string();
}

TEST(KeyCodec, ByteOrderIsKeyOrderAndKeysReadBack) {
  expect_ascending(Type::integer(), {{}, Value(INT32_MIN), Value(-1), Value(0), Value(7), Value(INT32_MAX)});
  expect_ascending(Type::bigint(),
                   {{}, Value(INT64_MIN), Value(std::int64_t{-1}), Value(std::int64_t{0}), Value(INT64_MAX)});
  expect_ascending(Type::double_(), {{}, Value(-1e300), Value(-0.5), Value(0.0), Value(0.25), Value(1e300)});
  expect_ascending(Type::boolean(), {{}, Value(false), Value(true)});
  expect_ascending(Type::decimal(10, 2), {{}, Value(Decimal{-5, 2}), Value(Decimal{0, 2}), Value(Decimal{1234, 2})});
  const std::string zero("a\0", 2), zeros("a\0\0b", 4);
  expect_ascending(
      Type::string(),
      {{}, Value(std::string()), Value(std::string("a")), Value(zero), Value(zeros), Value(std::string("ab"))});
  expect_ascending(Type::timestamp(), {{}, Value(Timestamp{-5}), Value(Timestamp{5})});
  const Type list = Type::array(Type::string());
  expect_ascending(list, {{},
                          Value::list({}),
                          Value::list({Value()}),
                          Value::list({Value(std::string("a"))}),
                          Value::list({Value(std::string("a")), Value(std::string("b"))}),
                          Value::list({Value(std::string("b"))})});
}

TEST(KeyCodec, SeveralColumnsAndWindows) {
  const std::vector<ColumnPtr> columns = {column_of(Type::string(), {Value(std::string("k")), {}}),
                                          column_of(Type::integer(), {Value(3), Value(4)})};
  const std::vector<std::uint32_t> rows = {0, 0, 1};
  const std::vector<std::int64_t> starts = {10, 20, -5};
  const std::span<const std::int64_t> suffix(starts);
  KeyBuffer keys;
  encode_keys(columns, rows, {&suffix, 1}, keys);
  ASSERT_EQ(keys.size(), 3u);
  EXPECT_LT(keys[0], keys[1]);
  EXPECT_EQ(keys[0].substr(0, keys[0].size() - 8), keys[1].substr(0, keys[1].size() - 8));
  EXPECT_EQ(read_window(keys[2].data() + keys[2].size() - 8), -5);
  const std::vector<std::string_view> views = {keys[0], keys[1], keys[2]};
  const auto back = decode_keys(std::vector{Type::string(), Type::integer()}, views, 8);
  EXPECT_EQ(get_value(*back[0], 1), Value(std::string("k")));
  EXPECT_TRUE(back[0]->is_null(2));
  EXPECT_EQ(get_value(*back[1], 2), Value(4));
  const ColumnDef defs[] = {{"A", Type::string(), ColumnRole::key, {}}, {"B", Type::integer(), ColumnRole::key, {}}};
  const Value values[] = {Value(std::string("k")), Value(3)};
  EXPECT_EQ(encode_key(values, defs), std::string(keys[0].substr(0, keys[0].size() - 8)));
}

}  // namespace
}  // namespace millrace
