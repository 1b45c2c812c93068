#pragma once

#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace millrace::inline cli {

/// One option of a command line: `--name VALUE`, `--name=VALUE` or a switch.
struct OptionDef {
  std::string_view name;  // without dashes
  char letter = 0;        // -x
  bool takes_value = false;
  bool repeats = false;
};

/// A command line taken apart. Throws UsageError for what no definition explains.
class Options {
 public:
  Options(const std::vector<OptionDef>& defs, const std::vector<std::string>& arguments);
  bool has(std::string_view name) const { return values_.contains(name); }
  std::optional<std::string> get(std::string_view name) const;
  std::vector<std::string> all(std::string_view name) const;
  const std::vector<std::string>& positional() const { return positional_; }

 private:
  std::map<std::string, std::vector<std::string>, std::less<>> values_;
  std::vector<std::string> positional_;
};

struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// `name=value` apart; UsageError otherwise.
std::pair<std::string, std::string> split_definition(const std::string& text);

}  // namespace millrace::inline cli
