#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

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

/// The same where `out` has room for kMaxVarint bytes, all of which may be written to; takes as long for every length
/// up to 8 bytes, which numbers of mixed sizes are the better for.
inline char* write_varint_wide(std::uint64_t value, char* out) {
  if (value >> 56 != 0) return write_varint(value, out);
  const unsigned extra = (static_cast<unsigned>(std::bit_width(value | 1)) - 1) / 7;
  value = (value & 0x0FFF'FFFF) | (value & 0x00FF'FFFF'F000'0000) << 4;
  value = (value & 0x0000'3FFF'0000'3FFF) | (value & 0x0FFF'C000'0FFF'C000) << 2;
  value = (value & 0x007F'007F'007F'007F) | (value & 0x3F80'3F80'3F80'3F80) << 1;
  value |= 0x8080'8080'8080'8080 & ((std::uint64_t{1} << extra * 8) - 1);
  std::memcpy(out, &value, sizeof value);
  return out + extra + 1;
}

/// The highest bit of the first of 8 bytes that ends a varint; 64: none does.
inline int varint_stop(std::uint64_t word) {
  return std::countr_zero(~word & 0x8080'8080'8080'8080);
}

/// Behind the varint at `at`; nullptr: broken.
inline const char* read_varint(const char* at, const char* end, std::uint64_t& value) {
  if (end - at >= 8) {
    std::uint64_t word;
    std::memcpy(&word, at, sizeof word);
    const int stop = varint_stop(word);
    if (stop < 64) {
      word &= 0x7F7F'7F7F'7F7F'7F7F & ~std::uint64_t{0} >> (63 - stop);
      word = (word & 0x007F'007F'007F'007F) | (word & 0x7F00'7F00'7F00'7F00) >> 1;
      word = (word & 0x0000'3FFF'0000'3FFF) | (word & 0x3FFF'0000'3FFF'0000) >> 2;
      value = (word & 0x0FFF'FFFF) | (word & 0x0FFF'FFFF'0000'0000) >> 4;
      return at + stop / 8 + 1;
    }
  }
  value = 0;
  for (unsigned shift = 0; shift < 64 && at != end; shift += 7) {
    const auto byte = static_cast<unsigned char>(*at++);
    value |= std::uint64_t{byte & 0x7FU} << shift;
    if (byte < 0x80) return at;
  }
  return nullptr;
}

/// Behind the varint at `at`, whatever it says; nullptr: broken.
inline const char* skip_varint(const char* at, const char* end) {
  if (end - at >= 8) {
    std::uint64_t word;
    std::memcpy(&word, at, sizeof word);
    const int stop = varint_stop(word);
    if (stop < 64) return at + stop / 8 + 1;
  }
  std::uint64_t value;
  return read_varint(at, end, value);
}

inline std::size_t bitmap_bytes(std::size_t count) {
  return (count + 7) / 8;
}
inline bool bitmap_test(const char* bitmap, std::size_t i) {
  return (static_cast<unsigned char>(bitmap[i >> 3]) >> (i & 7) & 1) != 0;
}

}  // namespace millrace::inline exec
