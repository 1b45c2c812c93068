#include "exec/schemas/schema_forms.h"

#include <algorithm>
#include <array>
#include <boost/json.hpp>

#include "exec/schemas/proto_schema.h"

namespace millrace::inline exec {
namespace {

namespace json = boost::json;

Result<json::value> parse_json(const std::string& text) {
  boost::system::error_code error;
  json::parse_options options;
  options.max_depth = 512;
  json::value value = json::parse(text, error, {}, options);
  if (error) return user_error("it is not JSON ({})", error.message());
  return value;
}

json::value with_sorted_keys(const json::value& value) {
  if (value.is_array()) {
    json::array out;
    for (const json::value& one : value.as_array()) out.push_back(with_sorted_keys(one));
    return out;
  }
  if (!value.is_object()) return value;
  std::vector<std::string_view> keys;
  for (const auto& pair : value.as_object()) keys.emplace_back(pair.key());
  std::ranges::sort(keys);
  json::object out;
  for (const std::string_view key : keys) out[key] = with_sorted_keys(value.as_object().at(key));
  return out;
}

std::string text_in(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value && value->is_string() ? std::string(value->as_string()) : "";
}

/// Avro with full names, attributes in one order, and types that are nothing but a name as the name.
class AvroForm {
 public:
  json::value type(const json::value& value, const std::string& space) {
    if (value.is_string()) return json::value(name_of(std::string(value.as_string()), space));
    if (value.is_array()) {
      json::array out;
      for (const json::value& one : value.as_array()) out.push_back(type(one, space));
      return out;
    }
    return value.is_object() ? object(value.as_object(), space) : value;
  }

 private:
  static bool is_primitive(std::string_view name) {
    constexpr std::array kNames = {"null", "boolean", "int", "long", "float", "double", "bytes", "string"};
    return std::ranges::find(kNames, name) != kNames.end();
  }

  static std::string name_of(const std::string& name, const std::string& space) {
    return space.empty() || name.find('.') != std::string::npos || is_primitive(name) ? name : space + "." + name;
  }

  json::value object(const json::object& from, std::string space) {
    const std::string word = text_in(from, "type");
    if (from.size() == 1 && is_primitive(word)) return json::value(word);
    json::object out;
    std::string name = text_in(from, "name");
    if (!name.empty() && !word.empty()) {
      if (const std::size_t dot = name.rfind('.'); dot != std::string::npos)
        space = name.substr(0, dot);
      else if (from.contains("namespace"))
        space = text_in(from, "namespace");
      out["name"] = name_of(name, space);
    }
    std::vector<std::string_view> keys;
    for (const auto& pair : from)
      if (pair.key() != "namespace" && !out.contains(pair.key())) keys.emplace_back(pair.key());
    std::ranges::sort(keys);
    for (const std::string_view key : keys) out[key] = attribute(key, from.at(key), word, space);
    return out;
  }

  json::value attribute(std::string_view key, const json::value& value, const std::string& word,
                        const std::string& space) {
    const bool complex =
        word == "record" || word == "error" || word == "enum" || word == "fixed" || word == "array" || word == "map";
    if (key == "type") return complex ? value : type(value, space);
    if (key == "items" || key == "values") return type(value, space);
    if (key != "fields" || !value.is_array()) return with_sorted_keys(value);
    json::array out;
    for (const json::value& field : value.as_array()) out.push_back(this->field(field, space));
    return out;
  }

  json::value field(const json::value& from, const std::string& space) {
    if (!from.is_object()) return from;
    json::object out;
    out["name"] = text_in(from.as_object(), "name");
    const json::value sorted = with_sorted_keys(from);
    for (const auto& [key, value] : sorted.as_object())
      if (key != "name") out[key] = key == "type" ? type(value, space) : value;
    return out;
  }
};

}  // namespace

std::string canonical_form(SchemaKind kind, const std::string& text) {
  if (kind == SchemaKind::protobuf) {
    auto bytes = proto::canonical(text);
    if (bytes) return std::move(*bytes);
    return text;
  }
  const auto value = parse_json(text);
  return value ? json::serialize(*value) : text;
}

Result<std::string> normal_form(SchemaKind kind, const SchemaText& schema) {
  if (kind == SchemaKind::protobuf) return proto::normalized(schema);
  auto value = parse_json(schema.text);
  if (!value && kind == SchemaKind::avro) return schema.text;  // the bare name of a primitive type
  if (!value) return value.error();
  return json::serialize(kind == SchemaKind::avro ? AvroForm().type(*value, "") : with_sorted_keys(*value));
}

}  // namespace millrace::inline exec
