#pragma once

#include <cstddef>
#include <cstdint>

#include "planner/types/type.h"

namespace millrace::inline exec {

/// Bytes of a value of fixed width in a ROW, 0 for the other types.
inline std::size_t row_width(const Type& type) {
  switch (type.kind()) {
    case TypeKind::boolean:
      return 1;
    case TypeKind::integer:
    case TypeKind::time:
    case TypeKind::date:
      return 4;
    case TypeKind::bigint:
    case TypeKind::timestamp:
    case TypeKind::double_:
      return 8;
    case TypeKind::decimal:
      return type.precision() <= 18 ? 8 : 16;
    default:
      return 0;
  }
}

constexpr std::size_t kMaxVarint = 10;

inline char* write_varint(std::uint64_t value, char* out) {
  for (; value >= 0x80; value >>= 7) *out++ = static_cast<char>(value | 0x80);
  *out++ = static_cast<char>(value);
  return out;
}

/// Behind the varint at `at`; nullptr: broken.
inline const char* read_varint(const char* at, const char* end, std::uint64_t& value) {
  value = 0;
  for (unsigned shift = 0; shift < 64 && at != end; shift += 7) {
    const auto byte = static_cast<unsigned char>(*at++);
    value |= std::uint64_t{byte & 0x7FU} << shift;
    if (byte < 0x80) return at;
  }
  return nullptr;
}

inline std::size_t bitmap_bytes(std::size_t count) {
  return (count + 7) / 8;
}
inline bool bitmap_test(const char* bitmap, std::size_t i) {
  return (static_cast<unsigned char>(bitmap[i >> 3]) >> (i & 7) & 1) != 0;
}

}  // namespace millrace::inline exec
