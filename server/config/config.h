#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "parser/error/sql_error.h"

namespace millrace::inline server {

enum class SettingType : std::uint8_t { text, integer, real, boolean };
enum class SettingScope : std::uint8_t {
  query,   // SET, streamsProperties, or the server's file
  server,  // the server's file and command line only
};

/// One row of the table of settings: gives the check, SHOW PROPERTIES, /is_valid_property and docs/settings.md.
struct Setting {
  std::string_view name;  // without `ksql.streams.`
  SettingType type;
  SettingScope scope;
  std::string_view fallback;  // as text; empty: none
  std::string_view doc;
  std::optional<std::int64_t> min, max;
  std::vector<std::string_view> choices;  // empty: any
};
const std::vector<Setting>& settings();
const Setting* find_setting(std::string_view name);

/// The name without a `ksql.streams.` prefix.
std::string_view plain_property_name(std::string_view name);
/// Checks a property of a session. Throws SqlError(Code::invalid_property): unknown name, value out of range, or one
/// that only the server's own file may set.
void check_session_property(std::string_view name, std::string_view value);

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
