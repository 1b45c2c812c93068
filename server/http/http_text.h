#pragma once

#include <algorithm>
#include <string>
#include <string_view>

namespace millrace::inline server {

/// `+` stays in path segments, and is a blank in form fields. A text with a `%` that begins no escape stays as it is.
std::string percent_decode(std::string_view text, bool plus_is_blank = false);

/// The value of a field in the query part of a target; empty: it is not there.
inline std::string query_value(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view field = query.substr(0, end);
    if (field.size() > name.size() && field.starts_with(name) && field[name.size()] == '=')
      return percent_decode(field.substr(name.size() + 1), true);
    query.remove_prefix(std::min(end + 1, query.size()));
  }
  return {};
}

}  // namespace millrace::inline server
