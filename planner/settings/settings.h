#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::inline planner {

enum class SettingType : std::uint8_t { text, integer, real, boolean };
enum class SettingScope : std::uint8_t {
  query,   // SET, streamsProperties, or the server's file
  server,  // the server's file and command line only
};

/// One row of the table of settings: gives the check, the default wherever it is read, SHOW PROPERTIES,
/// /is_valid_property and docs/settings.md. Every setting acts, or says why it does not.
struct Setting {
  std::string_view name;  // without `ksql.streams.`
  SettingType type;
  SettingScope scope;
  std::string_view fallback;  // as text; empty: none
  std::string_view doc;
  std::optional<std::int64_t> min, max;
  std::vector<std::string_view> choices;  // empty: any
  std::string_view fixed = {};            // set: why any other value than the default is refused
  std::string_view idle = {};             // set: why no value changes anything; SET says so
};
const std::vector<Setting>& settings();
const Setting* find_setting(std::string_view name);

/// The number that the whole text is; absent: it is none.
std::optional<std::int64_t> whole_number(std::string_view text);

/// Session properties, names without `ksql.streams.`, values as text.
using PropertyMap = std::map<std::string, std::string>;

/// What the properties say of a setting of the table, or its default.
std::string setting_text(const PropertyMap& properties, std::string_view name);
std::int64_t setting_integer(const PropertyMap& properties, std::string_view name);
bool setting_flag(const PropertyMap& properties, std::string_view name);

/// The name without a `ksql.streams.` prefix.
std::string_view plain_property_name(std::string_view name);
/// Throws SqlError(Code::invalid_property) for a value that the setting does not take.
void check_setting(const Setting& setting, std::string_view value);
/// Checks a property of a session. Throws SqlError(Code::invalid_property): unknown name, value out of range, or one
/// that only the server's own file may set.
void check_session_property(std::string_view name, std::string_view value);
/// Names that belong to clients of Kafka and the like; the server hands them through.
bool is_passed_through(std::string_view name);

}  // namespace millrace::inline planner
