#include <algorithm>
#include <clocale>
#include <cwchar>

#include "cli/print_rows.h"
#include "planner/types/value.h"

namespace millrace::inline cli {
namespace json = boost::json;
namespace {

/// The next code point of `text` at `at`, which moves behind it. Broken bytes count as one cell each.
char32_t next_code_point(std::string_view text, std::size_t& at) {
  const auto lead = static_cast<unsigned char>(text[at]);
  const std::size_t length = lead < 0x80 ? 1 : lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1;
  if (length == 1 || at + length > text.size()) {
    ++at;
    return lead < 0x80 ? lead : U'?';
  }
  char32_t code = lead & (0xff >> (length + 1));
  for (std::size_t i = 1; i < length; ++i) code = code << 6 | (static_cast<unsigned char>(text[at + i]) & 0x3f);
  at += length;
  return code;
}

int cells_of(char32_t code) {
  if (code < 0x300) return code < 0x20 ? 0 : 1;
  // Combining marks, zero-width joiners and selectors take no cell.
  if ((code >= 0x300 && code <= 0x36f) || (code >= 0x200b && code <= 0x200f) || (code >= 0xfe00 && code <= 0xfe0f))
    return 0;
  const bool wide = (code >= 0x1100 && code <= 0x115f) || (code >= 0x2e80 && code <= 0xa4cf) ||
                    (code >= 0xac00 && code <= 0xd7a3) || (code >= 0xf900 && code <= 0xfaff) ||
                    (code >= 0xfe30 && code <= 0xfe6f) || (code >= 0xff00 && code <= 0xff60) ||
                    (code >= 0x1f300 && code <= 0x1f64f) || (code >= 0x1f900 && code <= 0x1f9ff) ||
                    (code >= 0x20000 && code <= 0x3fffd);
  return wide ? 2 : 1;
}

std::string padded(std::string_view text, int width) {
  std::string out(text);
  out.append(static_cast<std::size_t>(std::max(0, width - display_width(text))), ' ');
  return out;
}

/// A text cut at its line breaks.
std::vector<std::string_view> lines_of(std::string_view text) {
  std::vector<std::string_view> lines;
  for (;;) {
    const std::size_t end = text.find('\n');
    lines.push_back(text.substr(0, end));
    if (end == std::string_view::npos) return lines;
    text.remove_prefix(end + 1);
  }
}

}  // namespace

int display_width(std::string_view text) {
  int width = 0;
  for (std::size_t at = 0; at < text.size();) width += cells_of(next_code_point(text, at));
  return width;
}

std::string_view prefix_of_width(std::string_view text, int cells) {
  std::size_t at = 0, fits = 0;
  for (int width = 0; at < text.size();) {
    width += cells_of(next_code_point(text, at));
    if (width > cells) break;
    fits = at;
  }
  return text.substr(0, fits);
}

std::string pretty_json(const json::value& value) {
  return pretty_json(harness::parse_json(json::serialize(value)).value_or(harness::Json{}));
}

std::string cell_text(const json::value& value) {
  if (value.is_null()) return "null";
  if (value.is_string()) return std::string(value.get_string());
  if (value.is_double()) return double_text(value.get_double());
  std::string out;
  if (value.is_array()) {
    for (const json::value& item : value.get_array()) out += (out.empty() ? "" : ", ") + cell_text(item);
    return "[" + out + "]";
  }
  if (value.is_object()) {
    for (const auto& entry : value.get_object())
      out += (out.empty() ? "" : ", ") + std::string(entry.key()) + "=" + cell_text(entry.value());
    return "{" + out + "}";
  }
  return json::serialize(value);
}

std::string print_table(const std::vector<std::string>& header, const std::vector<std::vector<std::string>>& rows,
                        const PrintOptions& options) {
  std::vector<int> widths(header.size());
  for (std::size_t i = 0; i < header.size(); ++i) {
    widths[i] = display_width(header[i]);
    for (const auto& row : rows)
      for (std::string_view line : lines_of(row[i])) widths[i] = std::max(widths[i], display_width(line));
  }
  int total = 1;
  for (int width : widths) total += width + 3;
  auto append_row = [&](const std::vector<std::string>& cells, std::string& out) {
    std::vector<std::vector<std::string_view>> split;
    std::size_t height = 1;
    for (const std::string& cell : cells) height = std::max(height, split.emplace_back(lines_of(cell)).size());
    for (std::size_t line = 0; line < height; ++line) {
      std::string text;
      for (std::size_t i = 0; i < cells.size(); ++i) {
        text += i == 0 ? " " : " | ";
        text += padded(line < split[i].size() ? split[i][line] : std::string_view(), widths[i]);
      }
      text.erase(text.find_last_not_of(' ') + 1);
      out += text + "\n";
    }
  };
  const std::string rule(static_cast<std::size_t>(std::min(options.width, total - 1)), '-');
  std::string out;
  append_row(header, out);
  out += rule + "\n";
  for (const auto& row : rows) append_row(row, out);
  return out + rule + "\n";
}

std::vector<std::string> schema_names(std::string_view schema) {
  std::vector<std::string> names;
  int depth = 0;
  bool expect_name = true;
  for (std::size_t i = 0; i < schema.size(); ++i) {
    const char c = schema[i];
    if (c == '`') {
      std::string name;
      for (++i; i < schema.size(); ++i) {
        if (schema[i] == '`' && (i + 1 >= schema.size() || schema[i + 1] != '`')) break;
        if (schema[i] == '`') ++i;
        name += schema[i];
      }
      if (depth == 0 && expect_name) names.push_back(std::move(name));
      expect_name = false;
    } else if (c == '<' || c == '(') {
      ++depth;
    } else if (c == '>' || c == ')') {
      --depth;
    } else if (c == ',' && depth == 0) {
      expect_name = true;
    }
  }
  return names;
}

}  // namespace millrace::inline cli
