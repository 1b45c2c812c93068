#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "exec/schemas/reading_rules.h"

namespace millrace::inline exec {
namespace {

/// Kinds whose bytes are read as each other.
enum class Group : std::uint8_t { number, zigzag, fixed32, fixed64, float_, double_, text, message, map };

Group group_of(const proto::Field& field) {
  using proto::FieldKind;
  switch (field.kind) {
    case FieldKind::sint32:
    case FieldKind::sint64:
      return Group::zigzag;
    case FieldKind::fixed32:
    case FieldKind::sfixed32:
      return Group::fixed32;
    case FieldKind::fixed64:
    case FieldKind::sfixed64:
      return Group::fixed64;
    case FieldKind::float_:
      return Group::float_;
    case FieldKind::double_:
      return Group::double_;
    case FieldKind::string:
    case FieldKind::bytes:
      return Group::text;
    case FieldKind::message:
      return field.message->map_entry ? Group::map : Group::message;
    default:
      return Group::number;
  }
}

const proto::Field* numbered(const proto::Message& message, std::uint32_t number) {
  const auto found = std::ranges::find(message.fields, number, &proto::Field::number);
  return found == message.fields.end() ? nullptr : &*found;
}

std::string_view without(const std::string& package, std::string_view full_name) {
  const bool inside = !package.empty() && full_name.starts_with(package) && full_name.size() > package.size() &&
                      full_name[package.size()] == '.';
  return inside ? full_name.substr(package.size() + 1) : full_name;
}

Finding found_at(std::string_view what, const proto::Message& message, const proto::Field& field) {
  return fmt::format("{}: field {} of {}", what, field.number, message.full_name);
}

class ProtoCheck {
 public:
  ProtoCheck(const proto::File& reader, const proto::File& writer) : reader_(reader), writer_(writer) {}

  Finding check() {
    if (reader_.package != writer_.package)
      return fmt::format("PACKAGE_CHANGED: from '{}' to '{}'", writer_.package, reader_.package);
    return messages(reader_.roots, writer_.roots);
  }

 private:
  using Messages = std::vector<const proto::Message*>;

  static std::string_view plain(const proto::Message& message) {
    return std::string_view(message.full_name).substr(message.full_name.rfind('.') + 1);
  }

  Finding messages(const Messages& reader, const Messages& writer) {
    for (const proto::Message* old : writer) {
      if (old->map_entry) continue;
      const auto now = std::ranges::find_if(reader, [&](const auto* one) { return plain(*one) == plain(*old); });
      if (now == reader.end()) return fmt::format("MESSAGE_REMOVED: {}", old->full_name);
      if (Finding found = message(**now, *old)) return found;
    }
    return {};
  }

  Finding message(const proto::Message& now, const proto::Message& old) {
    if (!seen_.insert({&now, &old}).second) return {};
    if (Finding found = oneofs(now, old)) return found;
    for (const proto::Field& field : old.fields) {
      const proto::Field* kept = numbered(now, field.number);
      if (kept == nullptr && field.required) return found_at("REQUIRED_FIELD_REMOVED", old, field);
      // A oneof that is gone as a whole is no removal of its fields: whoever wrote one of them wrote nothing else.
      const bool had_oneof = field.oneof >= 0;
      if (kept == nullptr && had_oneof && has_oneof(now, old.oneofs[static_cast<std::size_t>(field.oneof)]))
        return found_at("ONEOF_FIELD_REMOVED", old, field);
      if (kept == nullptr) continue;
      if (Finding found = types(*kept, field, old)) return found;
    }
    for (const proto::Field& field : now.fields)
      if (field.required && numbered(old, field.number) == nullptr) return found_at("REQUIRED_FIELD_ADDED", now, field);
    return messages(now.nested, old.nested);
  }

  static bool has_oneof(const proto::Message& message, const std::string& name) {
    return std::ranges::find(message.oneofs, name) != message.oneofs.end();
  }

  /// Fields that could be set together must not come to exclude each other.
  static Finding oneofs(const proto::Message& now, const proto::Message& old) {
    struct Moved {
      int alone = 0, from_oneofs = 0;
    };
    std::map<int, Moved> moved;
    for (const proto::Field& field : now.fields) {
      const proto::Field* before = field.oneof < 0 ? nullptr : numbered(old, field.number);
      if (before == nullptr) continue;
      ++(before->oneof < 0 ? moved[field.oneof].alone : moved[field.oneof].from_oneofs);
    }
    for (const auto& [oneof, count] : moved) {
      const auto& name = now.oneofs[static_cast<std::size_t>(oneof)];
      if (count.alone > 1) return fmt::format("MULTIPLE_FIELDS_MOVED_TO_ONEOF: {} of {}", name, now.full_name);
      if (count.alone == 1 && count.from_oneofs > 0)
        return fmt::format("FIELD_MOVED_TO_EXISTING_ONEOF: {} of {}", name, now.full_name);
    }
    return {};
  }

  Finding types(const proto::Field& now, const proto::Field& old, const proto::Message& owner) {
    const Group reader = group_of(now), writer = group_of(old);
    if (reader != writer) {
      const bool scalars = reader < Group::message && writer < Group::message;
      return found_at(scalars ? "FIELD_SCALAR_KIND_CHANGED" : "FIELD_KIND_CHANGED", owner, old);
    }
    if (reader == Group::map) {
      for (std::size_t part = 0; part < 2; ++part)
        if (Finding found = types(now.message->fields[part], old.message->fields[part], owner)) return found;
      return {};
    }
    if (reader != Group::message) return {};
    if (without(reader_.package, now.message->full_name) != without(writer_.package, old.message->full_name))
      return found_at("FIELD_NAMED_TYPE_CHANGED", owner, old);
    return message(*now.message, *old.message);
  }

  const proto::File& reader_;
  const proto::File& writer_;
  std::set<std::pair<const proto::Message*, const proto::Message*>> seen_;
};

}  // namespace

Finding proto_reading_fault(const proto::File& reader, const proto::File& writer) {
  return ProtoCheck(reader, writer).check();
}

}  // namespace millrace::inline exec
