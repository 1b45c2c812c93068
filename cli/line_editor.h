#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace millrace::inline cli {

/// Line editing with history and completion on a terminal (libedit).
class LineEditor {
 public:
  /// `words` gives what may complete at any time: keywords, names.
  static std::unique_ptr<LineEditor> open(const std::string& history_file,
                                          std::function<std::vector<std::string>()> words);
  virtual ~LineEditor() = default;  // saves the history
  enum class End { line, interrupted, end_of_input };
  struct Line {
    End end = End::line;
    std::string text;
  };
  virtual Line read(const std::string& prompt) = 0;
  virtual void remember(const std::string& statement) = 0;
  virtual std::vector<std::string> history() const = 0;
  /// False when the history cannot be saved.
  virtual bool history_writable() const = 0;
};

}  // namespace millrace::inline cli
