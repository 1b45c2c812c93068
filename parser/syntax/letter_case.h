#pragma once

#include <string>
#include <string_view>

namespace millrace::inline parser {

/// ASCII letters in upper case, whatever the locale; all else as it is.
inline std::string upper_case(std::string_view text) {
  std::string upper(text);
  for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - ('a' - 'A')) : c;
  return upper;
}

}  // namespace millrace::inline parser
