#pragma once

#include <fmt/format.h>

#include <bit>
#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>

/// What the workloads see in a record of their output, and the hashes that they judge it by.
namespace millrace::inline cli::bench {

inline std::uint64_t mix(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9E3779B97F4A7C15ull;
  return hash ^ (hash >> 29);
}
template <class... Parts>
std::uint64_t hash_of(Parts... parts) {
  std::uint64_t hash = 1;
  ((hash = mix(hash, static_cast<std::uint64_t>(parts))), ...);
  return mix(hash, 7);
}
inline std::uint64_t bits(double value) {
  return std::bit_cast<std::uint64_t>(value);
}
inline std::uint64_t text_hash(std::string_view text) {
  std::uint64_t hash = text.size();
  for (const char c : text) hash = mix(hash, static_cast<unsigned char>(c));
  return hash;
}

/// The text of one field of a flat JSON object written without spaces; empty when there is none.
inline std::string_view field(std::string_view json, std::string_view name) {
  const std::string pattern = fmt::format("\"{}\":", name);
  const std::size_t at = json.find(pattern);
  if (at == std::string_view::npos) return {};
  json.remove_prefix(at + pattern.size());
  return json.substr(0, json.find_first_of(",}"));
}
template <class T = std::int64_t>
T number(std::string_view json, std::string_view name) {
  T value = -1;
  const std::string_view text = field(json, name);
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}
inline std::int64_t big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes.substr(0, 8)) value = value << 8 | static_cast<unsigned char>(c);
  return static_cast<std::int64_t>(value);
}

}  // namespace millrace::inline cli::bench
