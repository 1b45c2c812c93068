#include "exec/formats/schema_registrar.h"

#include <fmt/format.h>

#include "exec/formats/schema_format.h"
#include "exec/schemas/avro_schema.h"
#include "exec/schemas/debezium.h"
#include "exec/schemas/json_schema.h"
#include "exec/schemas/proto_schema.h"
#include "parser/error/sql_error.h"
#include "planner/catalog/formats.h"

namespace millrace::inline exec {
namespace {

constexpr std::string_view kNamespace = "io.confluent.ksql.avro_schemas";

[[noreturn]] void fail(const std::string& message) {
  throw SqlError(Code::invalid_schema, {}, message);
}

template <class T>
T checked(Result<T> result, std::string_view doing) {
  if (result) return std::move(*result);
  fail(fmt::format("{}: {}", doing, result.error().message));
}

/// UPPER_UNDERSCORE to UpperCamel.
std::string camel(std::string_view name) {
  std::string out;
  bool upper = true;
  for (const char c : name) {
    if (c == '_') {
      upper = true;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    out.push_back(static_cast<char>(upper ? std::toupper(byte) : std::tolower(byte)));
    upper = false;
  }
  return out;
}

std::string avro_name(const FormatInfo& format, const std::string& source, bool is_key) {
  if (!format.full_name.empty()) return format.full_name;
  if (is_key) return fmt::format("{}.{}Key", kNamespace, camel(source));
  return fmt::format("{}.KsqlDataSourceSchema", kNamespace);
}

bool is_bare(const FormatInfo& format, std::size_t columns, bool is_key) {
  return columns == 1 && (is_key ? has_bare_key(format, 1) : !format.wrap_single);
}

Result<Type> type_of(const FormatInfo& format, const SchemaText& schema) {
  if (format.name == "JSON_SR") return json_schema::sql_type(schema);
  if (format.name == "AVRO" || format.name == "DEBEZIUM_AVRO") {
    auto parsed = avro::parse(schema);
    if (!parsed) return parsed.error();
    return avro::sql_type(*(format.name == "AVRO" ? *parsed : debezium::row_schema(*parsed))->root);
  }
  auto parsed = proto::parse(schema);
  if (!parsed) return parsed.error();
  const proto::Message* message = (*parsed)->find(format.full_name);
  if (message == nullptr) return user_error("message {} is not in the Protobuf schema", format.full_name);
  return proto::sql_type(*message);
}

std::shared_ptr<const WriterSchema> writer_schema(std::int32_t id, SchemaText text) {
  auto writer = std::make_shared<WriterSchema>();
  writer->id = id;
  writer->schema = std::move(text);
  return writer;
}

}  // namespace

SchemaSource schema_for_columns(const FormatInfo& format, const std::string& source,
                                const std::vector<ColumnDef>& columns, bool is_key) {
  const bool bare = is_bare(format, columns.size(), is_key);
  SchemaSource out;
  out.kind = *schema_kind_of_format(format.name);
  if (out.kind == SchemaKind::avro)
    out.text = avro::text_for(columns, avro_name(format, source, is_key), bare, !is_key);
  else if (out.kind == SchemaKind::json)
    out.text = json_schema::text_for(columns, format.full_name, bare);
  else
    out.text = proto::print(*proto::file_for(columns, format));
  return out;
}

std::optional<InferredSchema> SchemaRegistrar::find_schema(const SchemaSubject& subject,
                                                           std::optional<std::int64_t> id) {
  constexpr std::string_view kDoing = "Could not read from the schema registry";
  const SchemaKind kind = *schema_kind_of_format(subject.format.name);
  SchemaSource source;
  std::int32_t found_id = 0;
  if (id) {
    found_id = static_cast<std::int32_t>(*id);
    auto found = checked(registry_.find(found_id), kDoing);
    if (!found) return std::nullopt;
    source = std::move(*found);
  } else {
    auto found = newest(subject_of(subject.format, subject.topic, subject.is_key), kDoing);
    if (!found) return std::nullopt;
    found_id = found->id;
    source = std::move(found->schema);
  }
  if (source.kind != kind)
    fail(fmt::format("Format '{}' of topic '{}' does not match the format of schema {}, which is {}.",
                     subject.format.name, subject.topic, found_id, schema_kind_name(source.kind)));
  SchemaText text = checked(resolve(registry_, source), kDoing);
  const std::string doing = fmt::format("Schema {} cannot be read as columns", found_id);
  Type type = checked(type_of(subject.format, text), doing);
  return InferredSchema{writer_schema(found_id, std::move(text)), std::move(type)};
}

std::shared_ptr<const WriterSchema> SchemaRegistrar::register_schema(const SchemaSubject& subject,
                                                                     const std::string& source,
                                                                     const std::vector<ColumnDef>& columns,
                                                                     bool only_new) {
  const std::string name = subject_of(subject.format, subject.topic, subject.is_key);
  const std::string doing = fmt::format("Could not register schema for topic: {}", subject.topic);
  if (only_new) {
    if (auto known = newest(name, doing)) {
      if (known->schema.kind != *schema_kind_of_format(subject.format.name)) return nullptr;
      auto writer = writer_schema(known->id, checked(resolve(registry_, known->schema), doing));
      return writing_fault(subject.format, *writer, columns, subject.is_key).empty() ? writer : nullptr;
    }
  }
  const SchemaSource schema = schema_for_columns(subject.format, source, columns, subject.is_key);
  if (mode_ == Mode::real) return writer_schema(checked(registry_.add(name, schema), doing), {schema.text, {}});
  if (const auto fault = checked(registry_.refusal(name, schema), doing))
    fail(fmt::format(
        "{}: Schema being registered is incompatible with an earlier schema for subject \"{}\", details: {}", doing,
        name, *fault));
  pretended_[name] = schema;
  ++registered_;
  return writer_schema(0, {schema.text, {}});
}

std::optional<SubjectVersion> SchemaRegistrar::newest(const std::string& subject, std::string_view doing) {
  const auto pretended = pretended_.find(subject);
  if (pretended != pretended_.end()) return SubjectVersion{subject, 0, 0, pretended->second};
  return checked(registry_.find(subject, 0), doing);
}

std::string SchemaRegistrar::writing_fault(const FormatInfo& format, const WriterSchema& schema,
                                           const std::vector<ColumnDef>& columns, bool is_key) {
  const Status good = check_writable(format, schema, columns, is_bare(format, columns.size(), is_key));
  return good ? std::string() : good.error().message;
}

}  // namespace millrace::inline exec
