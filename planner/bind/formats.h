#pragma once

#include <optional>
#include <string>
#include <vector>

#include "parser/error/sql_error.h"
#include "planner/types/schema.h"

namespace millrace::inline planner {

/// What the binder must know of a format.
struct FormatTraits {
  std::string_view name;
  bool key_wraps_single = false;  // one-column keys are messages (PROTOBUF)
  bool can_wrap = false;
  bool can_unwrap = false;
  bool wraps_by_default = false;
  bool has_delimiter = false;
  bool schema_registry = false;
  bool runs = true;  // false: known by name, cannot be read or written yet
};

/// Null when the name is unknown. Precondition: upper case.
const FormatTraits* find_format(std::string_view name);
/// Throws `Unknown format: X`.
const FormatTraits& require_format(std::string_view name, Span span);

/// Throws unless the format can hold the columns: `Key format does not support schema. …`, and the mirror for values.
void check_key_format(const FormatInfo& format, const std::vector<ColumnDef>& keys, Span span);
void check_value_format(const FormatInfo& format, const std::vector<ColumnDef>& values, std::optional<bool> wrap,
                        Span span);
/// Throws when a key column is or holds a MAP.
void check_no_map_key(const std::vector<ColumnDef>& keys, Span span);

/// WRAP_SINGLE_VALUE as given, or the configured default where the format and schema allow it. Throws where what is
/// given cannot be.
std::optional<bool> resolve_wrap(const FormatTraits& format, std::size_t value_columns, std::optional<bool> given,
                                 std::optional<bool> configured, Span span);

}  // namespace millrace::inline planner
