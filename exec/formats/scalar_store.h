#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "exec/data/column.h"
#include "exec/formats/column_writer.h"
#include "exec/formats/scalar_text.h"
#include "exec/formats/utf8_text.h"

namespace millrace::inline exec {

/// Text made while a batch is decoded; made when first needed, kept alive by the columns.
using ArenaPtr = std::shared_ptr<Arena>;

// Store a value of a typed binary format in a column, converted as Connect's values are: numbers into numbers (INTEGER
// wraps, fractions are cut), into DECIMAL where they fit exactly, numbers and booleans into STRING as their text.
// False: there is no such conversion, or the value does not fit.

bool store_other(std::int64_t value, ColumnWriter& out, std::size_t row, ArenaPtr& arena);
bool store_double(double value, ColumnWriter& out, std::size_t row, ArenaPtr& arena);
bool store_boolean(bool value, ColumnWriter& out, std::size_t row);
bool store_decimal(Int128 unscaled, int scale, ColumnWriter& out, std::size_t row, ArenaPtr& arena);

inline bool store_integer(std::int64_t value, ColumnWriter& out, std::size_t row, ArenaPtr& arena) {
  switch (out.kind()) {
    case TypeKind::integer:
    case TypeKind::date:
      out.set(row, static_cast<std::int32_t>(value));
      return true;
    case TypeKind::bigint:
    case TypeKind::timestamp:
      out.set(row, value);
      return true;
    default:
      return store_other(value, out, row, arena);
  }
}

inline bool store_text(std::string_view text, ColumnWriter& out, std::size_t row, ArenaPtr& arena) {
  if (out.kind() != TypeKind::string) return false;
  out.set(row, as_utf8(text, arena));
  return true;
}

inline bool store_bytes(std::string_view bytes, ColumnWriter& out, std::size_t row) {
  if (out.kind() != TypeKind::bytes) return false;
  out.set(row, bytes);
  return true;
}

/// A big-endian two's complement number, as Java's BigInteger writes it. False: beyond 16 bytes, or none at all.
bool read_big_integer(std::string_view bytes, Int128& out);
/// Writes the shortest such form, 1 to 16 bytes. Returns the end.
char* write_big_integer(Int128 value, char* out);

}  // namespace millrace::inline exec
