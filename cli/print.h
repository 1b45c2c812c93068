#pragma once

#include <boost/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What the shell and `millrace run` show (spec/cli.md §4, §5). Everything goes through a Printer, so that a session
/// can be spooled.
namespace millrace::inline cli {

enum class OutputFormat : std::uint8_t { tabular, json };

struct PrintOptions {
  OutputFormat format = OutputFormat::tabular;
  int width = 80;        // of the terminal, in cells
  int column_width = 0;  // SET CLI COLUMN-WIDTH; 0: shared out
  bool wrap = true;      // SET CLI WRAP
  bool color = false;
};

/// Terminal cells that a UTF-8 text takes.
int display_width(std::string_view text);
/// The longest prefix of `text` that fits `cells`.
std::string_view prefix_of_width(std::string_view text, int cells);

/// One statement's entity as text, or pretty-printed JSON.
std::string print_entity(const boost::json::object& entity, const PrintOptions& options);
/// Lines of aligned cells under a header.
std::string print_table(const std::vector<std::string>& header, const std::vector<std::vector<std::string>>& rows,
                        const PrintOptions& options);
/// Two-space indented JSON, as `--output JSON` shows it.
std::string pretty_json(const boost::json::value& value);
/// A cell: strings bare, arrays `[a, b]`, maps and structs `{k=v}`.
std::string cell_text(const boost::json::value& value);

/// Rows of one query, boxed and as wide as the terminal.
class RowPrinter {
 public:
  RowPrinter(const PrintOptions& options, std::vector<std::string> columns)
      : options_(options), columns_(std::move(columns)) {}
  std::string header() const;
  std::string row(const boost::json::array& values, bool tombstone) const;

 private:
  int cell_width() const;
  std::string lines(const std::vector<std::string>& cells, bool wrap) const;
  std::string rule() const;
  PrintOptions options_;
  std::vector<std::string> columns_;
};

/// Column names of a schema string of the API: `` `ID` INTEGER KEY, `V` STRUCT<`A` STRING> ``.
std::vector<std::string> schema_names(std::string_view schema);

}  // namespace millrace::inline cli
