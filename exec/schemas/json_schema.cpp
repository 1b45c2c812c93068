#include "exec/schemas/json_schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <optional>

#include "exec/schemas/json_documents.h"

namespace millrace::inline exec::json_schema {
namespace {

namespace json = boost::json;

constexpr int kMaxDepth = 64;

std::string text_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value && value->is_string() ? std::string(value->as_string()) : "";
}

const json::array* array_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value && value->is_array() ? &value->as_array() : nullptr;
}
const json::object* object_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value && value->is_object() ? &value->as_object() : nullptr;
}

bool is_null_type(const json::value& schema) {
  return schema.is_object() && text_of(schema.as_object(), "type") == "null";
}

/// The one type a schema names beside null; empty: none or several.
std::string type_word(const json::object& schema) {
  const json::array* words = array_of(schema, "type");
  if (!words) return text_of(schema, "type");
  std::string only;
  for (const json::value& word : *words) {
    if (!word.is_string() || word.as_string() == "null") continue;
    if (!only.empty()) return "";
    only = std::string(word.as_string());
  }
  return only;
}

class Reader {
 public:
  explicit Reader(const Documents& documents) : documents_(documents) {}

  Result<Type> read() { return type(documents_.root(), 0, 0); }

 private:
  Result<Type> type(const json::value& value, std::size_t document, int depth) {
    if (depth > kMaxDepth)
      return user_error("the JSON Schema holds itself, or is nested too deeply: name the columns in the statement");
    if (!value.is_object()) return user_error("a JSON Schema must be an object");
    const json::object& schema = value.as_object();
    if (const std::string reference = text_of(schema, "$ref"); !reference.empty())
      return resolved(reference, document, depth);
    for (const char* word : {"oneOf", "anyOf"})
      if (const json::array* choices = array_of(schema, word)) return choice(*choices, document, depth);
    if (const json::array* parts = array_of(schema, "allOf")) return all_of(schema, *parts, document, depth);
    if (auto logical = logical_type(schema)) return *logical;
    const std::string word = type_word(schema);
    const std::string connect = text_of(schema, "connect.type");
    if (word == "boolean") return Type::boolean();
    if (word == "integer") {
      const bool narrow = connect == "int8" || connect == "int16" || connect == "int32";
      return narrow ? Type::integer() : Type::bigint();
    }
    if (word == "number") return Type::double_();
    if (word == "string" || (word.empty() && array_of(schema, "enum")))
      return connect == "bytes" ? Type::bytes() : Type::string();
    if (word == "array") return list(schema, connect == "map", document, depth);
    if (word == "object" || object_of(schema, "properties")) return object(schema, document, depth);
    return user_error("a JSON Schema without one type has no SQL type: {}", json::serialize(schema));
  }

  static std::optional<Type> logical_type(const json::object& schema) {
    const std::string title = text_of(schema, "title");
    constexpr std::string_view kConnect = "org.apache.kafka.connect.data.";
    if (!title.starts_with(kConnect)) return std::nullopt;
    const std::string_view name = std::string_view(title).substr(kConnect.size());
    if (name == "Date") return Type::date();
    if (name == "Time") return Type::time();
    if (name == "Timestamp") return Type::timestamp();
    if (name != "Decimal") return std::nullopt;
    const json::object* parameters = object_of(schema, "connect.parameters");
    const auto number = [&](std::string_view key, int otherwise) {
      const std::string text = parameters ? text_of(*parameters, key) : "";
      return text.empty() ? otherwise : std::atoi(text.c_str());
    };
    const int precision = std::clamp(number("connect.decimal.precision", 38), 1, 38);
    return Type::decimal(precision, std::clamp(number("scale", 0), 0, precision));
  }

  Result<Type> choice(const json::array& choices, std::size_t document, int depth) {
    const auto is_value = [](const json::value& c) { return !is_null_type(c); };
    const auto count = std::ranges::count_if(choices, is_value);
    if (count == 1) return type(*std::ranges::find_if(choices, is_value), document, depth + 1);
    std::vector<StructField> fields;
    for (const json::value& one : choices) {
      if (is_null_type(one)) continue;
      auto inner = type(one, document, depth + 1);
      if (!inner) return inner;
      fields.push_back({fmt::format("connect_union_field_{}", fields.size()), *inner});
    }
    return Type::structure(std::move(fields));
  }

  Result<Type> all_of(const json::object& schema, const json::array& parts, std::size_t document, int depth) {
    if (parts.size() == 1) return type(parts.front(), document, depth + 1);
    std::vector<StructField> fields;
    const auto take = [&](const Result<Type>& part) -> Status {
      if (!part) return part.error();
      if (part->kind() != TypeKind::structure) return user_error("allOf of other things than objects has no SQL type");
      for (const StructField& field : part->fields())
        if (std::ranges::find(fields, field.name, &StructField::name) == fields.end()) fields.push_back(field);
      return {};
    };
    if (object_of(schema, "properties"))
      if (auto done = take(object(schema, document, depth + 1)); !done) return done.error();
    for (const json::value& part : parts)
      if (auto done = take(type(part, document, depth + 1)); !done) return done.error();
    return Type::structure(std::move(fields));
  }

  Result<Type> list(const json::object& schema, bool map, std::size_t document, int depth) {
    const json::value* items = schema.if_contains("items");
    if (items == nullptr) return user_error("an array without items has no SQL type");
    auto inner = type(*items, document, depth + 1);
    if (!inner || !map) return inner ? Result<Type>(Type::array(*inner)) : inner;
    if (inner->kind() == TypeKind::structure)
      for (const StructField& field : inner->fields())
        if (field.name == "value") return Type::map(Type::string(), field.type);
    return user_error("the entries of a map must be objects of key and value");
  }

  Result<Type> object(const json::object& schema, std::size_t document, int depth) {
    const json::object* properties = object_of(schema, "properties");
    const json::object* values = object_of(schema, "additionalProperties");
    if ((!properties || properties->empty()) && values) {
      auto inner = type(*schema.if_contains("additionalProperties"), document, depth + 1);
      return inner ? Result<Type>(Type::map(Type::string(), *inner)) : inner;
    }
    if (!properties) return Type::map(Type::string(), Type::string());
    std::vector<std::pair<std::int64_t, StructField>> fields;
    for (const auto& [name, property] : *properties) {
      auto inner = type(property, document, depth + 1);
      if (!inner) return inner;
      const json::value* index = property.is_object() ? property.as_object().if_contains("connect.index") : nullptr;
      const std::int64_t place = index && index->is_int64() ? index->as_int64() : INT64_MAX;
      fields.emplace_back(place, StructField{std::string(name), *inner});
    }
    std::ranges::stable_sort(fields, {}, [](const auto& field) { return field.first; });
    std::vector<StructField> ordered;
    for (auto& [place, field] : fields) ordered.push_back(std::move(field));
    return Type::structure(std::move(ordered));
  }

  Result<Type> resolved(const std::string& reference, std::size_t document, int depth) {
    const auto target = documents_.resolve(reference, document);
    return target ? type(**target, document, depth + 1) : target.error();
  }

  const Documents& documents_;
};

json::object logical(std::string_view type, std::string_view name, std::string_view connect) {
  return {{"type", type},
          {"title", fmt::format("org.apache.kafka.connect.data.{}", name)},
          {"connect.version", 1},
          {"connect.type", connect}};
}

json::object nullable(json::object type) {
  return {{"oneOf", json::array{json::object{{"type", "null"}}, std::move(type)}}};
}

json::object write(const Type& type);

template <class Fields>
json::object write_fields(const Fields& columns) {
  json::object properties;
  std::int64_t index = 0;
  for (const auto& column : columns) {
    json::object field{{"connect.index", index++}};
    for (auto& [name, value] : nullable(write(column.type))) field[name] = std::move(value);
    properties[column.name] = std::move(field);
  }
  return {{"type", "object"}, {"properties", std::move(properties)}};
}

json::object write(const Type& type) {
  switch (type.kind()) {
    case TypeKind::boolean:
      return {{"type", "boolean"}};
    case TypeKind::integer:
      return {{"type", "integer"}, {"connect.type", "int32"}};
    case TypeKind::bigint:
      return {{"type", "integer"}, {"connect.type", "int64"}};
    case TypeKind::double_:
      return {{"type", "number"}, {"connect.type", "float64"}};
    case TypeKind::bytes:
      return {{"type", "string"}, {"connect.type", "bytes"}};
    case TypeKind::date:
      return logical("integer", "Date", "int32");
    case TypeKind::time:
      return logical("integer", "Time", "int32");
    case TypeKind::timestamp:
      return logical("integer", "Timestamp", "int64");
    case TypeKind::decimal: {
      json::object out = logical("number", "Decimal", "bytes");
      out["connect.parameters"] = json::object{{"scale", std::to_string(type.scale())},
                                               {"connect.decimal.precision", std::to_string(type.precision())}};
      return out;
    }
    case TypeKind::array:
      return {{"type", "array"}, {"items", nullable(write(type.element()))}};
    case TypeKind::map:
      return {{"type", "object"}, {"connect.type", "map"}, {"additionalProperties", nullable(write(type.value()))}};
    case TypeKind::structure:
      return write_fields(type.fields());
    default:
      return {{"type", "string"}};
  }
}

}  // namespace

Result<Type> sql_type(const SchemaText& schema) {
  const auto documents = Documents::parse(schema);
  return documents ? Reader(*documents).read() : documents.error();
}

std::string text_for(const std::vector<ColumnDef>& columns, const std::string& full_name, bool bare) {
  json::object schema = bare ? nullable(write(columns.front().type)) : write_fields(columns);
  if (!full_name.empty()) schema["title"] = full_name;
  return json::serialize(schema);
}

}  // namespace millrace::inline exec::json_schema
