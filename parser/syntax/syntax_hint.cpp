#include <algorithm>
#include <array>

#include "parser/error/letter_case.h"
#include "parser/syntax/closest.h"
#include "parser/syntax/syntax.h"

namespace millrace::inline parser {
namespace {

using antlr4::Token;
using grammar::MillraceLexer;

/// SQL that people bring along and the dialect has not.
struct Foreign {
  std::string_view first, second;  // before the error (`;` at the start, any when empty) and at the error
  std::string_view hint;
};
constexpr std::array kForeign = {
    Foreign{"ORDER", "BY", "ORDER BY belongs to the other dialect: SET 'millrace.dialect' = 'millrace'"},
    Foreign{"(", "DISTINCT", "DISTINCT in a call belongs to the other dialect: SET 'millrace.dialect' = 'millrace'"},
    Foreign{"", "DISTINCT", "there is no SELECT DISTINCT here: group by the columns instead"},
    Foreign{"", "QUALIFY", "QUALIFY belongs to the other dialect: SET 'millrace.dialect' = 'millrace'"},
    Foreign{")", "OVER", "OVER belongs to the other dialect: SET 'millrace.dialect' = 'millrace'"},
    Foreign{"", "CROSS", "there is no CROSS JOIN yet"},
    Foreign{")", "FILTER", "FILTER belongs to the other dialect: SET 'millrace.dialect' = 'millrace'"},
    Foreign{"FROM", "(", "sub-queries belong to the other dialect: SET 'millrace.dialect' = 'millrace'"},
    Foreign{"(", "SELECT", "sub-queries belong to the other dialect: SET 'millrace.dialect' = 'millrace'"},
    Foreign{"UNION", "SELECT", "UNION belongs to the other dialect: SET 'millrace.dialect' = 'millrace'"},
    Foreign{"UNION", "ALL", "UNION ALL belongs to the other dialect: SET 'millrace.dialect' = 'millrace'"},
    Foreign{";", "WITH", "WITH before a query belongs to the other dialect: SET 'millrace.dialect' = 'millrace'"},
    Foreign{"", "WITH", "properties stand before the query: CREATE STREAM name WITH (...) AS SELECT ..."},
    Foreign{"DESCRIBE", "EXTENDED", "the word goes last: DESCRIBE name EXTENDED"},
    Foreign{";", "UPDATE", "UPDATE belongs to the other dialect: SET 'millrace.dialect' = 'millrace'"},
    Foreign{";", "DELETE", "DELETE belongs to the other dialect: SET 'millrace.dialect' = 'millrace'"},
};

std::string_view foreign_hint(const std::string& before, const std::string& word) {
  for (const Foreign& foreign : kForeign) {
    if (foreign.second == word && (foreign.first.empty() || foreign.first == before)) return foreign.hint;
  }
  return {};
}

constexpr std::string_view kClauseOrder =
    "clauses stand in this order: FROM, WINDOW, WHERE, GROUP BY, PARTITION BY, HAVING, QUALIFY, ORDER BY, EMIT, LIMIT";

bool is_clause(std::size_t type) {
  constexpr std::array<std::size_t, 6> kClauses = {MillraceLexer::WINDOW, MillraceLexer::WHERE, MillraceLexer::GROUP,
                                                   MillraceLexer::HAVING, MillraceLexer::EMIT,  MillraceLexer::LIMIT};
  return std::find(kClauses.begin(), kClauses.end(), type) != kClauses.end();
}

bool is_word(const std::string& text) {
  return !text.empty() && std::isalpha(static_cast<unsigned char>(text[0])) != 0;
}

}  // namespace

/// What a person may want to know beyond the message, whose wording clients rely on.
std::string Syntax::hint(Token* token, const antlr4::misc::IntervalSet& expected, const std::function<void()>& rule) {
  const std::size_t index = token->getTokenIndex();
  const std::string word = token->getType() == Token::EOF ? "" : upper_case(source_.token_text(token));
  const std::string before = index == 0 ? ";" : upper_case(source_.token_text(tokens_.get(index - 1)));
  if (const std::string_view hint = foreign_hint(before, word); !hint.empty()) return std::string(hint);
  if (token->getType() == MillraceLexer::EMIT && index >= 2 &&
      tokens_.get(index - 2)->getType() == MillraceLexer::LIMIT)
    return "to stop a push query after n rows write EMIT CHANGES LIMIT n";
  if (token->getType() == MillraceLexer::UNRECOGNIZED) {
    if (word == "'" || word == "\"" || word == "`") return "the quote " + word + " is not closed";
    return "no statement contains the character " + word;
  }
  const bool name_expected = expected.contains(static_cast<ssize_t>(MillraceLexer::IDENTIFIER));
  if (is_reserved(token->getType()) && (name_expected || would_fit_as_name(token, rule)))
    return "a reserved word is a name only in back-quotes: `" + word + "`";
  if (is_clause(token->getType())) return std::string(kClauseOrder);
  if (starts_statement(token) && is_word(word)) return {};  // the message says what was meant
  if (const std::string nearest = closest_keyword(word, expected); !nearest.empty())
    return "did you mean " + nearest + "?";
  const bool semicolon = expected.size() == 1 && expected.contains(static_cast<ssize_t>(MillraceLexer::SEMICOLON));
  if (word.empty() && semicolon) return "a statement ends with a semicolon";
  if (word.empty() || word == ";") return "the statement ends too early";
  return name_expected ? "a name or an expression is expected here" : "";
}

/// The expected keyword that `word` may be a slip of; empty when none is near.
std::string Syntax::closest_keyword(const std::string& word, const antlr4::misc::IntervalSet& expected) {
  constexpr std::size_t kFar = 3;
  std::size_t nearest = kFar;
  std::string found;
  if (!is_word(word) || word.size() > 20) return found;
  for (const ssize_t type : expected.toList()) {
    std::string keyword = parser_.getVocabulary().getLiteralName(static_cast<std::size_t>(type));
    if (keyword.size() < 3) continue;
    keyword = keyword.substr(1, keyword.size() - 2);
    const std::size_t distance = edit_distance(word, keyword);
    if (!is_word(keyword) || distance >= nearest || distance * 2 >= keyword.size()) continue;
    nearest = distance;
    found = keyword;
  }
  return found;
}

}  // namespace millrace::inline parser
