#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "exec/data/batch.h"

/// Forms of records that several stages agree on: windowed keys, and values in the topics between subtopologies.
namespace millrace::inline exec {

/// Values of internal topics begin with one byte: the row kind, and whether the row's value is null.
constexpr std::uint8_t kKindMask = 0x03;
constexpr std::uint8_t kNullValueFlag = 0x04;
constexpr std::uint8_t kBareRow = 0x08;  // a stream row: it has no kind

inline void put_big_endian(std::string& out, std::int64_t value) {
  const auto bits = static_cast<std::uint64_t>(value);
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<char>(bits >> shift & 0xff));
}

/// Precondition: at least 8 bytes.
inline std::int64_t get_big_endian(std::string_view bytes) {
  std::uint64_t bits = 0;
  for (int i = 0; i < 8; ++i) bits = bits << 8 | static_cast<unsigned char>(bytes[static_cast<std::size_t>(i)]);
  return static_cast<std::int64_t>(bits);
}

}  // namespace millrace::inline exec
