#include "cli/testing/schema_wire.h"

#include <bit>
#include <cstring>
#include <stdexcept>

#include "cli/testing/avro_wire.h"
#include "cli/testing/proto_wire.h"
#include "cli/testing/value_text.h"
#include "exec/schemas/avro_schema.h"
#include "exec/schemas/json_schema.h"
#include "exec/schemas/proto_schema.h"

namespace millrace::inline cli::harness {
namespace {

template <class T>
T checked(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}

/// A JSON text with the names that the type has, and all its fields.
Json named_as(const Json& value, const Type& type, bool all) {
  Json out = value;
  if (type.kind() == TypeKind::array && value.kind == Json::Kind::array) {
    for (Json& item : out.items) item = named_as(item, type.element(), all);
  } else if (type.kind() == TypeKind::map && value.is_object()) {
    for (auto& member : out.members) member.second = named_as(member.second, type.value(), all);
  } else if (type.kind() == TypeKind::structure && value.is_object()) {
    out.members.clear();
    for (const StructField& field : type.fields()) {
      const Json* found = find_any_case(value, field.name);
      if (found || all) out.members.emplace_back(field.name, found ? named_as(*found, field.type, all) : Json());
    }
  } else if (type.kind() == TypeKind::string && value.kind != Json::Kind::string && !value.is_null() && !all) {
    if (value.is_number() || value.kind == Json::Kind::boolean) out = Json::string(scalar_text(value));
  }
  return out;
}

std::string frame(std::int32_t id) {
  std::string out(1, '\0');
  for (int shift = 24; shift >= 0; shift -= 8) out.push_back(static_cast<char>(id >> shift & 0xFF));
  return out;
}

std::int32_t take_frame(std::string_view& bytes) {
  if (bytes.size() < 5 || bytes[0] != 0) throw std::runtime_error("no schema id in front");
  std::uint32_t id = 0;
  for (int i = 1; i < 5; ++i) id = id << 8 | static_cast<unsigned char>(bytes[i]);
  bytes.remove_prefix(5);
  return static_cast<std::int32_t>(id);
}

SchemaText text_of(SchemaRegistry& registry, const SchemaSource& schema) {
  return checked(resolve(registry, schema));
}

// A top-level text of no bytes counts as null.
void empty_bytes_to_null(Json& value, const proto::Message& message) {
  for (auto& [name, member] : value.members)
    for (const proto::Field& field : message.fields)
      if (field.name == name && field.kind == proto::FieldKind::bytes && !field.repeated && member.text.empty())
        member = Json();
}

}  // namespace

std::string encode_by_schema(const Json& spec, const FormatInfo& format, const std::string& topic, bool is_key,
                             const std::vector<ColumnDef>& columns, SchemaRegistry* registry) {
  if (format.name == "PROTOBUF_NOSR") {
    const auto file = proto::file_for(columns, format);
    return encode_proto(spec, *file->roots.front());
  }
  if (registry == nullptr) throw std::runtime_error("there is no schema registry");
  const std::string subject = subject_name(topic, is_key);
  const auto newest = checked(registry->find(subject, 0));
  if (!newest) throw std::runtime_error("no schema under subject " + subject);
  const SchemaText text = text_of(*registry, newest->schema);
  std::string out = frame(newest->id);
  if (format.name == "JSON_SR")
    return out + print_json(named_as(spec, checked(json_schema::sql_type(text)), false), true);
  if (newest->schema.kind == SchemaKind::avro) return out + encode_avro(spec, *checked(avro::parse(text))->root);
  const auto file = checked(proto::parse(text));
  const proto::Message* message = file->find(format.full_name);
  if (message == nullptr) throw std::runtime_error("no message " + format.full_name);
  return out + proto::index_bytes(*message) + encode_proto(spec, *message);
}

Json decode_by_schema(std::string_view bytes, const FormatInfo& format, const std::vector<ColumnDef>& columns,
                      SchemaRegistry* registry) {
  if (format.name == "PROTOBUF_NOSR") {
    const auto file = proto::file_for(columns, format);
    Json out = decode_proto(bytes, *file->roots.front());
    empty_bytes_to_null(out, *file->roots.front());
    return out;
  }
  if (registry == nullptr) throw std::runtime_error("there is no schema registry");
  const std::int32_t id = take_frame(bytes);
  const auto schema = checked(registry->find(id));
  if (!schema)
    throw std::runtime_error("the engine wrote schema id " + std::to_string(id) + ", which is not registered");
  const SchemaText text = text_of(*registry, *schema);
  if (format.name == "JSON_SR") {
    const auto parsed = parse_json(bytes);
    if (!parsed) throw std::runtime_error("the engine wrote bad JSON: " + std::string(bytes));
    return named_as(*parsed, checked(json_schema::sql_type(text)), true);
  }
  if (format.name == "AVRO") return decode_avro(bytes, *checked(avro::parse(text))->root);
  const auto file = checked(proto::parse(text));
  const proto::Message* message = proto::take_message(*file, bytes);
  if (message == nullptr) throw std::runtime_error("the engine wrote no message index");
  Json out = decode_proto(bytes, *message);
  empty_bytes_to_null(out, *message);
  return out;
}

}  // namespace millrace::inline cli::harness
