#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parser/error/sql_error.h"
#include "planner/settings/settings.h"

namespace millrace::inline server {

/// The server's settings: defaults, overlaid by file, environment (`KSQL_...`) and command line. Immutable after start.
class Config {
 public:
  /// Reads `name=value` lines (Java properties: `#` and `!` comments, `:` or `=`, continuation by `\`). Throws SqlError
  /// with line on bad input; unknown names are kept and reported by `unknown()` (Kafka client settings pass through by
  /// prefix).
  void load_file(const std::string& path);
  void load_environment(char** environment);
  void set(std::string name, std::string value);

  std::optional<std::string> find(std::string_view name) const;  // set explicitly
  std::string text(std::string_view name) const;                 // or the fallback
  std::int64_t integer(std::string_view name) const;
  bool boolean(std::string_view name) const;
  const std::map<std::string, std::string, std::less<>>& explicit_values() const { return values_; }
  /// Throws SqlError for a property that the operator keeps sessions from setting.
  void check_override(std::string_view name) const;
  /// Every explicitly set name that no setting and no known prefix explains.
  std::vector<std::string> unknown() const;

 private:
  std::map<std::string, std::string, std::less<>> values_;
};

}  // namespace millrace::inline server
