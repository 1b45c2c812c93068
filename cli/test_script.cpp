#include "cli/test_script.h"

#include <fmt/format.h>

#include "cli/test_asserts.h"
#include "cli/test_bed.h"
#include "parser/error/trim.h"
#include "parser/syntax/parse.h"

namespace millrace::inline cli {
namespace {

constexpr std::string_view kTest = "--@test:", kError = "--@expected.error:", kMessage = "--@expected.message:";

std::optional<std::string> directive(std::string_view line, std::string_view name) {
  const std::string_view text = trim(line);
  if (!text.starts_with(name)) return std::nullopt;
  return std::string(trim(text.substr(name.size())));
}

bool only_comments(std::string_view text) {
  for (const std::string& piece : split_statements(text))
    if (piece.find(';') != std::string::npos) return false;
  return true;
}

/// An expected Java class takes the failures that ksqlDB would throw it or a subclass of it for.
bool fits_class(std::string_view expected, TestFailure::Kind kind) {
  const std::size_t dot = expected.find_last_of(".$");
  const std::string_view name = dot == std::string_view::npos ? expected : expected.substr(dot + 1);
  if (name == "ParseFailedException") return kind == TestFailure::Kind::parse;
  if (name == "AssertionError" || name == "Error") return kind == TestFailure::Kind::assertion;
  return true;
}

TestFailure failure_of(const SqlError& error, Span at) {
  const auto kind = error.error_class() == ErrorClass::parse ? TestFailure::Kind::parse : TestFailure::Kind::statement;
  return TestFailure(kind, error.what(), error.span().line != 0 ? error.span() : at);
}

void run_statement(const ast::Statement& statement, TestBed& bed, TestAsserts& asserts) {
  try {
    if (const auto* values = statement.as<ast::AssertValues>()) return asserts.check(*values, statement.span);
    if (const auto* source = statement.as<ast::AssertSource>()) return asserts.check(*source, statement.span);
    bed.run(statement);
  } catch (const SqlError& error) {
    throw failure_of(error, statement.span);
  }
}

/// Absent: every statement went through.
std::optional<TestFailure> failure(const TestScript& test, Dialect dialect) {
  try {
    std::vector<ast::StatementPtr> statements;
    try {
      statements = parse(test.text, dialect, StatementSet::test);
    } catch (const SqlError& error) {
      throw failure_of(error, {});
    }
    TestBed bed(dialect);
    TestAsserts asserts(bed);
    for (const ast::StatementPtr& statement : statements) run_statement(*statement, bed, asserts);
    return std::nullopt;
  } catch (const TestFailure& problem) {
    return problem;
  }
}

}  // namespace

std::vector<TestScript> split_tests(std::string_view script, const std::string& name) {
  std::vector<TestScript> tests;
  TestScript current{.name = name, .text = {}, .line = 1, .error = {}, .message = {}};
  int number = 0;
  bool named = false;
  while (!script.empty()) {
    const std::size_t end = std::min(script.find('\n'), script.size() - 1);
    const std::string_view line = script.substr(0, end + 1);
    script.remove_prefix(end + 1);
    ++number;
    const std::string_view content = line.ends_with('\n') ? line.substr(0, line.size() - 1) : line;
    if (const auto title = directive(content, kTest)) {
      if (named || !only_comments(current.text)) tests.push_back(current);
      named = true;
      current = TestScript{.name = *title, .text = {}, .line = number, .error = {}, .message = {}};
    }
    if (auto error = directive(content, kError)) current.error = std::move(error);
    if (auto message = directive(content, kMessage)) current.message = std::move(message);
    current.text += line;
  }
  if (named || !only_comments(current.text)) tests.push_back(current);
  return tests;
}

std::optional<TestProblem> run_test(const TestScript& test, Dialect dialect) {
  const auto problem = failure(test, dialect);
  if (!problem) {
    if (!test.expects_failure()) return std::nullopt;
    return TestProblem{fmt::format("Expected {}, but every statement went through.",
                                   test.error ? *test.error : fmt::format("an error with \"{}\"", *test.message)),
                       0};
  }
  const int line = problem->span.line == 0 ? 0 : test.line + static_cast<int>(problem->span.line) - 1;
  if (!test.expects_failure()) return TestProblem{problem->what(), line};
  if (test.error && !fits_class(*test.error, problem->kind))
    return TestProblem{fmt::format("Expected {}, but got another error: {}", *test.error, problem->what()), line};
  if (test.message && std::string_view(problem->what()).find(*test.message) == std::string_view::npos)
    return TestProblem{fmt::format("Expected an error with \"{}\", but got: {}", *test.message, problem->what()), line};
  return std::nullopt;
}

}  // namespace millrace::inline cli
