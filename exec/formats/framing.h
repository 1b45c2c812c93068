#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

namespace millrace::inline exec {

/// A zero byte and the id of a schema, big-endian.
constexpr std::size_t kFrameSize = 5;

inline bool peek_schema_id(std::string_view bytes, std::int32_t& id) {
  if (bytes.size() < kFrameSize || bytes[0] != 0) return false;
  std::uint32_t bits;
  std::memcpy(&bits, bytes.data() + 1, sizeof bits);
  id = static_cast<std::int32_t>(__builtin_bswap32(bits));
  return true;
}

/// Moves `bytes` behind the frame. False: there is none.
inline bool take_schema_id(std::string_view& bytes, std::int32_t& id) {
  if (!peek_schema_id(bytes, id)) return false;
  bytes.remove_prefix(kFrameSize);
  return true;
}

inline std::string schema_frame(std::int32_t id) {
  const std::uint32_t bits = __builtin_bswap32(static_cast<std::uint32_t>(id));
  std::string out(1, '\0');
  out.append(reinterpret_cast<const char*>(&bits), sizeof bits);
  return out;
}

}  // namespace millrace::inline exec
