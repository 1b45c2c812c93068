#include "exec/schemas/compatibility.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <set>

#include "exec/schemas/avro_schema.h"
#include "exec/schemas/json_schema.h"
#include "exec/schemas/proto_schema.h"

namespace millrace::inline exec {
namespace {

using Finding = std::optional<std::string>;

/// Avro's rules of schema resolution.
class AvroCheck {
 public:
  Finding check(const avro::Node& reader, const avro::Node& writer) {
    if (!seen_.insert({&reader, &writer}).second) return {};
    if (writer.kind == avro::Kind::union_) {
      for (const avro::Node* branch : writer.branches)
        if (Finding found = check(reader, *branch)) return found;
      return {};
    }
    if (reader.kind == avro::Kind::union_) {
      for (const avro::Node* branch : reader.branches)
        if (!check(*branch, writer)) return {};
      return fmt::format("MISSING_UNION_BRANCH: the reader's union lacks a branch for {}", avro::branch_name(writer));
    }
    return same_kind(reader, writer);
  }

 private:
  using Kind = avro::Kind;

  Finding same_kind(const avro::Node& reader, const avro::Node& writer) {
    if (reader.kind != writer.kind) {
      if (promotes(writer.kind, reader.kind)) return {};
      return fmt::format("TYPE_MISMATCH: {} cannot be read as {}", avro::branch_name(writer),
                         avro::branch_name(reader));
    }
    if (reader.logical == avro::Logical::decimal && writer.logical == avro::Logical::decimal &&
        reader.scale != writer.scale)
      return fmt::format("TYPE_MISMATCH: a decimal of scale {} cannot be read at scale {}", writer.scale, reader.scale);
    switch (reader.kind) {
      case Kind::array:
      case Kind::map:
        return check(*reader.element, *writer.element);
      case Kind::fixed:
        if (Finding found = names(reader, writer)) return found;
        return reader.size == writer.size ? Finding() : fmt::format("FIXED_SIZE_MISMATCH: {}", reader.name);
      case Kind::enumeration:
        if (Finding found = names(reader, writer)) return found;
        for (const std::string& symbol : writer.symbols)
          if (std::ranges::find(reader.symbols, symbol) == reader.symbols.end())
            return fmt::format("MISSING_ENUM_SYMBOLS: {} of {}", symbol, reader.name);
        return {};
      case Kind::record:
        return record(reader, writer);
      default:
        return {};
    }
  }

  static bool promotes(Kind from, Kind to) {
    switch (from) {
      case Kind::int_:
        return to == Kind::long_ || to == Kind::float_ || to == Kind::double_;
      case Kind::long_:
        return to == Kind::float_ || to == Kind::double_;
      case Kind::float_:
        return to == Kind::double_;
      case Kind::string:
        return to == Kind::bytes;
      case Kind::bytes:
        return to == Kind::string;
      default:
        return false;
    }
  }

  static std::string_view plain(std::string_view name) { return name.substr(name.rfind('.') + 1); }

  static Finding names(const avro::Node& reader, const avro::Node& writer) {
    if (plain(reader.name) == plain(writer.name)) return {};
    return fmt::format("NAME_MISMATCH: expected {}", writer.name);
  }

  Finding record(const avro::Node& reader, const avro::Node& writer) {
    if (Finding found = names(reader, writer)) return found;
    for (const avro::Field& field : reader.fields) {
      const avro::Field* source = exact(writer, field.name);
      for (const std::string& alias : field.aliases)
        if (source == nullptr) source = exact(writer, alias);
      if (source == nullptr) {
        if (field.otherwise) continue;
        return fmt::format("READER_FIELD_MISSING_DEFAULT_VALUE: {}", field.name);
      }
      if (Finding found = check(*field.type, *source->type)) return fmt::format("{} (field {})", *found, field.name);
    }
    return {};
  }

  static const avro::Field* exact(const avro::Node& record, std::string_view name) {
    const auto found = std::ranges::find(record.fields, name, &avro::Field::name);
    return found == record.fields.end() ? nullptr : &*found;
  }

  std::set<std::pair<const avro::Node*, const avro::Node*>> seen_;
};

/// Fields of one number must have types of one wire group.
class ProtoCheck {
 public:
  Finding check(const proto::Message& reader, const proto::Message& writer) {
    if (!seen_.insert({&reader, &writer}).second) return {};
    for (const proto::Field& old : writer.fields) {
      const auto now = std::ranges::find(reader.fields, old.number, &proto::Field::number);
      if (now == reader.fields.end()) continue;
      if (group(*now) != group(old))
        return fmt::format("FIELD_SCALAR_KIND_CHANGED: field {} of {}", old.number, writer.full_name);
      if (now->repeated != old.repeated && now->kind == proto::FieldKind::message && now->message->map_entry)
        return fmt::format("FIELD_KIND_CHANGED: field {} of {}", old.number, writer.full_name);
      if (now->message && old.message)
        if (Finding found = check(*now->message, *old.message)) return found;
    }
    return {};
  }

  Finding roots(const proto::File& reader, const proto::File& writer) {
    for (const proto::Message* old : writer.roots) {
      const proto::Message* now = reader.find(old->full_name);
      if (now == nullptr) return fmt::format("MESSAGE_REMOVED: {}", old->full_name);
      if (Finding found = check(*now, *old)) return found;
    }
    return {};
  }

 private:
  static int group(const proto::Field& field) {
    using proto::FieldKind;
    switch (field.kind) {
      case FieldKind::sint32:
      case FieldKind::sint64:
        return 1;
      case FieldKind::fixed32:
      case FieldKind::sfixed32:
        return 2;
      case FieldKind::fixed64:
      case FieldKind::sfixed64:
        return 3;
      case FieldKind::float_:
        return 4;
      case FieldKind::double_:
        return 5;
      case FieldKind::string:
      case FieldKind::bytes:
        return 6;
      case FieldKind::message:
        return 7;
      default:
        return 0;
    }
  }
  std::set<std::pair<const proto::Message*, const proto::Message*>> seen_;
};

namespace json = boost::json;

/// The part of JSON Schema's rules that concerns types, required properties and closed objects.
class JsonCheck {
 public:
  Finding check(const json::value& reader, const json::value& writer, const std::string& path) {
    if (path.size() > 2000) return {};
    const json::object* now = reader.if_object();
    const json::object* old = writer.if_object();
    if (now == nullptr || old == nullptr) return {};
    if (Finding found = types(*now, *old, path)) return found;
    if (const auto* a = part(*now, "items"), *b = part(*old, "items"); a && b)
      if (Finding found = check(*a, *b, path + "/items")) return found;
    return properties(*now, *old, path);
  }

 private:
  static const json::value* part(const json::object& schema, std::string_view name) { return schema.if_contains(name); }

  static std::set<std::string> words(const json::object& schema) {
    std::set<std::string> out;
    if (const json::value* type = schema.if_contains("type")) {
      if (type->is_string()) out.emplace(type->as_string());
      if (type->is_array())
        for (const json::value& word : type->as_array())
          if (word.is_string()) out.emplace(word.as_string());
    }
    for (const char* choice : {"oneOf", "anyOf"})
      if (const json::value* list = schema.if_contains(choice); list && list->is_array())
        for (const json::value& one : list->as_array())
          if (one.is_object()) out.merge(words(one.as_object()));
    return out;
  }

  static Finding types(const json::object& now, const json::object& old, const std::string& path) {
    const auto reader = words(now), writer = words(old);
    if (reader.empty() || writer.empty()) return {};
    for (const std::string& word : writer) {
      if (reader.contains(word) || (word == "integer" && reader.contains("number"))) continue;
      return fmt::format("TYPE_CHANGED: {} at {}", word, path.empty() ? "#" : path);
    }
    return {};
  }

  static bool closed(const json::object& schema) {
    const json::value* more = schema.if_contains("additionalProperties");
    return more && more->is_bool() && !more->as_bool();
  }

  Finding properties(const json::object& now, const json::object& old, const std::string& path) {
    const json::value* mine = part(now, "properties");
    const json::value* theirs = part(old, "properties");
    const json::object none;
    const json::object& reader = mine && mine->is_object() ? mine->as_object() : none;
    const json::object& writer = theirs && theirs->is_object() ? theirs->as_object() : none;
    for (const auto& [name, property] : writer) {
      const json::value* known = reader.if_contains(name);
      if (known == nullptr) {
        if (closed(now))
          return fmt::format("PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL: {}/{}", path, std::string(name));
        continue;
      }
      if (Finding found = check(*known, property, fmt::format("{}/properties/{}", path, std::string(name))))
        return found;
    }
    const auto required = [](const json::object& schema) {
      std::set<std::string> out;
      const json::value* list = schema.if_contains("required");
      if (list && list->is_array())
        for (const json::value& name : list->as_array())
          if (name.is_string()) out.emplace(name.as_string());
      return out;
    };
    const auto before = required(old);
    for (const std::string& name : required(now)) {
      const json::value* property = reader.if_contains(name);
      const bool has_default = property && property->is_object() && property->as_object().contains("default");
      if (!before.contains(name) && !has_default) return fmt::format("REQUIRED_PROPERTY_ADDED: {}/{}", path, name);
    }
    return {};
  }
};

}  // namespace

Status check_schema(SchemaKind kind, const SchemaText& schema) {
  if (kind == SchemaKind::avro) {
    auto parsed = avro::parse(schema);
    return parsed ? Status() : parsed.error();
  }
  if (kind == SchemaKind::protobuf) {
    auto parsed = proto::parse(schema);
    return parsed ? Status() : parsed.error();
  }
  boost::system::error_code error;
  const json::value value = json::parse(schema.text, error);
  if (error) return user_error("not a JSON Schema: it is not JSON ({})", error.message());
  if (!value.is_object() && !value.is_bool()) return user_error("not a JSON Schema: it must be an object");
  return {};
}

Result<std::optional<std::string>> reading_fault(SchemaKind kind, const SchemaText& reader, const SchemaText& writer) {
  if (kind == SchemaKind::avro) {
    auto now = avro::parse(reader), old = avro::parse(writer);
    if (!now) return now.error();
    if (!old) return old.error();
    return AvroCheck().check(*(*now)->root, *(*old)->root);
  }
  if (kind == SchemaKind::protobuf) {
    auto now = proto::parse(reader), old = proto::parse(writer);
    if (!now) return now.error();
    if (!old) return old.error();
    return ProtoCheck().roots(**now, **old);
  }
  boost::system::error_code error;
  const json::value now = json::parse(reader.text, error);
  if (error) return user_error("not a JSON Schema: it is not JSON ({})", error.message());
  const json::value old = json::parse(writer.text, error);
  if (error) return user_error("not a JSON Schema: it is not JSON ({})", error.message());
  return JsonCheck().check(now, old, "");
}

Result<std::optional<std::string>> compatibility_fault(Compatibility level, const std::vector<KnownSchema>& history,
                                                       const KnownSchema& next) {
  if (level == Compatibility::none || history.empty()) return Finding();
  const bool all = level == Compatibility::backward_transitive || level == Compatibility::forward_transitive ||
                   level == Compatibility::full_transitive;
  const bool backward = level != Compatibility::forward && level != Compatibility::forward_transitive;
  const bool forward = level != Compatibility::backward && level != Compatibility::backward_transitive;
  for (std::size_t i = history.size(); i > (all ? 0 : history.size() - 1); --i) {
    const KnownSchema& old = history[i - 1];
    if (old.kind != next.kind)
      return Finding(
          fmt::format("the subject holds {} schemas, not {}", schema_kind_name(old.kind), schema_kind_name(next.kind)));
    for (const bool reads_old : {true, false}) {
      if (!(reads_old ? backward : forward)) continue;
      auto found = reads_old ? reading_fault(next.kind, next.schema, old.schema)
                             : reading_fault(next.kind, old.schema, next.schema);
      if (!found || *found) return found;
    }
  }
  return Finding();
}

}  // namespace millrace::inline exec
