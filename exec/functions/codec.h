#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>

#include "planner/types/value.h"

/// Bytes of aggregate states in changelogs: little-endian, self-delimiting. Readers return false on malformed input.
namespace millrace::inline exec::codec {

inline void put_unsigned(std::uint64_t value, std::string& out) {
  if (value < 0x80) return out.push_back(static_cast<char>(value));
  char bytes[10];
  std::size_t size = 0;
  for (; value >= 0x80; value >>= 7) bytes[size++] = static_cast<char>(value | 0x80);
  bytes[size++] = static_cast<char>(value);
  out.append(bytes, size);
}
inline bool get_unsigned(std::string_view& in, std::uint64_t& value) {
  value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (in.empty()) return false;
    const auto byte = static_cast<std::uint8_t>(in.front());
    in.remove_prefix(1);
    value |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
    if ((byte & 0x80) == 0) return true;
  }
  return false;
}

/// Small magnitudes take few bytes.
inline void put(std::int64_t value, std::string& out) {
  put_unsigned(static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63), out);
}
inline bool get(std::string_view& in, std::int64_t& value) {
  std::uint64_t raw = 0;
  if (!get_unsigned(in, raw)) return false;
  value = static_cast<std::int64_t>(raw >> 1 ^ (~(raw & 1) + 1));
  return true;
}
inline void put(std::int32_t value, std::string& out) {
  put(std::int64_t{value}, out);
}
inline bool get(std::string_view& in, std::int32_t& value) {
  std::int64_t wide = 0;
  if (!get(in, wide)) return false;
  value = static_cast<std::int32_t>(wide);
  return true;
}

template <class T>
void put_raw(const T& value, std::string& out) {
  out.append(reinterpret_cast<const char*>(&value), sizeof(T));
}
template <class T>
bool get_raw(std::string_view& in, T& value) {
  if (in.size() < sizeof(T)) return false;
  std::memcpy(&value, in.data(), sizeof(T));
  in.remove_prefix(sizeof(T));
  return true;
}
inline void put(double value, std::string& out) {
  put_raw(value, out);
}
inline bool get(std::string_view& in, double& value) {
  return get_raw(in, value);
}
inline void put(Int128 value, std::string& out) {
  put_raw(value, out);
}
inline bool get(std::string_view& in, Int128& value) {
  return get_raw(in, value);
}
inline void put(std::uint8_t value, std::string& out) {
  out.push_back(static_cast<char>(value));
}
inline bool get(std::string_view& in, std::uint8_t& value) {
  return get_raw(in, value);
}
inline void put(bool value, std::string& out) {
  out.push_back(value ? 1 : 0);
}
inline bool get(std::string_view& in, bool& value) {
  std::uint8_t byte = 0;
  if (!get_raw(in, byte)) return false;
  value = byte != 0;
  return true;
}

inline void put_text(std::string_view text, std::string& out) {
  put_unsigned(text.size(), out);
  out.append(text);
}
inline bool get_text(std::string_view& in, std::string_view& text) {
  std::uint64_t size = 0;
  if (!get_unsigned(in, size) || size > in.size()) return false;
  text = in.substr(0, size);
  in.remove_prefix(size);
  return true;
}

void put_value(const Value& value, const Type& type, std::string& out);
bool get_value(std::string_view& in, const Type& type, Value& value);

}  // namespace millrace::inline exec::codec
