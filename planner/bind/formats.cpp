#include "planner/bind/formats.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::inline planner {
namespace {

void check(const char* part, const FormatInfo& format, const std::vector<ColumnDef>& columns, const char* features,
           Span span) {
  const std::string reason = refusal(require_format(format.name, span), columns);
  if (reason.empty()) return;
  throw SqlError(Code::invalid_format, span,
                 fmt::format("{} format does not support schema.\nformat: {}\nschema: Persistence{{columns=[{}], "
                             "features=[{}]}}\nreason: {}",
                             part, format.name, Schema{columns}.to_string(), features, reason));
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

const FormatDef& require_format(std::string_view name, Span span) {
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

std::optional<bool> resolve_wrap(const FormatDef& format, std::size_t value_columns, std::optional<bool> given,
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
