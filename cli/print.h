#pragma once

#include <boost/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// What the shell and `millrace run` show (README.md, Use). Everything goes through a Printer, so that a session
/// can be spooled.
namespace millrace::inline cli {

enum class OutputFormat : std::uint8_t { tabular, json };

struct PrintOptions {
  OutputFormat format = OutputFormat::tabular;
  int width = 80;        // of the terminal, in cells
  int column_width = 0;  // SET CLI COLUMN-WIDTH; 0: as wide as the content
  bool wrap = true;      // SET CLI WRAP
  bool color = false;
  bool live = false;    // rows of a push query may be long in coming: they are not held back for more
  bool timing = false;  // how long a pull query took is shown
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

/// Column names of a schema string of the API: `` `ID` INTEGER KEY, `V` STRUCT<`A` STRING> ``.
std::vector<std::string> schema_names(std::string_view schema);

}  // namespace millrace::inline cli
