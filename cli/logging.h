#pragma once

#include <string>

namespace millrace::inline cli {

/// Sends what the program logs to standard error: as `text`, or as `json`, an object a line with time, level, message.
/// Throws UsageError for another format or an unknown level.
void set_up_logging(const std::string& format, const std::string& level);

}  // namespace millrace::inline cli
