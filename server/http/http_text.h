#pragma once

#include <cctype>
#include <string>
#include <string_view>

namespace millrace::inline server {

inline std::string_view trim(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0) text.remove_prefix(1);
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.back())) != 0) text.remove_suffix(1);
  return text;
}

inline std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

inline std::string upper(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return out;
}

/// `+` stays in path segments, and is a blank in form fields. A text with a `%` that begins no escape stays as it is.
std::string percent_decode(std::string_view text, bool plus_is_blank = false);

}  // namespace millrace::inline server
