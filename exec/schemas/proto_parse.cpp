#include <fmt/format.h>
#include <google/protobuf/compiler/parser.h>
#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/descriptor_database.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <google/protobuf/stubs/logging.h>

#include <algorithm>
#include <map>

#include "exec/schemas/proto_schema.h"
#include "exec/schemas/proto_well_known.h"
#include "planner/types/value.h"

namespace millrace::inline exec::proto {
namespace {

namespace pb = google::protobuf;

class Errors final : public pb::io::ErrorCollector, public pb::DescriptorPool::ErrorCollector {
 public:
  void AddError(int line, int column, const std::string& message) override {
    if (text_.empty()) text_ = fmt::format("line {}:{}: {}", line + 1, column + 1, message);
  }
  void AddError(const std::string&, const std::string& element, const pb::Message*, ErrorLocation,
                const std::string& message) override {
    if (text_.empty()) text_ = fmt::format("{}: {}", element, message);
  }
  const std::string& text() const { return text_; }

 private:
  std::string text_;
};

/// Files by name, parsed when first asked for. Some clients register a FileDescriptorProto in base64 instead of a text.
class Files final : public pb::DescriptorDatabase {
 public:
  Files(const SchemaText& schema, Errors& errors) : errors_(errors) {
    for (const auto& [name, text] : schema.imports) texts_[name] = text;
    texts_[std::string(kRoot)] = schema.text;
  }
  static constexpr std::string_view kRoot = "schema.proto";

  bool FindFileByName(const std::string& name, pb::FileDescriptorProto* out) override {
    if (name == "google/protobuf/descriptor.proto") {
      pb::FileDescriptorProto::descriptor()->file()->CopyTo(out);
      return true;
    }
    const auto given = texts_.find(name);
    const std::string_view text = given != texts_.end() ? std::string_view(given->second) : well_known_file(name);
    if (text.empty()) {
      errors_.AddError(0, 0, fmt::format("import \"{}\" is not among the schema's references", name));
      return false;
    }
    if (std::string bytes; base64_decode(text, bytes) && out->ParseFromString(bytes)) {
      out->set_name(name);
      return true;
    }
    pb::io::ArrayInputStream stream(text.data(), static_cast<int>(text.size()));
    pb::io::Tokenizer tokenizer(&stream, &errors_);
    pb::compiler::Parser parser;
    parser.RecordErrorsTo(&errors_);
    out->set_name(name);
    return parser.Parse(&tokenizer, out) && errors_.text().empty();
  }
  bool FindFileContainingSymbol(const std::string&, pb::FileDescriptorProto*) override { return false; }
  bool FindFileContainingExtension(const std::string&, int, pb::FileDescriptorProto*) override { return false; }

 private:
  std::map<std::string, std::string, std::less<>> texts_;
  Errors& errors_;
};

FieldKind kind_of(pb::FieldDescriptor::Type type) {
  switch (type) {
    case pb::FieldDescriptor::TYPE_BOOL:
      return FieldKind::boolean;
    case pb::FieldDescriptor::TYPE_INT32:
      return FieldKind::int32;
    case pb::FieldDescriptor::TYPE_SINT32:
      return FieldKind::sint32;
    case pb::FieldDescriptor::TYPE_SFIXED32:
      return FieldKind::sfixed32;
    case pb::FieldDescriptor::TYPE_UINT32:
      return FieldKind::uint32;
    case pb::FieldDescriptor::TYPE_FIXED32:
      return FieldKind::fixed32;
    case pb::FieldDescriptor::TYPE_INT64:
      return FieldKind::int64;
    case pb::FieldDescriptor::TYPE_SINT64:
      return FieldKind::sint64;
    case pb::FieldDescriptor::TYPE_SFIXED64:
      return FieldKind::sfixed64;
    case pb::FieldDescriptor::TYPE_UINT64:
      return FieldKind::uint64;
    case pb::FieldDescriptor::TYPE_FIXED64:
      return FieldKind::fixed64;
    case pb::FieldDescriptor::TYPE_FLOAT:
      return FieldKind::float_;
    case pb::FieldDescriptor::TYPE_DOUBLE:
      return FieldKind::double_;
    case pb::FieldDescriptor::TYPE_STRING:
      return FieldKind::string;
    case pb::FieldDescriptor::TYPE_BYTES:
      return FieldKind::bytes;
    case pb::FieldDescriptor::TYPE_ENUM:
      return FieldKind::enumeration;
    default:
      return FieldKind::message;
  }
}

Meaning meaning_of(const pb::Descriptor& message) {
  static const std::map<std::string_view, Meaning> kMeanings = {
      {"google.protobuf.Timestamp", Meaning::timestamp}, {"google.type.Date", Meaning::date},
      {"google.type.TimeOfDay", Meaning::time_of_day},   {"confluent.type.Decimal", Meaning::decimal},
      {"google.protobuf.DoubleValue", Meaning::wrapper}, {"google.protobuf.FloatValue", Meaning::wrapper},
      {"google.protobuf.Int64Value", Meaning::wrapper},  {"google.protobuf.UInt64Value", Meaning::wrapper},
      {"google.protobuf.Int32Value", Meaning::wrapper},  {"google.protobuf.UInt32Value", Meaning::wrapper},
      {"google.protobuf.BoolValue", Meaning::wrapper},   {"google.protobuf.StringValue", Meaning::wrapper},
      {"google.protobuf.BytesValue", Meaning::wrapper}};
  const auto found = kMeanings.find(message.full_name());
  return found == kMeanings.end() ? Meaning::none : found->second;
}

/// precision and scale of `(confluent.field_meta) = {params: …}`, as the option prints.
void read_decimal_options(const pb::FieldDescriptor& descriptor, Field& field) {
  const std::string text = descriptor.DebugString();
  const auto param = [&](std::string_view key) {
    const std::size_t at = text.find(fmt::format("key: \"{}\"", key));
    if (at == std::string::npos) return 0;
    const std::size_t open = text.rfind('{', at), close = text.find('}', at);
    const std::size_t value = text.find("value: \"", open);
    return value < close ? std::atoi(text.c_str() + value + 8) : 0;
  };
  const int precision = param("precision");
  field.scale = std::clamp(param("scale"), 0, 38);
  field.precision = precision == 0 ? 0 : std::clamp(precision, std::max(field.scale, 1), 38);
}

class Converter {
 public:
  explicit Converter(File& file) : file_(file) {}

  Message& message(const pb::Descriptor& descriptor) {
    if (const auto found = messages_.find(&descriptor); found != messages_.end()) return *found->second;
    Message& out = file_.messages.emplace_back();
    messages_.emplace(&descriptor, &out);
    out.full_name = descriptor.full_name();
    out.meaning = meaning_of(descriptor);
    out.map_entry = descriptor.options().map_entry();
    for (int i = 0; i < descriptor.real_oneof_decl_count(); ++i) out.oneofs.push_back(descriptor.oneof_decl(i)->name());
    for (int i = 0; i < descriptor.nested_type_count(); ++i) out.nested.push_back(&message(*descriptor.nested_type(i)));
    for (const pb::Descriptor* at = &descriptor; at != nullptr; at = at->containing_type())
      out.path.insert(out.path.begin(), at->index());
    for (int i = 0; i < descriptor.field_count(); ++i) out.fields.push_back(field(*descriptor.field(i)));
    return out;
  }

 private:
  Field field(const pb::FieldDescriptor& descriptor) {
    Field out{.name = descriptor.name(),
              .number = static_cast<std::uint32_t>(descriptor.number()),
              .kind = kind_of(descriptor.type()),
              .repeated = descriptor.is_repeated(),
              .presence = descriptor.has_presence(),
              .required = descriptor.is_required(),
              .message = nullptr,
              .enumeration = nullptr};
    if (const auto* oneof = descriptor.real_containing_oneof()) out.oneof = oneof->index();
    if (descriptor.message_type()) out.message = &message(*descriptor.message_type());
    if (descriptor.enum_type()) out.enumeration = &enumeration(*descriptor.enum_type());
    if (out.message && out.message->meaning == Meaning::decimal) read_decimal_options(descriptor, out);
    return out;
  }

  Enumeration& enumeration(const pb::EnumDescriptor& descriptor) {
    if (const auto found = enumerations_.find(&descriptor); found != enumerations_.end()) return *found->second;
    Enumeration& out = file_.enumerations.emplace_back();
    enumerations_.emplace(&descriptor, &out);
    for (int i = 0; i < descriptor.value_count(); ++i)
      out.values.emplace_back(descriptor.value(i)->number(), descriptor.value(i)->name());
    return out;
  }

  File& file_;
  std::map<const pb::Descriptor*, Message*> messages_;
  std::map<const pb::EnumDescriptor*, Enumeration*> enumerations_;
};

/// The root file with all that it imports; null: see error().
struct Parsed {
  explicit Parsed(const SchemaText& schema)
      : files(schema, errors), pool(&files, &errors), file(pool.FindFileByName(std::string(Files::kRoot))) {}
  Error error() const {
    return user_error("not a Protobuf schema: {}", errors.text().empty() ? "it cannot be parsed" : errors.text());
  }

  Errors errors;
  Files files;
  pb::DescriptorPool pool;
  const pb::FileDescriptor* file;
};

void forget_json_names(pb::DescriptorProto& message) {
  for (auto& field : *message.mutable_field()) field.clear_json_name();
  for (auto& nested : *message.mutable_nested_type()) forget_json_names(nested);
}

}  // namespace

Result<FilePtr> parse(const SchemaText& schema) {
  const pb::LogSilencer silence;  // what is wrong goes to who asked
  Parsed parsed(schema);
  if (!parsed.file) return parsed.error();
  auto file = std::make_shared<File>();
  file->package = parsed.file->package();
  Converter converter(*file);
  for (int i = 0; i < parsed.file->message_type_count(); ++i)
    file->roots.push_back(&converter.message(*parsed.file->message_type(i)));
  return FilePtr(std::move(file));
}

Result<std::string> canonical(const std::string& text) {
  const pb::LogSilencer silence;
  const SchemaText alone{text, {}};
  Errors errors;
  pb::FileDescriptorProto file;
  if (!Files(alone, errors).FindFileByName(std::string(Files::kRoot), &file))
    return user_error("not a Protobuf schema: {}", errors.text());
  // Compilers fill in what a text leaves out.
  file.clear_source_code_info();
  if (file.syntax().empty()) file.set_syntax("proto2");
  for (auto& message : *file.mutable_message_type()) forget_json_names(message);
  return file.SerializeAsString();
}

Result<std::string> normalized(const SchemaText& schema) {
  const pb::LogSilencer silence;
  Parsed parsed(schema);
  if (!parsed.file) return parsed.error();
  return parsed.file->DebugString();
}

Result<std::string> serialized(const SchemaText& schema) {
  const pb::LogSilencer silence;
  Parsed parsed(schema);
  if (!parsed.file) return parsed.error();
  pb::FileDescriptorProto out;
  parsed.file->CopyTo(&out);
  return base64_encode(out.SerializeAsString());
}

}  // namespace millrace::inline exec::proto
