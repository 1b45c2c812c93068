#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace millrace::inline parser {

/// ASCII letters in upper case, whatever the locale; all else as it is.
inline std::string upper_case(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - ('a' - 'A')) : c;
  return upper;
}
/// Likewise in lower case.
inline std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  return lower;
}
/// Whether `wanted` is `name` in upper case.
inline bool is_upper_case_of(std::string_view wanted, std::string_view name) {
  return std::ranges::equal(wanted, name, [](char w, char n) {
    return w == (n >= 'a' && n <= 'z' ? static_cast<char>(n - ('a' - 'A')) : n);
  });
}

}  // namespace millrace::inline parser
