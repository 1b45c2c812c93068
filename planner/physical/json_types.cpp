#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "planner/physical/json_codec.h"

namespace millrace::inline planner::plan_json {
namespace {

constexpr std::string_view kTypeNames[] = {"null",  "boolean", "integer", "bigint",    "decimal", "double", "string",
                                           "bytes", "time",    "date",    "timestamp", "array",   "map",    "struct"};

std::string hex(std::string_view bytes) {
  std::string out;
  for (const unsigned char c : bytes) out += fmt::format("{:02x}", c);
  return out;
}

std::string unhex(std::string_view text) {
  std::string out;
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    unsigned byte = 0;
    std::from_chars(text.data() + i, text.data() + i + 2, byte, 16);
    out.push_back(static_cast<char>(byte));
  }
  return out;
}

// Doubles and 128-bit integers as the bits they are: text would lose NaN, infinities and the far digits.
struct WriteValue {
  json::value operator()(std::monostate) const { return nullptr; }
  json::value operator()(bool v) const { return v; }
  json::value operator()(std::int32_t v) const { return {{"i", v}}; }
  json::value operator()(std::int64_t v) const { return {{"l", v}}; }
  json::value operator()(double v) const { return {{"d", std::bit_cast<std::int64_t>(v)}}; }
  json::value operator()(const Decimal& v) const {
    return {{"n", {static_cast<std::int64_t>(v.unscaled >> 64), static_cast<std::uint64_t>(v.unscaled), v.scale}}};
  }
  json::value operator()(const std::string& v) const { return json::string(v); }
  json::value operator()(const Bytes& v) const { return {{"b", hex(v.data)}}; }
  json::value operator()(Time v) const { return {{"time", v.millis}}; }
  json::value operator()(Date v) const { return {{"date", v.days}}; }
  json::value operator()(Timestamp v) const { return {{"ts", v.millis}}; }
  json::value operator()(const std::shared_ptr<const Value::List>& v) const { return {{"a", list(*v)}}; }
  json::value operator()(const std::shared_ptr<const Value::Map>& v) const {
    json::array entries;
    for (const auto& [key, value] : *v) {
      entries.push_back(write(key));
      entries.push_back(write(value));
    }
    return {{"m", entries}};
  }
  json::value operator()(const std::shared_ptr<const Value::Struct>& v) const { return {{"s", list(v->fields)}}; }

  static json::array list(const Value::List& items) {
    json::array out;
    for (const auto& item : items) out.push_back(write(item));
    return out;
  }
};

Value::List read_list(const json::value& value) {
  Value::List items;
  for (const auto& item : value.as_array()) items.push_back(read_value(item));
  return items;
}

Value read_decimal(const json::array& parts) {
  const Int128 high = parts.at(0).to_number<std::int64_t>();
  const auto low = parts.at(1).to_number<std::uint64_t>();
  return Decimal{.unscaled = (high << 64) | static_cast<Int128>(low), .scale = parts.at(2).to_number<int>()};
}

Value read_tagged(std::string_view tag, const json::value& v) {
  if (tag == "i") return v.to_number<std::int32_t>();
  if (tag == "l") return v.to_number<std::int64_t>();
  if (tag == "d") return std::bit_cast<double>(v.to_number<std::int64_t>());
  if (tag == "n") return read_decimal(v.as_array());
  if (tag == "b") return Bytes{unhex(v.as_string())};
  if (tag == "time") return Time{v.to_number<std::int32_t>()};
  if (tag == "date") return Date{v.to_number<std::int32_t>()};
  if (tag == "ts") return Timestamp{v.to_number<std::int64_t>()};
  if (tag == "a") return Value::list(read_list(v));
  if (tag == "s") return Value::structure(read_list(v));
  if (tag == "m") {
    const Value::List flat = read_list(v);
    Value::Map entries;
    for (std::size_t i = 0; i + 1 < flat.size(); i += 2) entries.emplace_back(flat[i], flat[i + 1]);
    return Value::map(std::move(entries));
  }
  malformed("value");
}

}  // namespace

void malformed(std::string_view what) {
  throw SqlError(Code::invalid_statement, Span{},
                 fmt::format("The stored plan has a {} that this version does not know.", what));
}

json::value write(const Type& type) {
  const std::string_view name = kTypeNames[static_cast<std::size_t>(type.kind())];
  switch (type.kind()) {
    case TypeKind::decimal:
      return {{"t", name}, {"p", type.precision()}, {"s", type.scale()}};
    case TypeKind::array:
      return {{"t", name}, {"e", write(type.element())}};
    case TypeKind::map:
      return {{"t", name}, {"k", write(type.key())}, {"v", write(type.value())}};
    case TypeKind::structure: {
      json::array fields;
      for (const auto& field : type.fields()) fields.push_back({{"name", field.name}, {"type", write(field.type)}});
      return {{"t", name}, {"f", fields}};
    }
    default:
      return json::string(name);
  }
}

Type read_type(const json::value& value) {
  const std::string_view name = value.is_string() ? value.as_string() : value.at("t").as_string();
  const auto at = std::find(std::begin(kTypeNames), std::end(kTypeNames), name);
  if (at == std::end(kTypeNames)) malformed("type");
  const auto kind = static_cast<TypeKind>(at - std::begin(kTypeNames));
  switch (kind) {
    case TypeKind::decimal:
      return Type::decimal(value.at("p").to_number<int>(), value.at("s").to_number<int>());
    case TypeKind::array:
      return Type::array(read_type(value.at("e")));
    case TypeKind::map:
      return Type::map(read_type(value.at("k")), read_type(value.at("v")));
    case TypeKind::structure: {
      std::vector<StructField> fields;
      for (const auto& field : value.at("f").as_array())
        fields.push_back({std::string(field.at("name").as_string()), read_type(field.at("type"))});
      return Type::structure(std::move(fields));
    }
    default:
      return Type(kind);
  }
}

json::value write(const Value& value) {
  return std::visit(WriteValue{}, value.data());
}

Value read_value(const json::value& value) {
  if (value.is_null()) return {};
  if (value.is_bool()) return value.as_bool();
  if (value.is_string()) return std::string(value.as_string());
  const auto& entry = *value.as_object().begin();
  return read_tagged(entry.key(), entry.value());
}

json::value write(const ColumnDef& column) {
  static constexpr std::string_view kRoles[] = {"key", "value", "header"};
  json::object out{{"name", column.name}, {"type", write(column.type)}};
  if (column.role != ColumnRole::value) out["role"] = kRoles[static_cast<std::size_t>(column.role)];
  if (column.header_key) out["header"] = *column.header_key;
  return out;
}

ColumnDef read_column(const json::value& value) {
  const json::object& from = value.as_object();
  ColumnDef column{std::string(from.at("name").as_string()), read_type(from.at("type")), ColumnRole::value,
                   std::nullopt};
  if (const auto* role = from.if_contains("role"))
    column.role = role->as_string() == "key" ? ColumnRole::key : ColumnRole::header;
  if (const auto* header = from.if_contains("header")) column.header_key = std::string(header->as_string());
  return column;
}

json::value write(const Schema& schema) {
  json::array columns;
  for (const auto& column : schema.columns) columns.push_back(write(column));
  return columns;
}

Schema read_schema(const json::value& value) {
  Schema schema;
  for (const auto& column : value.as_array()) schema.columns.push_back(read_column(column));
  return schema;
}

namespace {

json::value write(const WriterSchema& schema) {
  json::array imports;
  for (const auto& [name, text] : schema.schema.imports)
    imports.push_back(json::object{{"name", name}, {"text", text}});
  return {{"id", schema.id}, {"text", schema.schema.text}, {"imports", std::move(imports)}};
}

std::shared_ptr<const WriterSchema> read_writer_schema(const json::value& value) {
  auto schema = std::make_shared<WriterSchema>();
  schema->id = value.at("id").to_number<std::int32_t>();
  schema->schema.text = std::string(value.at("text").as_string());
  for (const json::value& import : value.at("imports").as_array())
    schema->schema.imports.emplace_back(import.at("name").as_string(), import.at("text").as_string());
  return schema;
}

}  // namespace

json::value write(const FormatInfo& format) {
  json::object out{
      {"name", format.name}, {"delimiter", std::string(1, format.delimiter)}, {"wrap", format.wrap_single}};
  if (format.nullable != NullableRepresentation::none) out["nullable"] = static_cast<int>(format.nullable);
  if (!format.full_name.empty()) out["full_name"] = format.full_name;
  if (format.naming != SubjectNaming::topic) out["naming"] = static_cast<int>(format.naming);
  if (format.schema) out["schema"] = write(*format.schema);
  return out;
}

FormatInfo read_format(const json::value& value) {
  const json::object& from = value.as_object();
  const auto& delimiter = from.at("delimiter").as_string();
  FormatInfo format{.name = std::string(from.at("name").as_string()),
                    .delimiter = delimiter.empty() ? '\0' : delimiter.front(),
                    .wrap_single = from.at("wrap").as_bool()};
  if (const auto* nullable = from.if_contains("nullable"))
    format.nullable = static_cast<NullableRepresentation>(nullable->to_number<int>());
  if (const auto* name = from.if_contains("full_name")) format.full_name = std::string(name->as_string());
  if (const auto* naming = from.if_contains("naming"))
    format.naming = static_cast<SubjectNaming>(naming->to_number<int>());
  if (const auto* schema = from.if_contains("schema")) format.schema = read_writer_schema(*schema);
  return format;
}

json::value write(const std::optional<WindowInfo>& window) {
  if (!window) return nullptr;
  json::object out{{"type", static_cast<int>(window->type)}};
  if (window->size_ms) out["size"] = *window->size_ms;
  return out;
}

std::optional<WindowInfo> read_window(const json::value& value) {
  if (value.is_null()) return std::nullopt;
  const json::object& from = value.as_object();
  WindowInfo window{.type = static_cast<WindowType>(from.at("type").to_number<int>()), .size_ms = {}};
  if (const auto* size = from.if_contains("size")) window.size_ms = size->to_number<std::int64_t>();
  return window;
}

}  // namespace millrace::inline planner::plan_json
