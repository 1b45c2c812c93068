#include "exec/formats/print.h"

#include <gtest/gtest.h>

namespace millrace {
namespace {

using namespace std::string_literals;

std::vector<std::string> print(RecordPrinter& printer, std::optional<std::string> key,
                               std::optional<std::string> value) {
  std::vector<std::string> lines;
  printer.print({1609556645678, key, value, 3}, lines);
  return lines;
}

TEST(Print, GuessesNarrowAsRowsArrive) {
  RecordPrinter printer;
  EXPECT_EQ(
      print(printer, std::nullopt, "{\"a\": 1}"),
      (std::vector<std::string>{"Key format: ¯\\_(ツ)_/¯ - no data processed",
                                "Value format: JSON or KAFKA_BIGINT or KAFKA_DOUBLE or KAFKA_STRING",
                                "rowtime: 2021/01/02 03:04:05.678 Z, key: <null>, value: {\"a\":1}, partition: 3"}));
  EXPECT_EQ(print(printer, "key", "{\"a\":12}x")[0], "Key format: KAFKA_STRING");
  const auto third = print(printer, "key", "a, b");
  ASSERT_EQ(third.size(), 1U);
  EXPECT_EQ(third[0], "rowtime: 2021/01/02 03:04:05.678 Z, key: key, value: a, b, partition: 3");
  EXPECT_EQ(print(printer, "key", "\xff\xff")[0], "Value format: UNRECOGNISED_BYTES");
}

TEST(Print, Keys) {
  const auto key_lines = [](const std::string& key) {
    RecordPrinter printer;
    auto lines = print(printer, key, std::nullopt);
    const std::size_t at = lines[2].find("key: ") + 5;
    return lines[0].substr(12) + " | " + lines[2].substr(at, lines[2].find(", value") - at);
  };
  EXPECT_EQ(key_lines("\0\0\0\7"s), "KAFKA_INT or KAFKA_STRING | 7");
  EXPECT_EQ(key_lines("\xff\xff\xff\xff"s), "KAFKA_INT | -1");
  EXPECT_EQ(key_lines("\x80\0\0\0\0\0\0\1"s), "KAFKA_BIGINT or KAFKA_DOUBLE | -9223372036854775807");
  EXPECT_EQ(key_lines("some long text without windows"), "KAFKA_STRING | some long text without windows");
  EXPECT_EQ(key_lines("[1, 2]"), "JSON or KAFKA_STRING | [1,2]");
  const std::string start = "\0\0\1\x8b\xcf\xe5\x68\0"s,
                    end = "\0\0\1\x8b\xcf\xe5\x68\1"s;  // 1700000000000 and a millisecond later
  EXPECT_EQ(key_lines("key" + start), "HOPPING(KAFKA_STRING) or TUMBLING(KAFKA_STRING) | [key@1700000000000/-]");
  EXPECT_EQ(key_lines("k" + end + start).substr(0, 24), "SESSION(KAFKA_STRING) | ");
  EXPECT_EQ(key_lines("k" + end + start).substr(24), "[k@1700000000000/1700000000001]");
}

}  // namespace
}  // namespace millrace
