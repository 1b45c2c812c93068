#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "parser/ast/format.h"
#include "parser/syntax/parse.h"

namespace millrace {
namespace {

namespace json = boost::json;

/// Beside the repository, or further out when this is a work tree.
std::filesystem::path find_corpus() {
  for (std::filesystem::path up = std::filesystem::current_path(); up != up.parent_path(); up = up.parent_path()) {
    if (std::filesystem::exists(up / "shared/conformance")) return up / "shared/conformance";
  }
  return {};
}
const std::filesystem::path kCorpus = find_corpus();

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path);
  std::ostringstream text;
  text << in.rdbuf();
  return text.str();
}

template <class Visit>
void for_each_case(Visit visit) {
  for (const char* suite : {"qtt", "rest"}) {
    for (const auto& file : std::filesystem::directory_iterator(kCorpus / suite)) {
      if (file.path().extension() != ".json") continue;
      const json::value cases = json::parse(read_file(file.path()));
      for (const json::value& entry : cases.as_array()) visit(entry.as_object());
    }
  }
}

std::string field(const json::object& object, std::string_view name) {
  const json::value* value = object.if_contains(name);
  return value != nullptr && value->is_string() ? std::string(value->as_string()) : std::string();
}

std::string joined_statements(const json::object& entry) {
  std::string text;
  for (const json::value& statement : entry.at("statements").as_array()) {
    if (!text.empty()) text += '\n';
    text += std::string_view(statement.as_string());
  }
  return text;
}

/// Text of the error that parsing must end with, or nothing when the text must parse.
std::optional<std::string> expected_message(const json::object& entry) {
  const json::value* failure = entry.if_contains("expectedException");
  if (failure != nullptr && failure->is_object()) {
    const json::object& object = failure->as_object();
    if (field(object, "type").ends_with("ParseFailedException")) return field(object, "message");
  }
  const json::value* error = entry.if_contains("expectedError");
  if (error != nullptr && error->is_object()) {
    const std::string message = field(error->as_object(), "message");
    if (message.find("Syntax Error") != std::string::npos) return message;
  }
  return std::nullopt;
}

class Corpus : public testing::Test {
 protected:
  void SetUp() override {
    if (kCorpus.empty()) GTEST_SKIP() << "the conformance corpus is not there";
  }
};

TEST_F(Corpus, EveryStatementParsesAndSurvivesTheFormatter) {
  int statements = 0;
  for_each_case([&](const json::object& entry) {
    if (expected_message(entry)) return;
    const std::string text = joined_statements(entry);
    try {
      const auto extended = parse(text);
      std::size_t at = 0;
      for (const ast::StatementPtr& statement : parse(text, Dialect::ksql)) {
        const std::string formatted = ast::format(*statement);
        ++statements;
        EXPECT_TRUE(ast::equal(*statement, *parse_statement(formatted, Dialect::ksql))) << statement->text << "\n"
                                                                                        << formatted;
        // The other dialect reads it the same way.
        EXPECT_TRUE(ast::equal(*statement, *extended.at(at++))) << statement->text;
      }
    } catch (const SqlError& error) {
      // Only a case that expects an error may have one, and then not a syntax error.
      EXPECT_TRUE(entry.contains("expectedException") || entry.contains("expectedError")) << error.what() << "\n"
                                                                                          << text;
      EXPECT_NE(error.error_class(), ErrorClass::parse) << error.what() << "\n" << text;
    }
  });
  EXPECT_GT(statements, 2500);
}

TEST_F(Corpus, ParseErrorsAreAsExpected) {
  int errors = 0;
  for_each_case([&](const json::object& entry) {
    const auto expected = expected_message(entry);
    if (!expected) return;
    ++errors;
    const bool one_by_one = entry.contains("expectedError");  // as over HTTP
    const std::string text =
        one_by_one ? std::string(entry.at("statements").as_array().back().as_string()) : joined_statements(entry);
    try {
      parse(text, Dialect::ksql);
      ADD_FAILURE() << "no error: " << text;
    } catch (const SqlError& error) {
      const std::string full = std::string(error.what()) + "\nStatement: " + error.statement();
      EXPECT_NE(full.find(*expected), std::string::npos) << full << "\n--- expected\n" << *expected;
      EXPECT_EQ(error.error_class(), ErrorClass::parse);
      EXPECT_NE(error.span().line, 0U);
    }
  });
  EXPECT_GT(errors, 15);
}

}  // namespace
}  // namespace millrace
