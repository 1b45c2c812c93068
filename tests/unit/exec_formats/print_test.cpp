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

ParsedSchemaPtr no_schema(std::int32_t) {
  return nullptr;
}

TEST(Print, GuessesNarrowAsRowsArrive) {
  RecordPrinter printer(no_schema);
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
    RecordPrinter printer(no_schema);
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

SchemaFinder schema_finder(SchemaKind kind, const std::string& text) {
  const auto parsed = parse_schema(kind, {text, {}});
  EXPECT_TRUE(parsed) << (parsed ? "" : parsed.error().message);
  return [schema = parsed ? *parsed : nullptr](std::int32_t id) { return id == 7 ? schema : nullptr; };
}

/// The format and the value as PRINT shows them, with what comes behind the partition.
std::string shown(const SchemaFinder& schemas, const std::string& body) {
  RecordPrinter printer(schemas);
  const auto lines = print(printer, std::nullopt, "\0\0\0\0\7"s + body);
  const std::string& line = lines.back();
  const std::size_t value = line.find("value: ") + 7, end = line.rfind(", partition: 3");
  return lines[1].substr(14, lines[1].find(" or ") - 14) + " | " + line.substr(value, end - value) + " |" +
         line.substr(end + 14);
}

TEST(Print, Avro) {
  const auto schemas = schema_finder(SchemaKind::avro, R"({"type": "record", "name": "R", "fields": [
    {"name": "n", "type": ["null", "long"]}, {"name": "s", "type": "string"},
    {"name": "d", "type": {"type": "bytes", "logicalType": "decimal", "precision": 4, "scale": 2}},
    {"name": "day", "type": {"type": "int", "logicalType": "date"}},
    {"name": "at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
    {"name": "e", "type": {"type": "enum", "name": "E", "symbols": ["A", "B"]}},
    {"name": "l", "type": {"type": "array", "items": {"type": "map", "values": "boolean"}}}]})");
  const std::string body = "\2\x54\2\"\4\xff\x85\2\x80\xa0\3\2\2\2\2k\1\0\0"s;
  EXPECT_EQ(
      shown(schemas, body),
      R"(AVRO | {"n":42,"s":"\"","d":-1.23,"day":"1970-01-02","at":"1970-01-01T00:00:00.026","e":"B","l":[{"k":true}]})"
      " |, value schema id: 7");
  EXPECT_TRUE(shown(schemas, body.substr(1)).starts_with("UNRECOGNISED_BYTES | "));
  EXPECT_TRUE(shown(no_schema, body).starts_with("UNRECOGNISED_BYTES | "));
}

TEST(Print, Protobuf) {
  const auto schemas = schema_finder(SchemaKind::protobuf, R"(syntax = "proto3";
    import "google/protobuf/timestamp.proto";
    import "google/protobuf/wrappers.proto";
    message M {
      int32 n = 1; optional string o = 2; repeated sint32 l = 3; map<int32, bool> m = 4;
      google.protobuf.Timestamp t = 5; google.protobuf.Int64Value w = 6;
      oneof c { string a = 7; uint64 b = 8; }
      message In { double d = 1; } In i = 9; In none = 10;
    })");
  const std::string body =
      "\0\x08\x05\x1a\2\3\4\x22\4\x08\1\x10\1\x2a\2\x08\1\x32\0\x40\xff\xff\xff\xff\xff\xff\xff\xff\xff\1\x4a\0"s;
  EXPECT_EQ(
      shown(schemas, body),
      R"(PROTOBUF | {"n":5,"l":[-2,2],"m":{"1":true},"t":"1970-01-01T00:00:01.000","w":0,"b":18446744073709551615,)"
      R"("i":{"d":0.0}} |, value schema id: 7)");
  EXPECT_TRUE(shown(schemas, body + "\x0a").starts_with("UNRECOGNISED_BYTES | "));
}

TEST(Print, JsonWithASchema) {
  const auto schemas = schema_finder(SchemaKind::json, "{}");
  EXPECT_EQ(shown(schemas, "{\"a\": [1, 2]}"), "JSON_SR | {\"a\":[1,2]} |, value schema id: 7");
}

}  // namespace
}  // namespace millrace
