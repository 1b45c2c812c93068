#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "exec/formats/row_layout.h"
#include "exec/schemas/proto_schema.h"

namespace millrace::inline exec::proto {

enum class Wire : std::uint8_t { varint = 0, fixed64 = 1, bytes = 2, group = 3, end_group = 4, fixed32 = 5 };

inline Wire wire_of(FieldKind kind) {
  switch (kind) {
    case FieldKind::sfixed32:
    case FieldKind::fixed32:
    case FieldKind::float_:
      return Wire::fixed32;
    case FieldKind::sfixed64:
    case FieldKind::fixed64:
    case FieldKind::double_:
      return Wire::fixed64;
    case FieldKind::string:
    case FieldKind::bytes:
    case FieldKind::message:
      return Wire::bytes;
    default:
      return Wire::varint;
  }
}

/// Behind the length-delimited bytes at `at`; nullptr: they end beyond `end`.
inline const char* read_bytes(const char* at, const char* end, std::string_view& bytes) {
  std::uint64_t size;
  at = read_varint(at, end, size);
  if (at == nullptr || size > static_cast<std::uint64_t>(end - at)) return nullptr;
  bytes = {at, static_cast<std::size_t>(size)};
  return at + size;
}

/// The raw 64 bits of a number; nullptr: broken.
inline const char* read_number(const char* at, const char* end, Wire wire, std::uint64_t& bits) {
  if (wire == Wire::varint) return read_varint(at, end, bits);
  const std::size_t width = wire == Wire::fixed32 ? 4 : 8;
  if (static_cast<std::size_t>(end - at) < width) return nullptr;
  bits = 0;
  std::memcpy(&bits, at, width);
  return at + width;
}

/// What the bits of a whole number of this kind say.
inline std::int64_t integer_of(FieldKind kind, std::uint64_t bits) {
  switch (kind) {
    case FieldKind::sint32:
    case FieldKind::sint64:
      return static_cast<std::int64_t>(bits >> 1) ^ -static_cast<std::int64_t>(bits & 1);
    case FieldKind::int32:
    case FieldKind::sfixed32:
      return static_cast<std::int32_t>(bits);
    case FieldKind::uint32:
    case FieldKind::fixed32:
      return static_cast<std::uint32_t>(bits);
    default:
      return static_cast<std::int64_t>(bits);
  }
}

/// Behind the value of a field that nobody reads. Groups nest at most kMaxGroups deep. nullptr: broken.
const char* skip_value(const char* at, const char* end, std::uint32_t tag, int depth = 0);

}  // namespace millrace::inline exec::proto
