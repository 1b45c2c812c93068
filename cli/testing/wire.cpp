#include "cli/testing/wire.h"

#include <bit>
#include <cstring>
#include <stdexcept>

#include "cli/testing/schema_wire.h"
#include "cli/testing/value_text.h"
#include "planner/types/value.h"

namespace millrace::inline cli::harness {
namespace {

template <class T>
void append_big_endian(std::string& out, T value) {
  for (int shift = static_cast<int>(sizeof(T)) * 8 - 8; shift >= 0; shift -= 8)
    out.push_back(static_cast<char>(static_cast<std::uint64_t>(value) >> shift & 0xFF));
}

std::int64_t read_big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const unsigned char c : bytes) value = value << 8 | c;
  if (bytes.size() == 4) return static_cast<std::int32_t>(value);
  return static_cast<std::int64_t>(value);
}

std::string encode_kafka(const Json& spec, const std::vector<ColumnDef>& columns) {
  const std::string text = scalar_text(spec);
  std::string out;
  switch (columns.empty() ? TypeKind::string : columns.front().type.kind()) {
    case TypeKind::integer:
      append_big_endian(out, static_cast<std::int32_t>(std::strtoll(text.c_str(), nullptr, 10)));
      return out;
    case TypeKind::bigint:
      append_big_endian(out, static_cast<std::int64_t>(std::strtoll(text.c_str(), nullptr, 10)));
      return out;
    case TypeKind::double_:
      append_big_endian(out, std::bit_cast<std::int64_t>(std::strtod(text.c_str(), nullptr)));
      return out;
    default:
      return text;
  }
}

struct Part {
  const FormatInfo& format;
  const std::string& topic;
  bool is_key;
  std::vector<ColumnDef> columns;
  SchemaRegistry* registry;
};

std::optional<std::string> encode(const Json& spec, const Part& part) {
  const auto& [format, topic, is_key, columns, registry] = part;
  if (spec.is_null() || format.name == "NONE") return std::nullopt;
  if (spec.kind == Json::Kind::raw) return spec.text;
  if (format.name == "KAFKA") return encode_kafka(spec, columns);
  if (format.name == "JSON" || format.name == "DEBEZIUM_JSON") return print_json(spec, true);
  if (format.name == "DELIMITED") return scalar_text(spec);
  return encode_by_schema(spec, format, topic, is_key, columns, registry);
}

Json decode_kafka(std::string_view bytes, const std::vector<ColumnDef>& columns) {
  const TypeKind kind = columns.empty() ? TypeKind::string : columns.front().type.kind();
  if (kind == TypeKind::integer || kind == TypeKind::bigint)
    return Json::number(std::to_string(read_big_endian(bytes)));
  if (kind == TypeKind::double_) return Json::number(double_text(std::bit_cast<double>(read_big_endian(bytes))));
  return Json::string(std::string(bytes));
}

Json decode(const std::optional<std::string>& bytes, const Part& part) {
  const auto& [format, topic, is_key, columns, registry] = part;
  if (!bytes || format.name == "NONE") return {};
  if (format.name == "KAFKA") return decode_kafka(*bytes, columns);
  if (format.name == "DELIMITED") return Json::string(*bytes);
  if (format.name != "JSON") return decode_by_schema(*bytes, format, columns, registry);
  auto parsed = parse_json(*bytes);
  if (!parsed) throw std::runtime_error("the engine wrote bad JSON: " + *bytes);
  return std::move(*parsed);
}

RecordSpec::Window split_window(std::string& key, const WindowInfo& window) {
  const bool session = window.type == WindowType::session;
  const std::size_t bytes = session ? 16 : 8;
  if (key.size() < bytes) throw std::runtime_error("a windowed key is too short");
  const std::string_view tail = std::string_view(key).substr(key.size() - bytes);
  RecordSpec::Window out;
  out.session = session;
  out.start = read_big_endian(tail.substr(bytes - 8));
  out.end = session ? read_big_endian(tail.substr(0, 8)) : out.start + window.size_ms.value_or(0);
  key.resize(key.size() - bytes);
  return out;
}

}  // namespace

StoredRecord encode_record(const RecordSpec& spec, const SourceDef& source, SchemaRegistry* registry) {
  StoredRecord record;
  record.key = encode(spec.key, {source.key_format, source.topic, true, source.schema.keys(), registry});
  if (spec.window) {
    if (!record.key) record.key.emplace();
    if (spec.window->session) append_big_endian(*record.key, spec.window->end);
    append_big_endian(*record.key, spec.window->start);
  }
  record.value = encode(spec.value, {source.value_format, source.topic, false, source.schema.values(), registry});
  record.timestamp = spec.timestamp;
  record.headers = spec.headers;
  return record;
}

DecodedRecord decode_record(const StoredRecord& record, const SourceDef& sink, SchemaRegistry* registry) {
  DecodedRecord out;
  std::optional<std::string> key = record.key;
  if (sink.window && key) out.window = split_window(*key, *sink.window);
  out.key = decode(key, {sink.key_format, sink.topic, true, sink.schema.keys(), registry});
  out.value = decode(record.value, {sink.value_format, sink.topic, false, sink.schema.values(), registry});
  return out;
}

}  // namespace millrace::inline cli::harness
