#pragma once

#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace millrace::inline exec {

/// What is stored of a table row that others are found by: the value (key bytes), if it has one, then the row.
struct ValuedRow {
  std::optional<std::string_view> value;
  std::string_view row;
};

inline void write_valued(std::optional<std::string_view> value, std::string_view row, std::string& out) {
  const auto size = value ? static_cast<std::uint32_t>(value->size()) : UINT32_MAX;
  out.assign(reinterpret_cast<const char*>(&size), sizeof(size));
  if (value) out.append(*value);
  out.append(row);
}
inline std::string write_valued(std::optional<std::string_view> value, std::string_view row) {
  std::string out;
  write_valued(value, row, out);
  return out;
}

inline ValuedRow read_valued(std::string_view bytes) {
  std::uint32_t size = 0;
  std::memcpy(&size, bytes.data(), sizeof(size));
  bytes.remove_prefix(sizeof(size));
  if (size == UINT32_MAX) return {std::nullopt, bytes};
  return {bytes.substr(0, size), bytes.substr(size)};
}

}  // namespace millrace::inline exec
