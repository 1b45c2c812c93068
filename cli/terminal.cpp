#include "cli/terminal.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cctype>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <iterator>

#include "cli/options.h"
#include "parser/error/letter_case.h"

namespace millrace::inline cli {

int terminal_width() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  const char* columns = std::getenv("COLUMNS");
  return columns != nullptr && std::atoi(columns) > 0 ? std::atoi(columns) : 80;
}

PrintOptions print_options(const std::optional<std::string>& output) {
  PrintOptions options;
  options.width = terminal_width();
  options.color = isatty(STDOUT_FILENO) != 0;
  const std::string format = upper_case(output.value_or("TABULAR"));
  if (format == "JSON")
    options.format = OutputFormat::json;
  else if (format != "TABULAR")
    throw UsageError(fmt::format("Invalid output format: '{}' (valid formats: 'JSON', 'TABULAR')", *output));
  return options;
}

std::string read_file_or_stdin(const std::string& path) {
  if (path == "-") return {std::istreambuf_iterator<char>(std::cin), {}};
  std::ifstream file(path);
  if (!file) throw UsageError(fmt::format("cannot read {}", path));
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace millrace::inline cli
