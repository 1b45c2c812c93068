#pragma once

#include <cstdint>
#include <cstring>
#include <string_view>

#include "exec/formats/row_layout.h"
#include "exec/schemas/avro_schema.h"

namespace millrace::inline exec::avro {

inline std::int64_t zigzag(std::uint64_t bits) {
  return static_cast<std::int64_t>(bits >> 1) ^ -static_cast<std::int64_t>(bits & 1);
}

/// Behind the zigzag number at `at`; nullptr: broken.
inline const char* read_number(const char* at, const char* end, std::int64_t& value) {
  std::uint64_t bits;
  at = read_varint(at, end, bits);
  value = zigzag(bits);
  return at;
}

/// The same for what is mostly one byte: lengths, branches, symbols.
inline const char* read_long(const char* at, const char* end, std::int64_t& value) {
  if (at == end || static_cast<signed char>(*at) < 0) return read_number(at, end, value);
  value = zigzag(static_cast<unsigned char>(*at));
  return at + 1;
}

/// Behind bytes with their length in front; nullptr: they end beyond `end`.
inline const char* read_bytes(const char* at, const char* end, std::string_view& bytes) {
  std::int64_t size;
  at = read_long(at, end, size);
  if (at == nullptr || size < 0 || size > end - at) return nullptr;
  bytes = {at, static_cast<std::size_t>(size)};
  return at + size;
}

/// Begins a block of an array or map: how many items it has (0: the end), and its bytes where it tells, else -1.
/// nullptr: broken.
inline const char* read_block(const char* at, const char* end, std::int64_t& items, std::int64_t& size) {
  size = -1;
  at = read_long(at, end, items);
  if (at == nullptr || items >= 0) return at;
  if (items == INT64_MIN) return nullptr;
  items = -items;
  at = read_long(at, end, size);
  return at != nullptr && size >= 0 && size <= end - at ? at : nullptr;
}

/// Items that take no bytes are no reason to make any number of them.
constexpr std::int64_t kMaxFreeItems = 4096;
inline bool plausible(std::int64_t items, const char* at, const char* end) {
  return items <= end - at + kMaxFreeItems;
}

/// Behind a datum that nobody reads; nullptr: broken, or nested deeper than 64.
const char* skip(const Node& node, const char* at, const char* end, int depth = 0);

/// `out` has room for kMaxVarint bytes, all of which may be written to.
inline char* write_long(std::int64_t value, char* out) {
  return write_varint_wide(static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63), out);
}

}  // namespace millrace::inline exec::avro
