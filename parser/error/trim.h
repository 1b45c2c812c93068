#pragma once

#include <string_view>

namespace millrace::inline parser {

/// Without the blanks and control characters (<= U+0020) at both ends: what Java's trim() drops.
constexpr std::string_view trim(std::string_view text) {
  while (!text.empty() && static_cast<unsigned char>(text.front()) <= 0x20) text.remove_prefix(1);
  while (!text.empty() && static_cast<unsigned char>(text.back()) <= 0x20) text.remove_suffix(1);
  return text;
}

}  // namespace millrace::inline parser
