#include <algorithm>
#include <string_view>

#include "parser/syntax/parse.h"

namespace millrace::inline parser {
namespace {

constexpr auto kEnd = std::string_view::npos;

bool is_space(char c) {
  return c == ' ' || (c >= '\t' && c <= '\r');
}

/// One past the quoted text that begins at `at`, doubled quotes included; the end when it is not closed.
std::size_t skip_quoted(std::string_view text, std::size_t at) {
  const char quote = text[at];
  std::size_t close = text.find(quote, at + 1);
  while (close != kEnd && close + 1 < text.size() && text[close + 1] == quote) close = text.find(quote, close + 2);
  return close == kEnd ? text.size() : close + 1;
}

/// One past the comment that begins at `at`; `at` itself when none does.
std::size_t skip_comment(std::string_view text, std::size_t at) {
  if (text.substr(at).starts_with("--")) return std::min(text.find('\n', at), text.size());
  if (!text.substr(at).starts_with("/*")) return at;
  const std::size_t close = text.find("*/", at + 2);
  return close == kEnd ? text.size() : close + 2;
}

bool is_open_comment(std::string_view text, std::size_t at) {
  return text.substr(at).starts_with("/*") && text.find("*/", at + 2) == kEnd;
}

}  // namespace

std::vector<std::string_view> statement_pieces(std::string_view text) {
  std::vector<std::string_view> pieces;
  std::size_t begin = 0;
  bool content = false;  // since `begin` there is more than space and comments
  for (std::size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (!content && is_space(c) && at == begin) {
      begin = ++at;
      continue;
    }
    if (const std::size_t past = skip_comment(text, at); past != at) {
      content = content || is_open_comment(text, at);
      at = past;
      continue;
    }
    const bool quoted = c == '\'' || c == '"' || c == '`';
    at = quoted ? skip_quoted(text, at) : at + 1;
    content = content || !is_space(c);
    if (c != ';') continue;
    pieces.emplace_back(text.substr(begin, at - begin));
    begin = at;
    content = false;
  }
  if (content) pieces.emplace_back(text.substr(begin));
  return pieces;
}

std::vector<std::string> split_statements(std::string_view text) {
  const auto pieces = statement_pieces(text);
  return {pieces.begin(), pieces.end()};
}

}  // namespace millrace::inline parser
