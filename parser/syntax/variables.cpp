#include <algorithm>

#include "parser/syntax/letter_case.h"
#include "parser/syntax/parse.h"

namespace millrace::inline parser {
namespace {

bool is_name_character(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/// The name in `${name}` at the start of `text`; empty when something else stands there.
std::string_view reference(std::string_view text) {
  if (!text.starts_with("${")) return {};
  const std::size_t close = text.find('}');
  if (close == std::string_view::npos) return {};
  const std::string_view name = text.substr(2, close - 2);
  return std::all_of(name.begin(), name.end(), is_name_character) ? name : std::string_view();
}

}  // namespace

std::string substitute_variables(std::string_view text, const Variables& variables) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t at = 0; at < text.size();) {
    const std::string_view rest = text.substr(at);
    const bool escaped = rest.starts_with("$${");
    const std::string_view name = reference(escaped ? rest.substr(1) : rest);
    if (name.empty()) {
      out += text[at++];
      continue;
    }
    const std::size_t length = name.size() + 3;  // with `${` and `}`
    const auto known = escaped ? variables.end() : variables.find(upper_case(name));
    if (escaped) ++at;
    out += known != variables.end() ? std::string_view(known->second) : text.substr(at, length);
    at += length;
  }
  return out;
}

}  // namespace millrace::inline parser
