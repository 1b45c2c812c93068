#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "exec/data/column.h"

namespace millrace::inline exec {

/// Whether a text of 4 to 32 bytes has ASCII alone; others are not looked at: false.
inline bool is_short_ascii(std::string_view text) {
  const std::size_t size = text.size();
  const char* const at = text.data();
  if (size < 4 || size > 32) return false;
  if (size < 8) {
    std::uint32_t first, last;
    std::memcpy(&first, at, 4);
    std::memcpy(&last, at + size - 4, 4);
    return ((first | last) & 0x8080'8080) == 0;
  }
  std::uint64_t all = 0, word;
  for (std::size_t i = 0; i + 8 < size; i += 8) {
    std::memcpy(&word, at + i, 8);
    all |= word;
  }
  std::memcpy(&word, at + size - 8, 8);
  return ((all | word) & 0x8080'8080'8080'8080) == 0;
}

/// as_utf8() where is_short_ascii() is of no help.
std::string_view checked_utf8(std::string_view text, std::shared_ptr<Arena>& arena);

/// The text itself where it is UTF-8; else a copy in `arena` (made when first needed) with U+FFFD for every broken
/// sequence, as Java decodes it. STRING columns hold nothing but UTF-8.
inline std::string_view as_utf8(std::string_view text, std::shared_ptr<Arena>& arena) {
  return is_short_ascii(text) ? text : checked_utf8(text, arena);
}
std::string to_utf8(std::string text);

}  // namespace millrace::inline exec
