#include <exception>

#include "parser/ast/format.h"
#include "parser/syntax/parse.h"
#include "tests/fuzz/random_sql.h"

namespace millrace::fuzz {
namespace {

constexpr int kReported = 5;

/// Swaps, drops, doubles or invents a few bytes.
std::string mangle(std::string text, RandomSql& random) {
  static const std::string kBytes = "();,.<>=-+*'\"`[]{}$%|!/\n\t 0a\xc3\xff\0";
  for (std::size_t i = 1 + random.below(4); i > 0 && !text.empty(); --i) {
    const std::size_t at = random.below(text.size());
    switch (random.below(4)) {
      case 0:
        text.erase(at, 1 + random.below(6));
        break;
      case 1:
        text.insert(at, 1, kBytes[random.below(kBytes.size())]);
        break;
      case 2:
        text.insert(at, text.substr(random.below(text.size()), random.below(12)));
        break;
      default:
        std::swap(text[at], text[random.below(text.size())]);
    }
  }
  return text;
}

/// Empty when the text is refused with an error or comes back equal from the formatter.
std::string check_text(const std::string& text) {
  try {
    for (const ast::StatementPtr& statement : parse(text, Dialect::millrace, StatementSet::test)) {
      const std::string formatted = ast::format(*statement);
      if (!ast::equal(*statement, *parse_statement(formatted, Dialect::millrace, StatementSet::test)))
        return "not equal: " + formatted;
      substitute_variables(statement->text, {{"X", "y"}});
    }
    split_statements(text);
  } catch (const SqlError& error) {
    render_error(error, text);
  } catch (const std::exception& error) {
    return std::string("threw ") + error.what();
  }
  return {};
}

std::string check_tree(const ast::Statement& statement) {
  const std::string text = ast::format(statement);
  try {
    const ast::StatementPtr back = parse_statement(text, Dialect::millrace, StatementSet::test);
    return ast::equal(statement, *back) ? "" : "came back as: " + ast::format(*back);
  } catch (const std::exception& error) {
    return error.what();
  }
}

}  // namespace

int fuzz_parser(std::uint64_t seed, int rounds, std::string& report) {
  RandomSql random(seed);
  int failures = 0;
  const auto note = [&](const std::string& problem, const std::string& text) {
    if (problem.empty() || ++failures > kReported) return;
    report += "seed " + std::to_string(seed) + ": " + problem + "\n  in: " + text + "\n";
  };
  for (int i = 0; i < rounds; ++i) {
    const ast::Statement statement = random.statement();
    note(check_tree(statement), ast::format(statement));
    const std::string mangled = mangle(ast::format(statement) + ";", random);
    note(check_text(mangled), mangled);
  }
  return failures;
}

}  // namespace millrace::fuzz
