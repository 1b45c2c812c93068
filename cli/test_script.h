#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parser/syntax/parse.h"

namespace millrace::inline cli {

/// One test of a script: the text from its `--@test:` line to the next one.
struct TestScript {
  std::string name;
  std::string text;
  int line = 1;                               // of the script that the text begins with
  std::optional<std::string> error, message;  // `--@expected.error:` a Java class, `--@expected.message:` a part of it
  bool expects_failure() const { return error || message; }
};

/// The tests of a script; one named `name` when it has no `--@test:` line.
std::vector<TestScript> split_tests(std::string_view script, const std::string& name);

/// Runs a test on a ground of its own. What went wrong and in which line of the script, or nothing.
struct TestProblem {
  std::string message;
  int line = 0;  // 0: no particular one
};
std::optional<TestProblem> run_test(const TestScript& test, Dialect dialect);

}  // namespace millrace::inline cli
