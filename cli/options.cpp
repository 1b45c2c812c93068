#include "cli/options.h"

#include <fmt/format.h>

namespace millrace::inline cli {
namespace {

const OptionDef* find(const std::vector<OptionDef>& defs, std::string_view name) {
  for (const OptionDef& def : defs)
    if (def.name == name || (name.size() == 1 && def.letter == name[0])) return &def;
  return nullptr;
}

}  // namespace

Options::Options(const std::vector<OptionDef>& defs, const std::vector<std::string>& arguments) {
  bool only_positional = false;
  for (std::size_t i = 0; i < arguments.size(); ++i) {
    std::string_view text = arguments[i];
    if (only_positional || text.size() < 2 || text[0] != '-') {
      positional_.emplace_back(text);
      continue;
    }
    if (text == "--") {
      only_positional = true;
      continue;
    }
    text.remove_prefix(text.starts_with("--") ? 2 : 1);
    const std::size_t equals = text.find('=');
    const OptionDef* def = find(defs, text.substr(0, equals));
    if (def == nullptr) throw UsageError(fmt::format("unknown option '{}'", arguments[i]));
    std::string value;
    if (def->takes_value && equals != std::string_view::npos) {
      value = text.substr(equals + 1);
    } else if (def->takes_value) {
      if (++i == arguments.size()) throw UsageError(fmt::format("option '{}' needs a value", arguments[i - 1]));
      value = arguments[i];
    } else if (equals != std::string_view::npos) {
      throw UsageError(fmt::format("option '--{}' takes no value", def->name));
    }
    std::vector<std::string>& values = values_[std::string(def->name)];
    if (!values.empty() && !def->repeats) throw UsageError(fmt::format("option '--{}' is given twice", def->name));
    values.push_back(std::move(value));
  }
}

std::optional<std::string> Options::get(std::string_view name) const {
  auto it = values_.find(name);
  if (it == values_.end()) return std::nullopt;
  return it->second.back();
}

std::vector<std::string> Options::all(std::string_view name) const {
  auto it = values_.find(name);
  return it == values_.end() ? std::vector<std::string>() : it->second;
}

std::pair<std::string, std::string> split_definition(const std::string& text) {
  const std::size_t equals = text.find('=');
  if (equals == std::string::npos || equals == 0) throw UsageError(fmt::format("expected name=value, got '{}'", text));
  return {text.substr(0, equals), text.substr(equals + 1)};
}

}  // namespace millrace::inline cli
