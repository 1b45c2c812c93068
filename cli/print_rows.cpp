#include "cli/print_rows.h"

#include <algorithm>
#include <numeric>

namespace millrace::inline cli {
namespace {

using harness::Json;

constexpr std::size_t kHeldRows = 100;  // the widths are chosen by so many
constexpr int kLeastWidth = 5;
constexpr int kLongestWord = 24;  // a timestamp, an address

int widest_line(std::string_view text) {
  int widest = 0;
  for (;;) {
    const std::size_t end = text.find('\n');
    widest = std::max(widest, display_width(text.substr(0, end)));
    if (end == std::string_view::npos) return widest;
    text.remove_prefix(end + 1);
  }
}

/// Of the words that a table should not break; longer ones may be.
int widest_word(std::string_view text) {
  int widest = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find_first_of(" \n"), text.size());
    const int width = display_width(text.substr(0, end));
    if (width <= kLongestWord) widest = std::max(widest, width);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return widest;
}

/// The part of `text` for the next line of a cell, cut between words where that is not too early.
std::string_view next_part(std::string_view text, int width) {
  const std::string_view line = text.substr(0, text.find('\n'));
  const std::string_view fits = prefix_of_width(line, width);
  if (fits.size() == line.size() || line[fits.size()] == ' ') return fits;
  const std::size_t space = fits.find_last_of(' ');
  return space == std::string_view::npos || space < fits.size() / 2 ? fits : fits.substr(0, space);
}

std::string_view without_break(std::string_view rest) {
  if (!rest.empty() && (rest.front() == '\n' || rest.front() == ' ')) rest.remove_prefix(1);
  return rest;
}

std::string aligned(std::string_view text, int width, bool right) {
  const std::string space(static_cast<std::size_t>(std::max(0, width - display_width(text))), ' ');
  return right ? space + std::string(text) : std::string(text) + space;
}

void append_pretty(const Json& value, int depth, std::string& out) {
  const std::string closing(static_cast<std::size_t>(depth) * 2, ' '), indent = closing + "  ";
  const bool array = value.kind == Json::Kind::array && !value.items.empty();
  const bool object = value.kind == Json::Kind::object && !value.members.empty();
  if (!array && !object) {
    out += harness::print_json(value);
    return;
  }
  out += array ? "[\n" : "{\n";
  const std::size_t size = array ? value.items.size() : value.members.size();
  for (std::size_t i = 0; i < size; ++i) {
    out += (i == 0 ? "" : ",\n") + indent;
    if (object) out += harness::print_json(Json::string(value.members[i].first)) + " : ";
    append_pretty(array ? value.items[i] : value.members[i].second, depth + 1, out);
  }
  out += "\n" + closing + (array ? "]" : "}");
}

}  // namespace

std::string cell_text(const Json& value) {
  std::string out;
  switch (value.kind) {
    case Json::Kind::string:
      return value.text;
    case Json::Kind::array:
      for (const Json& item : value.items) out += (out.empty() ? "" : ", ") + cell_text(item);
      return "[" + out + "]";
    case Json::Kind::object:
      for (const auto& [name, member] : value.members)
        out += (out.empty() ? "" : ", ") + name + "=" + cell_text(member);
      return "{" + out + "}";
    default:
      return harness::print_json(value);
  }
}

std::string pretty_json(const Json& value) {
  std::string out;
  append_pretty(value, 0, out);
  return out + "\n";
}

std::string RowPrinter::row(const Json& values, bool tombstone) {
  Row cells;
  for (const Json& value : values.items)
    cells.push_back({tombstone && value.is_null() ? "<TOMBSTONE>" : cell_text(value), value.is_number()});
  cells.resize(columns_.size());
  if (!widths_.empty()) {
    widen(cells);
    return lines(cells, options_.wrap);
  }
  held_.push_back(std::move(cells));
  return held_.size() < kHeldRows ? std::string() : settle();
}

std::string RowPrinter::settle() {
  if (!widths_.empty() || columns_.empty()) return {};
  choose_widths();
  std::string out = header();
  for (const Row& row : held_) out += lines(row, options_.wrap);
  held_.clear();
  return out;
}

void RowPrinter::choose_widths() {
  std::vector<int> natural, least, words;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    int widest = 0, widest_number = 0, word = 0;
    bool numbers = false, others = false;
    for (const Row& row : held_) {
      const int width = widest_line(row[i].text);
      widest = std::max(widest, width);
      word = std::max(word, widest_word(row[i].text));
      if (row[i].number) widest_number = std::max(widest_number, width);
      numbers |= row[i].number;
      others |= !row[i].number && row[i].text != "null" && row[i].text != "<TOMBSTONE>";
    }
    right_.push_back(numbers && !others);
    natural.push_back(std::max({widest, display_width(columns_[i]), 1}));
    least.push_back(std::max(kLeastWidth, widest_number));
    words.push_back(std::max(least.back(), word));
  }
  if (options_.column_width > 0) {
    for (const int width : least) widths_.push_back(std::max(options_.column_width, width > kLeastWidth ? width : 0));
    return;
  }
  if (!share_width(natural, words)) share_width(natural, least);
}

/// Columns wider than their share of the terminal give way, all to the same width, but none below its least one.
/// Whether all have room then.
bool RowPrinter::share_width(const std::vector<int>& natural, const std::vector<int>& least) {
  const auto fitted = [&](int cap) {
    std::vector<int> widths;
    for (std::size_t i = 0; i < natural.size(); ++i) widths.push_back(std::min(natural[i], std::max(cap, least[i])));
    return widths;
  };
  const int room = room_for_cells();
  int cap = *std::max_element(natural.begin(), natural.end());
  widths_ = fitted(cap);
  while (cap > kLeastWidth && std::accumulate(widths_.begin(), widths_.end(), 0) > room) widths_ = fitted(--cap);
  return std::accumulate(widths_.begin(), widths_.end(), 0) <= room;
}

/// Longer cells than the first rows had: a column of numbers gets what it needs, others what the terminal still has.
void RowPrinter::widen(const Row& cells) {
  int room = options_.column_width > 0 ? 0 : room_for_cells() - std::accumulate(widths_.begin(), widths_.end(), 0);
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const int wanted = std::max(0, widest_line(cells[i].text) - widths_[i]);
    const int more = cells[i].number ? wanted : std::clamp(room, 0, wanted);
    widths_[i] += more;
    room -= more;
  }
}

int RowPrinter::room_for_cells() const {
  return options_.width - (static_cast<int>(columns_.size()) + 1);  // less the lines between them
}

std::string RowPrinter::rule() const {
  std::string out = "+";
  for (const int width : widths_) out += std::string(static_cast<std::size_t>(width), '-') + "+";
  return out + "\n";
}

std::string RowPrinter::header() const {
  Row cells;
  for (const std::string& column : columns_) cells.push_back({column, false});
  return rule() + lines(cells, true) + rule();
}

std::string RowPrinter::lines(const Row& cells, bool wrap) const {
  std::vector<std::string_view> rest;
  for (const Cell& cell : cells) rest.push_back(cell.text);
  std::string out;
  for (bool more = true; more;) {
    out += "|";
    more = false;
    for (std::size_t i = 0; i < rest.size(); ++i) {
      const std::string_view part = next_part(rest[i], widths_[i]);
      // A character wider than the cell goes through whole.
      const std::string_view taken = part.empty() && !rest[i].empty() && rest[i].front() != '\n' ? rest[i] : part;
      std::string_view left = without_break(rest[i].substr(taken.size()));
      std::string shown(taken);
      if (!wrap && !left.empty()) {
        shown = std::string(prefix_of_width(rest[i].substr(0, rest[i].find('\n')), widths_[i] - 1)) + "…";
        left = {};
      }
      rest[i] = left;
      more |= !left.empty();
      out += aligned(shown, widths_[i], right_[i]) + "|";
    }
    out += "\n";
  }
  return out;
}

}  // namespace millrace::inline cli
