#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>
#include <charconv>

#include "parser/error/letter_case.h"
#include "parser/error/sql_error.h"
#include "planner/settings/settings.h"

namespace millrace::inline planner {
namespace {

constexpr std::string_view kStreamsPrefix = "ksql.streams.";

[[noreturn]] void invalid(std::string_view name, std::string_view value, const std::string& why) {
  throw SqlError(Code::invalid_property, {}, fmt::format("Invalid value {} for configuration {}: {}", value, name, why),
                 ErrorClass::general);
}

SqlError server_only(std::string_view name) {
  return SqlError(Code::invalid_property, {}, fmt::format("Cannot override property '{}'", name), ErrorClass::general)
      .hint("it can only be set in the server's own configuration");
}

/// A setting that code reads by a name which the table does not hold is a mistake of the program.
const Setting& require_setting(std::string_view name) {
  const Setting* setting = find_setting(name);
  if (setting == nullptr) throw std::logic_error(fmt::format("no setting is called {}", name));
  return *setting;
}

/// A value as code compares it: choices are taken in any case.
std::string as_spelled(const Setting& setting, const std::string& value) {
  if (std::ranges::find(setting.choices, value) != setting.choices.end()) return value;
  const std::string lower = lower_case(value);
  const auto choice =
      std::ranges::find_if(setting.choices, [&](std::string_view one) { return lower_case(one) == lower; });
  return choice != setting.choices.end() ? std::string(*choice) : value;
}

}  // namespace

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool is_passed_through(std::string_view name) {
  for (std::string_view prefix :
       {"kafka.", "ssl.", "sasl.", "security.", "ksql.schema.registry.", "authentication.", "millrace.cluster."})
    if (name.starts_with(prefix)) return true;
  return false;
}

std::string_view plain_property_name(std::string_view name) {
  if (name.starts_with(kStreamsPrefix)) name.remove_prefix(kStreamsPrefix.size());
  return name;
}

void check_setting(const Setting& setting, std::string_view value) {
  if (!setting.fixed.empty() && lower_case(value) != setting.fallback)
    invalid(setting.name, value, fmt::format("it can only be {}: {}", setting.fallback, setting.fixed));
  switch (setting.type) {
    case SettingType::integer: {
      auto number = whole_number(value);
      if (!number) invalid(setting.name, value, "Not a number of type LONG");
      if (setting.min && *number < *setting.min)
        invalid(setting.name, value, fmt::format("Value must be at least {}", *setting.min));
      if (setting.max && *number > *setting.max)
        invalid(setting.name, value, fmt::format("Value must be at most {}", *setting.max));
      return;
    }
    case SettingType::boolean:
      if (lower_case(value) != "true" && lower_case(value) != "false")
        invalid(setting.name, value, "Expected value to be either true or false");
      return;
    default:
      if (setting.choices.empty()) return;
      if (std::ranges::none_of(setting.choices,
                               [&](std::string_view one) { return lower_case(one) == lower_case(value); }))
        invalid(setting.name, value, fmt::format("String must be one of: {}", fmt::join(setting.choices, ", ")));
  }
}

void check_session_property(std::string_view name, std::string_view value) {
  const std::string_view plain = plain_property_name(name);
  const Setting* setting = find_setting(plain);
  if (setting == nullptr) {
    if (is_passed_through(plain)) throw server_only(name);
    throw SqlError(Code::invalid_property, {}, fmt::format("Unknown property: {}", name), ErrorClass::general)
        .hint("SHOW PROPERTIES lists every name");
  }
  if (setting->scope == SettingScope::server) throw server_only(name);
  check_setting(*setting, value);
}

std::string setting_text(const PropertyMap& properties, std::string_view name) {
  const Setting& setting = require_setting(name);
  const auto given = properties.find(std::string(name));
  return given != properties.end() ? as_spelled(setting, given->second) : std::string(setting.fallback);
}

std::int64_t setting_integer(const PropertyMap& properties, std::string_view name) {
  return whole_number(setting_text(properties, name)).value_or(0);
}

bool setting_flag(const PropertyMap& properties, std::string_view name) {
  return lower_case(setting_text(properties, name)) == "true";
}

}  // namespace millrace::inline planner
