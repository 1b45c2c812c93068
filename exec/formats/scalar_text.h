#pragma once

#include <cstdint>
#include <string_view>

#include "exec/data/column.h"
#include "exec/formats/column_writer.h"

namespace millrace::inline exec {

/// Stores an integer in a column of INTEGER (wrapped to 32 bits), BIGINT, DATE, TIME or TIMESTAMP. False: no time of
/// day.
inline bool store_integral(std::int64_t value, ColumnWriter& out, std::size_t row) {
  switch (out.kind()) {
    case TypeKind::bigint:
    case TypeKind::timestamp:
      out.set(row, value);
      return true;
    case TypeKind::time:
      if (value < 0 || value > 86'399'999) return false;
      [[fallthrough]];
    default:
      out.set(row, static_cast<std::int32_t>(value));
      return true;
  }
}

/// Reads a scalar from text as Java's parsers do: integers strictly, numbers of time types, DECIMAL without rounding,
/// BYTES from base64 (into `arena`, which may be null for other types), STRING as a view. BOOLEAN: `true` in any case,
/// else false.
bool set_from_text(std::string_view text, ColumnWriter& out, std::size_t row, Arena* arena);

}  // namespace millrace::inline exec
