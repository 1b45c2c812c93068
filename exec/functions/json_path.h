#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::inline exec {

/// A path into a JSON text: `$.a.0["c d"][1]`. One thread.
class JsonPath {
 public:
  /// False: not a path.
  bool parse(std::string_view path);

  /// Where the path leads to in the first value of `text`: of equal names the last counts. `found` is empty when there
  /// is no such value. False: the value is broken, anywhere.
  bool follow(std::string_view text, std::string_view& found) const;

  /// A member by name; in an array an element by place, when the name is a number.
  struct Step {
    std::string name;
    std::optional<std::size_t> index;
  };

 private:
  bool read_step(std::string_view& path);
  bool read_bracket(std::string_view& path);
  bool read_quoted(std::string_view& path);
  void add_step(std::string name);

  std::vector<Step> steps_;
};

}  // namespace millrace::inline exec
