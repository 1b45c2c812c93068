#include "exec/formats/scalar_text.h"

#include "exec/formats/number_text.h"
#include "planner/types/base64.h"

namespace millrace::inline exec {

namespace {

bool is_true(std::string_view text) {
  constexpr std::string_view kTrue = "true";
  if (text.size() != kTrue.size()) return false;
  for (std::size_t i = 0; i < kTrue.size(); ++i)
    if ((text[i] | 0x20) != kTrue[i]) return false;
  return true;
}

bool set_bytes(std::string_view text, ColumnWriter& out, std::size_t row, Arena& arena) {
  char* bytes = arena.allocate(text.size());
  const std::ptrdiff_t size = base64_read(text, bytes);
  if (size < 0) return false;
  out.set(row, std::string_view(bytes, static_cast<std::size_t>(size)));
  return true;
}

bool set_decimal(std::string_view text, ColumnWriter& out, std::size_t row) {
  Int128 unscaled;
  if (!parse_decimal(text, out.type().precision(), out.type().scale(), unscaled)) return false;
  out.set(row, unscaled);
  return true;
}

bool set_double(std::string_view text, ColumnWriter& out, std::size_t row) {
  double value;
  if (!parse_double(text, value)) return false;
  out.set(row, value);
  return true;
}

bool set_int64(std::string_view text, ColumnWriter& out, std::size_t row) {
  std::int64_t value;
  return parse_int64(text, value) && store_integral(value, out, row);
}

bool set_int32(std::string_view text, ColumnWriter& out, std::size_t row) {
  std::int32_t value;
  return parse_int32(text, value) && store_integral(value, out, row);
}

}  // namespace

bool set_from_text(std::string_view text, ColumnWriter& out, std::size_t row, Arena* arena) {
  switch (out.kind()) {
    case TypeKind::boolean:
      out.set<std::uint8_t>(row, is_true(text));
      return true;
    case TypeKind::integer:
    case TypeKind::date:
      return set_int32(text, out, row);
    case TypeKind::bigint:
    case TypeKind::time:
    case TypeKind::timestamp:
      return set_int64(text, out, row);
    case TypeKind::double_:
      return set_double(text, out, row);
    case TypeKind::decimal:
      return set_decimal(text, out, row);
    case TypeKind::string:
      out.set(row, text);
      return true;
    case TypeKind::bytes:
      return set_bytes(text, out, row, *arena);
    default:
      return false;
  }
}

}  // namespace millrace::inline exec
