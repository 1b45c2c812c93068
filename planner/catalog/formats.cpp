#include "planner/catalog/formats.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>

namespace millrace::inline planner {
namespace {

constexpr std::array kFormats = {
#define FORMAT(id, ...) FormatDef __VA_ARGS__,
#include "planner/catalog/formats.inc"
#undef FORMAT
};

std::string column_list(const std::vector<ColumnDef>& columns) {
  return Schema{columns}.to_string();
}

template <class Test>
bool any_type(const Type& type, const Test& test) {
  if (test(type)) return true;
  switch (type.kind()) {
    case TypeKind::array:
      return any_type(type.element(), test);
    case TypeKind::map:
      return any_type(type.key(), test) || any_type(type.value(), test);
    case TypeKind::structure:
      return std::ranges::any_of(type.fields(), [&](const StructField& field) { return any_type(field.type, test); });
    default:
      return false;
  }
}

bool is_kafka_type(const Type& type) {
  const auto kind = type.kind();
  return kind == TypeKind::integer || kind == TypeKind::bigint || kind == TypeKind::double_ ||
         kind == TypeKind::string || kind == TypeKind::bytes;
}

bool has_odd_map(const Type& type) {
  return any_type(type, [](const Type& t) { return t.kind() == TypeKind::map && t.key().kind() != TypeKind::string; });
}

bool is_list(const Type& type) {
  return type.kind() == TypeKind::array || type.kind() == TypeKind::map;
}
bool has_list_in_list(const Type& type) {
  return any_type(type, [](const Type& t) {
    return (t.kind() == TypeKind::array && is_list(t.element())) || (t.kind() == TypeKind::map && is_list(t.value()));
  });
}

/// What Avro's parser says of a name, or nothing.
std::string avro_name_fault(const std::string& name) {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  if (name.empty()) return "Empty name";
  if (!letter(name.front())) return "Illegal initial character: " + name;
  const bool good = std::ranges::all_of(name, [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
  return good ? "" : "Illegal character in: " + name;
}

std::string avro_fault(const Type& type) {
  std::string fault;
  any_type(type, [&](const Type& t) {
    if (t.kind() == TypeKind::structure)
      for (const StructField& field : t.fields())
        if (fault.empty()) fault = avro_name_fault(field.name);
    return !fault.empty();
  });
  return fault;
}

std::string type_refusal(const FormatDef& format, const ColumnDef& column) {
  const std::string base = column.type.base_name();
  if (format.kafka_types_only && !is_kafka_type(column.type))
    return fmt::format("The '{}' format does not support type '{}'", format.name, base);
  if (!format.nested && column.type.is_nested())
    return fmt::format("The '{}' format does not support type '{}', column: `{}`", format.name, base, column.name);
  if (!format.nested_lists && has_list_in_list(column.type))
    return fmt::format("The '{}' format does not support a list inside a list, column: `{}` {}", format.name,
                       column.name, column.type.to_string());
  return {};
}

FormatInfo made_of(const FormatDef& format) {
  return FormatInfo{.name = std::string(format.name)};
}

}  // namespace

const FormatDef* find_format(std::string_view name) {
  const auto found = std::ranges::find(kFormats, name, &FormatDef::name);
  return found == kFormats.end() ? nullptr : &*found;
}

std::string refusal(const FormatDef& format, const std::vector<ColumnDef>& columns) {
  if (columns.size() > format.max_columns) {
    const char* allowed =
        format.max_columns == 0 ? "can only be used when no columns are defined" : "only supports a single field";
    return fmt::format("The '{}' format {}. Got: [{}]", format.name, allowed, column_list(columns));
  }
  for (const auto& column : columns)
    if (auto reason = type_refusal(format, column); !reason.empty()) return reason;
  const auto odd_map = [](const ColumnDef& column) { return has_odd_map(column.type); };
  if (!format.map_owner.empty() && std::ranges::any_of(columns, odd_map)) {
    return fmt::format("{} only supports {} with STRING keys", format.map_owner,
                       format.avro_names ? "MAPs" : "MAP types");
  }
  if (!format.avro_names) return {};
  for (const auto& column : columns) {
    std::string fault = avro_name_fault(column.name);
    if (fault.empty()) fault = avro_fault(column.type);
    if (!fault.empty()) return "Schema is not compatible with Avro: " + fault;
  }
  return {};
}

bool can_write(const FormatInfo& format) {
  const FormatDef* def = find_format(format.name);
  if (def == nullptr || !def->written_as.empty()) return def == nullptr;
  return !def->registry || format.schema != nullptr;
}

bool is_read_only(const FormatInfo& format) {
  const FormatDef* def = find_format(format.name);
  return def && !def->written_as.empty();
}

bool holds_nothing(const FormatInfo& format) {
  const FormatDef* def = find_format(format.name);
  return def != nullptr && def->max_columns == 0;
}

FormatInfo empty_format() {
  return made_of(*std::ranges::find(kFormats, std::size_t{0}, &FormatDef::max_columns));
}

FormatInfo bare_format() {
  return made_of(*std::ranges::find(kFormats, FormatDef::Fallback::bare, &FormatDef::fallback));
}

FormatInfo object_format() {
  return made_of(*std::ranges::find(kFormats, FormatDef::Fallback::object, &FormatDef::fallback));
}

FormatInfo fallback_format(const std::vector<ColumnDef>& keys) {
  FormatInfo bare = bare_format();
  return refusal(*find_format(bare.name), keys).empty() ? bare : object_format();
}

bool has_bare_key(const FormatInfo& format, std::size_t key_columns) {
  const FormatDef* def = find_format(format.name);
  return key_columns == 1 && !(def && def->key_wraps_single);
}

}  // namespace millrace::inline planner
