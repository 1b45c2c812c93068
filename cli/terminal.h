#pragma once

#include <optional>
#include <string>

#include "cli/print.h"

namespace millrace::inline cli {

/// Width in cells, 80 when standard output is no terminal.
int terminal_width();
/// From `--output`; UsageError for an unknown word.
PrintOptions print_options(const std::optional<std::string>& output);
/// The whole of a file, or of standard input for "-"; UsageError when it cannot be read.
std::string read_file_or_stdin(const std::string& path);

}  // namespace millrace::inline cli
