#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

/// Texts are UTF-8, but lengths and positions in SQL count UTF-16 code units, as Java does.
namespace millrace::utf16 {

bool is_ascii(std::string_view text);
/// Code units of the whole text.
std::size_t length(std::string_view text);
/// Byte offset of code unit `unit`; the size of the text when it has fewer. Inside a surrogate pair: the character's
/// start.
std::size_t offset(std::string_view text, std::size_t unit);
/// A character that `from` cuts in two is taken whole.
inline std::string_view slice(std::string_view text, std::size_t from, std::size_t to) {
  const std::string_view rest = text.substr(offset(text, from));
  if (to <= from) return rest.substr(0, 0);
  const bool inside = from > 0 && !rest.empty() && static_cast<unsigned char>(rest[0]) >= 0xF0 &&
                      offset(text, from - 1) == offset(text, from);
  return rest.substr(0, offset(rest, to - from + (inside ? 1 : 0)));
}
/// The code point at the front, removed from the text. Broken bytes give U+FFFD.
char32_t next(std::string_view& text);
void append(char32_t code_point, std::string& out);
std::u16string widen(std::string_view text);
std::string narrow(std::u16string_view text);

}  // namespace millrace::utf16
