#include "planner/bind/formats.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace millrace::inline planner {
namespace {

constexpr std::array kFormats = {
    FormatTraits{.name = "JSON", .can_wrap = true, .can_unwrap = true, .wraps_by_default = true},
    FormatTraits{.name = "DELIMITED", .can_unwrap = true, .has_delimiter = true},
    FormatTraits{.name = "KAFKA", .can_unwrap = true},
    FormatTraits{.name = "NONE"},
    FormatTraits{.name = "AVRO",
                 .can_wrap = true,
                 .can_unwrap = true,
                 .wraps_by_default = true,
                 .schema_registry = true,
                 .runs = false},
    FormatTraits{.name = "JSON_SR",
                 .can_wrap = true,
                 .can_unwrap = true,
                 .wraps_by_default = true,
                 .schema_registry = true,
                 .runs = false},
    FormatTraits{.name = "PROTOBUF",
                 .key_wraps_single = true,
                 .can_wrap = true,
                 .wraps_by_default = true,
                 .schema_registry = true,
                 .runs = false},
    FormatTraits{
        .name = "PROTOBUF_NOSR", .key_wraps_single = true, .can_wrap = true, .wraps_by_default = true, .runs = false},
};

std::string column_list(const std::vector<ColumnDef>& columns) {
  return Schema{columns}.to_string();
}

/// Reason why a column of this type does not fit, or empty.
std::string unsupported_type(const FormatInfo& format, const ColumnDef& column) {
  const auto kind = column.type.kind();
  if (format.name == "KAFKA") {
    const bool fits = kind == TypeKind::integer || kind == TypeKind::bigint || kind == TypeKind::double_ ||
                      kind == TypeKind::string || kind == TypeKind::bytes;
    return fits ? "" : fmt::format("The 'KAFKA' format does not support type '{}'", column.type.base_name());
  }
  if (format.name == "DELIMITED" && column.type.is_nested()) {
    return fmt::format("The 'DELIMITED' format does not support type '{}', column: `{}`", column.type.base_name(),
                       column.name);
  }
  return "";
}

bool has_odd_map(const Type& type) {
  switch (type.kind()) {
    case TypeKind::array:
      return has_odd_map(type.element());
    case TypeKind::map:
      return type.key().kind() != TypeKind::string || has_odd_map(type.value());
    case TypeKind::structure:
      return std::ranges::any_of(type.fields(), [](const StructField& field) { return has_odd_map(field.type); });
    default:
      return false;
  }
}

std::string refusal(const FormatInfo& format, const std::vector<ColumnDef>& columns) {
  if (format.name == "NONE" && !columns.empty()) {
    return fmt::format("The 'NONE' format can only be used when no columns are defined. Got: [{}]",
                       column_list(columns));
  }
  if (format.name == "KAFKA" && columns.size() > 1) {
    return fmt::format("The 'KAFKA' format only supports a single field. Got: [{}]", column_list(columns));
  }
  for (const auto& column : columns) {
    if (auto reason = unsupported_type(format, column); !reason.empty()) return reason;
  }
  const bool odd_map = std::ranges::any_of(columns, [](const ColumnDef& column) { return has_odd_map(column.type); });
  if (odd_map && format.name.starts_with("PROTOBUF")) return "PROTOBUF format only supports MAP types with STRING keys";
  if (odd_map)
    return fmt::format("{} only supports MAP types with STRING keys", format.name == "AVRO" ? "Avro" : format.name);
  return "";
}

void check(const char* part, const FormatInfo& format, const std::vector<ColumnDef>& columns, const char* features,
           Span span) {
  const std::string reason = refusal(format, columns);
  if (reason.empty()) return;
  throw SqlError(Code::invalid_format, span,
                 fmt::format("{} format does not support schema.\nformat: {}\nschema: Persistence{{columns=[{}], "
                             "features=[{}]}}\nreason: {}",
                             part, format.name, column_list(columns), features, reason));
}

bool holds_map(const Type& type) {
  switch (type.kind()) {
    case TypeKind::map:
      return true;
    case TypeKind::array:
      return holds_map(type.element());
    case TypeKind::structure:
      return std::ranges::any_of(type.fields(), [](const StructField& field) { return holds_map(field.type); });
    default:
      return false;
  }
}

}  // namespace

const FormatTraits* find_format(std::string_view name) {
  const auto found = std::ranges::find(kFormats, name, &FormatTraits::name);
  return found == kFormats.end() ? nullptr : &*found;
}

const FormatTraits& require_format(std::string_view name, Span span) {
  if (const auto* format = find_format(name)) return *format;
  throw SqlError(Code::invalid_format, span, fmt::format("Unknown format: {}", name));
}

void check_key_format(const FormatInfo& format, const std::vector<ColumnDef>& keys, Span span) {
  const auto* traits = find_format(format.name);
  const bool unwraps = keys.size() == 1 && traits && traits->can_wrap && traits->can_unwrap;
  check("Key", format, keys, unwraps ? "UNWRAP_SINGLES" : "", span);
}

void check_value_format(const FormatInfo& format, const std::vector<ColumnDef>& values, std::optional<bool> wrap,
                        Span span) {
  check("Value", format, values, !wrap ? "" : *wrap ? "WRAP_SINGLES" : "UNWRAP_SINGLES", span);
}

void check_no_map_key(const std::vector<ColumnDef>& keys, Span span) {
  for (const auto& key : keys) {
    if (!holds_map(key.type)) continue;
    throw SqlError(
        Code::invalid_key, span,
        fmt::format("Map keys, including types that contain maps, are not supported as they may lead to unexpected "
                    "behavior due to inconsistent serialization. Key column name: `{}`. Column type: {}. See "
                    "https://github.com/confluentinc/ksql/issues/6621 for more.",
                    key.name, key.type.to_string()));
  }
}

std::optional<bool> resolve_wrap(const FormatTraits& format, std::size_t value_columns, std::optional<bool> given,
                                 std::optional<bool> configured, Span span) {
  const auto possible = [&](bool wrap) { return wrap ? format.can_wrap : format.can_unwrap; };
  if (given) {
    if (!possible(*given)) {
      throw SqlError(Code::invalid_property, span,
                     fmt::format("Format '{}' does not support 'WRAP_SINGLE_VALUE' set to '{}'.", format.name, *given));
    }
    if (value_columns != 1) {
      throw SqlError(Code::invalid_property, span, "'WRAP_SINGLE_VALUE' is only valid for single-field value schemas");
    }
    return given;
  }
  const bool both = format.can_wrap && format.can_unwrap;
  return configured && both && value_columns == 1 ? configured : std::nullopt;
}

}  // namespace millrace::inline planner
