#pragma once

#include <string>
#include <vector>

#include "cli/print.h"
#include "cli/testing/json_text.h"

namespace millrace::inline cli {

/// A cell as `cell_text` of print.h, with numbers as they stand: DECIMAL keeps its scale.
std::string cell_text(const harness::Json& value);
/// Two-space indented JSON, numbers as they stand.
std::string pretty_json(const harness::Json& value);

/// Rows of one query in boxes as wide as their content. The first rows are held back until `settle`, or until there are
/// enough of them to choose the widths by; numbers stand to the right and are never broken, other cells that are too
/// long are wrapped between words, or within one where words have no room, or cut (SET CLI WRAP).
class RowPrinter {
 public:
  RowPrinter(const PrintOptions& options, std::vector<std::string> columns)
      : options_(options), columns_(std::move(columns)) {}

  /// What to show now, perhaps nothing yet.
  std::string row(const harness::Json& values, bool tombstone);
  /// Header and rows held back, if they were not shown yet.
  std::string settle();

 private:
  struct Cell {
    std::string text;
    bool number = false;
  };
  using Row = std::vector<Cell>;

  void choose_widths();
  bool share_width(const std::vector<int>& natural, const std::vector<int>& least);
  void widen(const Row& cells);
  int room_for_cells() const;
  std::string lines(const Row& cells, bool wrap) const;
  std::string rule() const;
  std::string header() const;

  const PrintOptions options_;
  const std::vector<std::string> columns_;
  std::vector<Row> held_;
  std::vector<int> widths_;  // of the columns; empty until they are chosen
  std::vector<bool> right_;  // columns of numbers
};

}  // namespace millrace::inline cli
