#pragma once

#include <cstdint>
#include <string_view>

namespace millrace::inline exec::json {

/// How well a field of the input fits a column: its own name beats its upper-cased one, whatever the order.
enum class NameMatch : std::uint8_t { none, upper_cased, exact };

/// Only ASCII letters have an upper case here.
inline NameMatch match_name(std::string_view column, std::string_view name) {
  if (column.size() != name.size()) return NameMatch::none;
  if (column == name) return NameMatch::exact;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const char c = name[i];
    if (column[i] != (c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c)) return NameMatch::none;
  }
  return NameMatch::upper_cased;
}

}  // namespace millrace::inline exec::json
