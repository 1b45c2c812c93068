#include "parser/error/sql_error.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

namespace millrace::inline parser {
namespace {

constexpr std::array kCodeNames = {
    "syntax",
    "invalid_literal",
    "unknown_source",
    "unknown_column",
    "ambiguous_column",
    "unknown_function",
    "no_matching_function",
    "unknown_type",
    "type_mismatch",
    "invalid_aggregate",
    "invalid_key",
    "invalid_join",
    "invalid_window",
    "invalid_property",
    "invalid_format",
    "invalid_schema",
    "already_exists",
    "invalid_insert",
    "invalid_statement",
    "not_supported",
    "assertion_failed",
    "read_only",
    "external",
};
static_assert(kCodeNames.size() == static_cast<std::size_t>(Code::external) + 1, "a name for every code, in order");

bool starts_character(char c) {
  return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
}

std::size_t count_characters(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), starts_character));
}

/// What stands under the text: a tab where the text has one, so that the caret lines up on a terminal.
std::string blank_like(std::string_view text) {
  std::string blank;
  for (const char c : text) {
    if (starts_character(c)) blank += c == '\t' ? '\t' : ' ';
  }
  return blank;
}

constexpr std::size_t kIndent = 2;
constexpr std::size_t kLeastShown = 20;

/// Byte offsets of the characters of `text`, and its end.
std::vector<std::size_t> character_offsets(std::string_view text) {
  std::vector<std::size_t> offsets;
  for (std::size_t at = 0; at < text.size(); ++at)
    if (starts_character(text[at])) offsets.push_back(at);
  offsets.push_back(text.size());
  return offsets;
}

/// `begin` and `end` count in `line`.
void draw_line(std::string& out, std::string_view line, std::size_t begin, std::size_t end, std::size_t width) {
  bool cut_before = false, cut_after = false;
  if (width != 0 && count_characters(line) + kIndent > width) {
    const auto offsets = character_offsets(line);
    const std::size_t count = offsets.size() - 1, room = std::max(kLeastShown, width - std::min(width, kIndent + 2));
    const std::size_t place = count_characters(line.substr(0, begin));
    const std::size_t first = std::min(place - std::min(place, room / 3), count - std::min(count, room));
    const std::size_t last = std::min(count, first + room);
    cut_before = first > 0;
    cut_after = last < count;
    begin -= offsets[first];
    end = std::min(end, offsets[last]) - offsets[first];
    line = line.substr(offsets[first], offsets[last] - offsets[first]);
  }
  const std::size_t carets = std::max<std::size_t>(1, count_characters(line.substr(begin, end - begin)));
  out += fmt::format("\n  {}{}{}\n  {}{}{}", cut_before ? "…" : "", line, cut_after ? "…" : "", cut_before ? " " : "",
                     blank_like(line.substr(0, begin)), std::string(carets, '^'));
}

void draw_place(std::string& out, const Span& span, std::string_view text, std::size_t width) {
  const std::size_t begin = std::min<std::size_t>(span.begin, text.size());
  const std::size_t line_begin = begin == 0 ? 0 : text.rfind('\n', begin - 1) + 1;
  const std::size_t line_end = std::min(text.find('\n', begin), text.size());
  std::string_view line = text.substr(line_begin, line_end - line_begin);
  if (line.ends_with('\r')) line.remove_suffix(1);
  const std::size_t place = std::min(begin - line_begin, line.size());
  const std::size_t end = std::clamp<std::size_t>(span.end, line_begin + place, line_begin + line.size());
  draw_line(out, line, place, end - line_begin, width);
}

}  // namespace

std::string_view code_name(Code code) {
  return kCodeNames.at(static_cast<std::size_t>(code));
}

std::string render_error(const SqlError& error, std::string_view text, int width) {
  const Span& span = error.span();
  const bool placed = span.line != 0 && span.begin <= text.size();
  std::string out = fmt::format("error[{}]", code_name(error.code()));
  if (placed) out += fmt::format(" at {}:{}", span.line, span.column);
  out += fmt::format(": {}", error.what());
  if (placed) draw_place(out, span, text, static_cast<std::size_t>(width));
  if (!error.hint().empty()) out += fmt::format("\n  hint: {}", error.hint());
  return out;
}

}  // namespace millrace::inline parser
