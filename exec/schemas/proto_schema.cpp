#include "exec/schemas/proto_schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "parser/error/letter_case.h"

namespace millrace::inline exec::proto {
namespace {

FieldKind scalar_kind(TypeKind kind) {
  switch (kind) {
    case TypeKind::boolean:
      return FieldKind::boolean;
    case TypeKind::integer:
      return FieldKind::int32;
    case TypeKind::bigint:
      return FieldKind::int64;
    case TypeKind::double_:
      return FieldKind::double_;
    case TypeKind::string:
      return FieldKind::string;
    case TypeKind::bytes:
      return FieldKind::bytes;
    default:
      return FieldKind::message;
  }
}

std::string_view wrapper_name(FieldKind kind) {
  switch (kind) {
    case FieldKind::boolean:
      return "google.protobuf.BoolValue";
    case FieldKind::int32:
      return "google.protobuf.Int32Value";
    case FieldKind::int64:
      return "google.protobuf.Int64Value";
    case FieldKind::double_:
      return "google.protobuf.DoubleValue";
    case FieldKind::string:
      return "google.protobuf.StringValue";
    default:
      return "google.protobuf.BytesValue";
  }
}

/// Makes the messages for columns, named ConnectDefault1, 2, ... from outside in, as Connect's converter does.
class FileMaker {
 public:
  FileMaker(const FormatInfo& format, MapEntries entries) : nullable_(format.nullable), entries_(entries) {
    const std::size_t dot = format.full_name.rfind('.');
    if (dot != std::string::npos) file_->package = format.full_name.substr(0, dot);
    root_name_ = dot == std::string::npos ? format.full_name : format.full_name.substr(dot + 1);
  }

  FilePtr make(const std::vector<ColumnDef>& columns) {
    Message& root = add("");
    root.path = {0};
    std::uint32_t number = 0;
    for (const ColumnDef& column : columns) root.fields.push_back(field(root, column.name, ++number, column.type));
    file_->roots.push_back(&root);
    return file_;
  }

 private:
  Message& add(const std::string& scope) {
    Message& message = file_->messages.emplace_back();
    const std::string name =
        scope.empty() && !root_name_.empty() ? root_name_ : fmt::format("ConnectDefault{}", ++count_);
    message.full_name =
        scope.empty() ? (file_->package.empty() ? name : file_->package + "." + name) : scope + "." + name;
    return message;
  }

  const Message* known(std::string_view name, Meaning meaning, std::vector<Field> fields) {
    for (const Message& message : file_->messages)
      if (message.full_name == name) return &message;
    Message& message = file_->messages.emplace_back();
    message.full_name = name;
    message.meaning = meaning;
    message.fields = std::move(fields);
    return &message;
  }

  static Field plain(std::string name, std::uint32_t number, FieldKind kind) {
    return {.name = std::move(name), .number = number, .kind = kind, .message = nullptr, .enumeration = nullptr};
  }

  void set_message(Message& parent, Field& out, const Type& type) {
    switch (type.kind()) {
      case TypeKind::timestamp:
        out.message = known("google.protobuf.Timestamp", Meaning::timestamp,
                            {plain("seconds", 1, FieldKind::int64), plain("nanos", 2, FieldKind::int32)});
        break;
      case TypeKind::date:
        out.message = known("google.type.Date", Meaning::date,
                            {plain("year", 1, FieldKind::int32), plain("month", 2, FieldKind::int32),
                             plain("day", 3, FieldKind::int32)});
        break;
      case TypeKind::time:
        out.message = known("google.type.TimeOfDay", Meaning::time_of_day,
                            {plain("hours", 1, FieldKind::int32), plain("minutes", 2, FieldKind::int32),
                             plain("seconds", 3, FieldKind::int32), plain("nanos", 4, FieldKind::int32)});
        break;
      case TypeKind::decimal:
        out.message = known("confluent.type.Decimal", Meaning::decimal,
                            {plain("value", 1, FieldKind::bytes), plain("precision", 2, FieldKind::uint32),
                             plain("scale", 3, FieldKind::int32)});
        out.precision = type.precision();
        out.scale = type.scale();
        break;
      default:
        out.message = structure(parent, type);
        break;
    }
  }

  static void nest(Message& parent, Message& message) {
    message.path = parent.path;
    message.path.push_back(static_cast<int>(parent.nested.size()));
    parent.nested.push_back(&message);
  }

  const Message* structure(Message& parent, const Type& type) {
    Message& message = add(parent.full_name);
    nest(parent, message);
    std::uint32_t number = 0;
    for (const StructField& inner : type.fields())
      message.fields.push_back(field(message, inner.name, ++number, inner.type));
    return &message;
  }

  const Message* map_entry(Message& parent, const std::string& name, const Type& type) {
    const bool apart = entries_ == MapEntries::messages;
    Message& message = apart ? add(parent.full_name) : file_->messages.emplace_back();
    if (apart) nest(parent, message);
    message.full_name = apart ? message.full_name + "Entry" : parent.full_name + "." + name + "Entry";
    message.map_entry = true;
    const auto nullable = std::exchange(nullable_, NullableRepresentation::none);
    Message& scope = apart ? message : parent;
    message.fields.push_back(field(scope, "key", 1, type.key()));
    message.fields.push_back(field(scope, "value", 2, type.value()));
    nullable_ = nullable;
    return &message;
  }

  Field field(Message& parent, const std::string& name, std::uint32_t number, const Type& type) {
    Field out = plain(name, number, scalar_kind(type.kind()));
    if (type.kind() == TypeKind::map) {
      out.repeated = true;
      out.message = map_entry(parent, name, type);
    } else if (type.kind() == TypeKind::array) {
      const auto nullable = std::exchange(nullable_, NullableRepresentation::none);
      out = field(parent, name, number, type.element());
      nullable_ = nullable;
      out.repeated = true;
    } else if (out.kind == FieldKind::message) {
      set_message(parent, out, type);
    } else if (nullable_ == NullableRepresentation::optional) {
      out.presence = true;
    } else if (nullable_ == NullableRepresentation::wrapper) {
      out.message = known(wrapper_name(out.kind), Meaning::wrapper, {plain("value", 1, out.kind)});
      out.kind = FieldKind::message;
    }
    return out;
  }

  NullableRepresentation nullable_;
  MapEntries entries_;
  std::string root_name_;
  int count_ = 0;
  std::shared_ptr<File> file_ = std::make_shared<File>();
};

std::string_view kind_word(FieldKind kind) {
  switch (kind) {
    case FieldKind::boolean:
      return "bool";
    case FieldKind::int32:
      return "int32";
    case FieldKind::int64:
      return "int64";
    case FieldKind::double_:
      return "double";
    case FieldKind::string:
      return "string";
    default:
      return "bytes";
  }
}

std::string_view short_name(std::string_view full_name) {
  const std::size_t dot = full_name.rfind('.');
  return dot == std::string_view::npos ? full_name : full_name.substr(dot + 1);
}

/// Shown as `map<key, value>`: its message is nowhere in the text.
bool is_plain_map(const Field& field) {
  return field.message != nullptr && field.message->map_entry && field.message->path.empty();
}

std::string type_word(const Field& field) {
  if (field.kind != FieldKind::message) return std::string(kind_word(field.kind));
  if (is_plain_map(field))
    return fmt::format("map<{}, {}>", type_word(field.message->fields[0]), type_word(field.message->fields[1]));
  return std::string(field.message->meaning == Meaning::none ? short_name(field.message->full_name)
                                                             : std::string_view(field.message->full_name));
}

void print_message(const Message& message, const std::string& indent, std::string& out) {
  out += fmt::format("{}message {} {{\n", indent, short_name(message.full_name));
  for (const Field& field : message.fields) {
    const char* label = field.repeated && !is_plain_map(field) ? "repeated " : field.presence ? "optional " : "";
    out += fmt::format("{}  {}{} {} = {}", indent, label, type_word(field), field.name, field.number);
    if (field.precision != 0) {
      out += fmt::format(
          " [(confluent.field_meta) = {{\n{0}    params: [\n{0}      {{\n{0}        value: \"{1}\",\n{0}        key: "
          "\"precision\"\n{0}      }},\n{0}      {{\n{0}        value: \"{2}\",\n{0}        key: \"scale\"\n{0}      "
          "}}\n{0}    ]\n{0}  }}]",
          indent, field.precision, field.scale);
    }
    out += ";\n";
  }
  for (const Message* inner : message.nested) {
    out += "\n";
    print_message(*inner, indent + "  ", out);
  }
  out += indent + "}\n";
}

std::string_view file_of(const Message& message) {
  switch (message.meaning) {
    case Meaning::timestamp:
      return "google/protobuf/timestamp.proto";
    case Meaning::date:
      return "google/type/date.proto";
    case Meaning::time_of_day:
      return "google/type/timeofday.proto";
    case Meaning::decimal:
      return "confluent/type/decimal.proto";
    case Meaning::wrapper:
      return "google/protobuf/wrappers.proto";
    default:
      return {};
  }
}

class TypeMaker {
 public:
  Result<Type> message_type(const Message& message) {
    if (std::ranges::find(open_, &message) != open_.end())
      return user_error("message {} holds itself: name its columns in the statement instead", message.full_name);
    open_.push_back(&message);
    std::vector<StructField> fields;
    std::vector<std::size_t> oneof_at(message.oneofs.size(), SIZE_MAX);
    std::vector<std::vector<StructField>> members(message.oneofs.size());
    for (const Field& field : message.fields) {
      auto type = field_type(field);
      if (!type) return type.error();
      if (field.oneof < 0) {
        fields.push_back({field.name, *type});
        continue;
      }
      const auto index = static_cast<std::size_t>(field.oneof);
      members[index].push_back({field.name, *type});
      if (oneof_at[index] != SIZE_MAX) continue;
      oneof_at[index] = fields.size();
      fields.push_back({fmt::format("{}_{}", message.oneofs[index], index), Type::null()});
    }
    for (std::size_t i = 0; i < members.size(); ++i)
      if (oneof_at[i] != SIZE_MAX) fields[oneof_at[i]].type = Type::structure(std::move(members[i]));
    open_.pop_back();
    return Type::structure(std::move(fields));
  }

 private:
  Result<Type> field_type(const Field& field) {
    if (field.message && field.message->map_entry) {
      auto key = single_type(field.message->fields[0]);
      auto value = single_type(field.message->fields[1]);
      if (!key) return key;
      if (!value) return value;
      return Type::map(Type::string(), *value);
    }
    auto type = single_type(field);
    if (type && field.repeated) return Type::array(*type);
    return type;
  }

  Result<Type> single_type(const Field& field) {
    switch (field.kind) {
      case FieldKind::boolean:
        return Type::boolean();
      case FieldKind::int32:
      case FieldKind::sint32:
      case FieldKind::sfixed32:
        return Type::integer();
      case FieldKind::uint32:
      case FieldKind::fixed32:
      case FieldKind::int64:
      case FieldKind::sint64:
      case FieldKind::sfixed64:
      case FieldKind::uint64:
      case FieldKind::fixed64:
        return Type::bigint();
      case FieldKind::float_:
      case FieldKind::double_:
        return Type::double_();
      case FieldKind::string:
      case FieldKind::enumeration:
        return Type::string();
      case FieldKind::bytes:
        return Type::bytes();
      case FieldKind::message:
        break;
    }
    switch (field.message->meaning) {
      case Meaning::timestamp:
        return Type::timestamp();
      case Meaning::date:
        return Type::date();
      case Meaning::time_of_day:
        return Type::time();
      case Meaning::decimal:
        return field.precision == 0 ? Type::decimal(38, std::min(field.scale, 38))
                                    : Type::decimal(field.precision, field.scale);
      case Meaning::wrapper:
        return single_type(field.message->fields.front());
      case Meaning::none:
        break;
    }
    return message_type(*field.message);
  }

  std::vector<const Message*> open_;
};

const Message* find_in(const std::vector<const Message*>& messages, const File& file, std::string_view name) {
  for (const Message* message : messages) {
    std::string_view own = message->full_name;
    if (own == name) return message;
    if (!file.package.empty() && own.starts_with(file.package) && own.substr(file.package.size() + 1) == name)
      return message;
    if (const Message* inner = find_in(message->nested, file, name)) return inner;
  }
  return nullptr;
}

bool take_varint(std::string_view& bytes, std::int64_t& value) {
  std::uint64_t raw = 0;
  for (unsigned shift = 0; shift < 64 && !bytes.empty(); shift += 7) {
    const auto byte = static_cast<unsigned char>(bytes.front());
    bytes.remove_prefix(1);
    raw |= std::uint64_t{byte & 0x7FU} << shift;
    if (byte >= 0x80) continue;
    value = static_cast<std::int64_t>(raw >> 1) ^ -static_cast<std::int64_t>(raw & 1);
    return true;
  }
  return false;
}

void put_varint(std::int64_t value, std::string& out) {
  std::uint64_t raw = static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63);
  for (; raw >= 0x80; raw >>= 7) out.push_back(static_cast<char>(raw | 0x80));
  out.push_back(static_cast<char>(raw));
}

}  // namespace

std::string_view Enumeration::name_of(std::int32_t number) const {
  for (const auto& [value, name] : values)
    if (value == number) return name;
  return {};
}

int Message::find_oneof(std::string_view name) const {
  for (std::size_t i = 0; i < oneofs.size(); ++i) {
    Message probe;
    probe.fields.push_back({.name = fmt::format("{}_{}", oneofs[i], i), .message = nullptr, .enumeration = nullptr});
    if (probe.find(name) != nullptr) return static_cast<int>(i);
  }
  return -1;
}

const Field* Message::find(std::string_view name) const {
  const auto exact = std::ranges::find(fields, name, &Field::name);
  if (exact != fields.end()) return &*exact;
  const auto capital = std::ranges::find_if(fields, [&](const Field& f) { return is_upper_case_of(name, f.name); });
  return capital == fields.end() ? nullptr : &*capital;
}

const Message* File::find(std::string_view full_name) const {
  if (full_name.empty()) return roots.empty() ? nullptr : roots.front();
  return find_in(roots, *this, full_name);
}

FilePtr file_for(const std::vector<ColumnDef>& columns, const FormatInfo& format, MapEntries entries) {
  return FileMaker(format, entries).make(columns);
}

std::string print(const File& file) {
  std::string out = "syntax = \"proto3\";\n";
  if (!file.package.empty()) out += fmt::format("package {};\n", file.package);
  out += "\n";
  std::set<std::string_view> imports;
  for (const Message& message : file.messages)
    if (message.meaning == Meaning::decimal) imports.insert("confluent/meta.proto");
  for (const Message& message : file.messages)
    if (const auto name = file_of(message); !name.empty()) imports.insert(name);
  for (const auto name : imports) out += fmt::format("import \"{}\";\n", name);
  if (!imports.empty()) out += "\n";
  for (const Message* root : file.roots) print_message(*root, "", out);
  return out;
}

std::string index_bytes(const Message& message) {
  std::string out;
  if (message.path == std::vector<int>{0}) {
    put_varint(0, out);
    return out;
  }
  put_varint(static_cast<std::int64_t>(message.path.size()), out);
  for (const int index : message.path) put_varint(index, out);
  return out;
}

const Message* take_message(const File& file, std::string_view& bytes) {
  std::int64_t count = 0;
  if (!take_varint(bytes, count) || count < 0 || count > 64) return nullptr;
  const std::vector<const Message*>* level = &file.roots;
  if (count == 0) return level->empty() ? nullptr : level->front();
  const Message* found = nullptr;
  for (; count > 0; --count) {
    std::int64_t index = 0;
    if (!take_varint(bytes, index) || index < 0 || index >= static_cast<std::int64_t>(level->size())) return nullptr;
    found = (*level)[static_cast<std::size_t>(index)];
    level = &found->nested;
  }
  return found;
}

Result<Type> sql_type(const Message& message) {
  return TypeMaker().message_type(message);
}

}  // namespace millrace::inline exec::proto
