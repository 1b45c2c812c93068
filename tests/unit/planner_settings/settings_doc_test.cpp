#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "parser/error/sql_error.h"
#include "planner/settings/settings.h"

namespace millrace {
namespace {

std::string limits(const Setting& setting) {
  if (!setting.fixed.empty()) return fmt::format("`{}` only", setting.fallback);
  if (!setting.choices.empty()) return fmt::format("`{}`", fmt::join(setting.choices, "`, `"));
  if (setting.type == SettingType::boolean) return "`true`, `false`";
  if (setting.min && setting.max) return fmt::format("{} to {}", *setting.min, *setting.max);
  if (setting.min) return fmt::format("at least {}", *setting.min);
  return setting.type == SettingType::integer ? "integer" : "text";
}

std::string fallback(const Setting& setting) {
  if (setting.fallback.empty()) return "";
  return fmt::format("`{}`", setting.fallback);
}

std::string doc(const Setting& setting) {
  if (!setting.fixed.empty()) return fmt::format("{} No other value: {}.", setting.doc, setting.fixed);
  if (!setting.idle.empty()) return fmt::format("{} Changes nothing: {}.", setting.doc, setting.idle);
  return std::string(setting.doc);
}

std::string table(SettingScope scope) {
  std::string out = "| name | default | values | |\n|---|---|---|---|\n";
  for (const Setting& setting : settings())
    if (setting.scope == scope)
      out += fmt::format("| `{}` | {} | {} | {} |\n", setting.name, fallback(setting), limits(setting), doc(setting));
  return out;
}

// docs/settings.md is written by hand but for its tables, which must be what the table of settings says.
TEST(SettingsDoc, TablesAreTheTableOfSettings) {
  std::ifstream file("docs/settings.md");
  std::stringstream text;
  text << file.rdbuf();
  for (const SettingScope scope : {SettingScope::query, SettingScope::server})
    EXPECT_NE(text.str().find(table(scope)), std::string::npos) << "docs/settings.md should hold\n" << table(scope);
}

TEST(SettingsDoc, NoSettingIsAcceptedAndIgnoredWithoutAReason) {
  for (const Setting& setting : settings()) {
    EXPECT_EQ(setting.doc.find("Accepted"), std::string_view::npos) << setting.name;
    if (setting.fixed.empty()) continue;
    EXPECT_NO_THROW(check_setting(setting, setting.fallback)) << setting.name;
    EXPECT_THROW(
        check_setting(setting, setting.type == SettingType::boolean && setting.fallback == "false" ? "true" : "7"),
        SqlError)
        << setting.name;
  }
}

TEST(SettingsDoc, EverySettingHasADocAndAUniqueName) {
  for (const Setting& setting : settings()) {
    EXPECT_FALSE(setting.doc.empty()) << setting.name;
    EXPECT_EQ(find_setting(setting.name), &setting);
  }
}

}  // namespace
}  // namespace millrace
