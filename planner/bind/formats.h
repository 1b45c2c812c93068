#pragma once

#include <optional>
#include <string>
#include <vector>

#include "parser/error/sql_error.h"
#include "planner/catalog/formats.h"

namespace millrace::inline planner {

/// Throws `Unknown format: X`.
const FormatDef& require_format(std::string_view name, Span span);

/// Throws unless the format can hold the columns: `Key format does not support schema. …`, and the mirror for values.
void check_key_format(const FormatInfo& format, const std::vector<ColumnDef>& keys, Span span);
void check_value_format(const FormatInfo& format, const std::vector<ColumnDef>& values, std::optional<bool> wrap,
                        Span span);
/// Throws when a key column is or holds a MAP.
void check_no_map_key(const std::vector<ColumnDef>& keys, Span span);

/// WRAP_SINGLE_VALUE as given, or the configured default where the format and schema allow it. Throws where what is
/// given cannot be.
std::optional<bool> resolve_wrap(const FormatDef& format, std::size_t value_columns, std::optional<bool> given,
                                 std::optional<bool> configured, Span span);

}  // namespace millrace::inline planner
