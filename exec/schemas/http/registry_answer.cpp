#include "exec/schemas/http/registry_answer.h"

#include <boost/json.hpp>

namespace millrace::inline exec::registry_answer {
namespace {

namespace json = boost::json;

Error not_understood() {
  return external_error("the schema registry answers with something that is no answer of a schema registry");
}

std::string text_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value && value->is_string() ? std::string(value->as_string()) : "";
}

std::optional<int> number_of(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  if (value == nullptr || !value->is_int64()) return std::nullopt;
  const std::int64_t number = value->as_int64();
  return number < 0 || number > INT32_MAX ? std::nullopt : std::optional(static_cast<int>(number));
}

Result<json::object> object_in(const std::string& body) {
  boost::system::error_code error;
  json::value value = json::parse(body, error);
  if (error || !value.is_object()) return not_understood();
  return std::move(value.as_object());
}

Result<json::array> array_in(const std::string& body) {
  boost::system::error_code error;
  json::value value = json::parse(body, error);
  if (error || !value.is_array()) return not_understood();
  return std::move(value.as_array());
}

Result<SchemaSource> schema_from(const json::object& from) {
  SchemaSource out;
  const std::string type = text_of(from, "schemaType");
  const auto kind = find_schema_kind(type.empty() ? "AVRO" : type);
  if (!kind) return user_error("the schema registry has a schema of unknown type {}", type);
  out.kind = *kind;
  const json::value* schema = from.if_contains("schema");
  if (schema == nullptr || !schema->is_string()) return not_understood();
  out.text = std::string(schema->as_string());
  const json::value* references = from.if_contains("references");
  if (references == nullptr || !references->is_array()) return out;
  for (const json::value& item : references->as_array()) {
    if (!item.is_object()) return not_understood();
    const json::object& reference = item.as_object();
    out.references.push_back(
        {text_of(reference, "name"), text_of(reference, "subject"), number_of(reference, "version").value_or(0)});
  }
  return out;
}

}  // namespace

Result<SchemaSource> schema(const std::string& body) {
  const auto object = object_in(body);
  return object ? schema_from(*object) : object.error();
}

Result<SubjectVersion> version(const std::string& subject, const std::string& body) {
  const auto object = object_in(body);
  if (!object) return object.error();
  auto schema = schema_from(*object);
  if (!schema) return schema.error();
  const auto number = number_of(*object, "version"), id = number_of(*object, "id");
  if (!number || !id) return not_understood();
  return SubjectVersion{subject, *number, *id, std::move(*schema)};
}

Result<std::int32_t> id(const std::string& body) {
  const auto object = object_in(body);
  if (!object) return object.error();
  const auto id = number_of(*object, "id");
  return id ? Result<std::int32_t>(*id) : not_understood();
}

Result<std::vector<std::string>> names(const std::string& body) {
  const auto list = array_in(body);
  if (!list) return list.error();
  std::vector<std::string> out;
  for (const json::value& item : *list)
    if (item.is_string()) out.emplace_back(item.as_string());
  return out;
}

Result<std::vector<int>> numbers(const std::string& body) {
  const auto list = array_in(body);
  if (!list) return list.error();
  std::vector<int> out;
  for (const json::value& item : *list)
    if (item.is_int64() && item.as_int64() > 0 && item.as_int64() <= INT32_MAX)
      out.push_back(static_cast<int>(item.as_int64()));
  return out;
}

Result<std::optional<std::string>> refusal(const std::string& body) {
  const auto object = object_in(body);
  if (!object) return object.error();
  const json::value* compatible = object->if_contains("is_compatible");
  if (compatible == nullptr || !compatible->is_bool()) return not_understood();
  if (compatible->as_bool()) return std::optional<std::string>();
  std::string why;
  if (const json::value* messages = object->if_contains("messages"); messages && messages->is_array())
    for (const json::value& message : messages->as_array())
      if (message.is_string()) why += (why.empty() ? "" : "; ") + std::string(message.as_string());
  return std::optional(why.empty() ? std::string("the registry does not say why") : why);
}

std::string message(const std::string& body) {
  const auto object = object_in(body);
  return object ? text_of(*object, "message") : "";
}

}  // namespace millrace::inline exec::registry_answer
