#pragma once

#include <algorithm>
#include <compare>
#include <cstring>
#include <string_view>

namespace millrace::inline planner {

/// Order of UTF-8 texts by UTF-16 code units. Same as by bytes, but that U+E000..U+FFFF sort above what UTF-16 writes
/// as surrogates.
inline std::strong_ordering compare_text(std::string_view a, std::string_view b) {
  const std::size_t shared = std::min(a.size(), b.size());
  if (shared == 0 || std::memcmp(a.data(), b.data(), shared) == 0) return a.size() <=> b.size();
  const auto differ = std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(shared), b.begin());
  const auto left = static_cast<unsigned char>(*differ.first);
  const auto right = static_cast<unsigned char>(*differ.second);
  const bool left_high = left == 0xEE || left == 0xEF;
  const bool right_high = right == 0xEE || right == 0xEF;
  if (left_high != right_high && left >= 0xEE && right >= 0xEE)
    return left_high ? std::strong_ordering::greater : std::strong_ordering::less;
  return left <=> right;
}

}  // namespace millrace::inline planner
