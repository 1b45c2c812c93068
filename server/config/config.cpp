#include "server/config/config.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cstring>
#include <fstream>

#include "parser/error/letter_case.h"
#include "parser/error/trim.h"

namespace millrace::inline server {
void Config::load_file(const std::string& path) {
  std::ifstream file(path);
  if (!file)
    throw SqlError(Code::invalid_property, {}, fmt::format("cannot read {}: {}", path, std::strerror(errno)),
                   ErrorClass::general);
  std::string line, whole;
  std::uint32_t number = 0, first = 0;
  while (std::getline(file, line)) {
    ++number;
    if (whole.empty()) first = number;
    std::string_view text = trim(line);
    if (whole.empty() && (text.empty() || text.front() == '#' || text.front() == '!')) continue;
    if (text.ends_with('\\')) {
      whole += text.substr(0, text.size() - 1);
      continue;
    }
    whole += text;
    const std::size_t at = whole.find_first_of("=:");
    if (at == std::string::npos)
      throw SqlError(Code::invalid_property, {first, 1, 0, 0},
                     fmt::format("{}:{}: expected name=value, got '{}'", path, first, whole), ErrorClass::general);
    set(std::string(trim(std::string_view(whole).substr(0, at))),
        std::string(trim(std::string_view(whole).substr(at + 1))));
    whole.clear();
  }
}

void Config::load_environment(char** environment) {
  for (; environment != nullptr && *environment != nullptr; ++environment) {
    std::string_view entry = *environment;
    if (!entry.starts_with("KSQL_")) continue;
    const std::size_t at = entry.find('=');
    if (at == std::string_view::npos) continue;
    // KSQL_KSQL_SERVICE_ID names ksql.service.id, KSQL_LISTENERS names listeners.
    std::string name = lower_case(entry.substr(5, at - 5));
    std::replace(name.begin(), name.end(), '_', '.');
    if (find_setting(plain_property_name(name)) != nullptr) set(name, std::string(entry.substr(at + 1)));
  }
}

void Config::set(std::string name, std::string value) {
  const std::string plain(plain_property_name(name));
  if (const Setting* setting = find_setting(plain)) check_setting(*setting, value);
  values_[plain] = std::move(value);
}

void Config::check_override(std::string_view name) const {
  const std::string denied = text("ksql.properties.overrides.denylist");
  for (std::string_view rest = denied; !rest.empty();) {
    const std::string_view part = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(part.size() + 1, rest.size()));
    if (plain_property_name(trim(part)) == plain_property_name(name))
      throw SqlError(Code::invalid_property, {}, fmt::format("Cannot override property '{}'", name),
                     ErrorClass::general)
          .hint("ksql.properties.overrides.denylist forbids it");
  }
}

std::optional<std::string> Config::find(std::string_view name) const {
  auto it = values_.find(name);
  if (it == values_.end()) return std::nullopt;
  return it->second;
}

std::string Config::text(std::string_view name) const {
  const Setting* setting = find_setting(name);
  if (auto value = find(name)) return setting == nullptr ? *value : setting_text({{std::string(name), *value}}, name);
  return setting == nullptr ? std::string() : std::string(setting->fallback);
}

std::int64_t Config::integer(std::string_view name) const {
  return whole_number(text(name)).value_or(0);
}

bool Config::boolean(std::string_view name) const {
  return lower_case(text(name)) == "true";
}

std::vector<std::string> Config::unknown() const {
  std::vector<std::string> names;
  for (const auto& [name, value] : values_)
    if (find_setting(name) == nullptr && !is_passed_through(name)) names.push_back(name);
  return names;
}

}  // namespace millrace::inline server
