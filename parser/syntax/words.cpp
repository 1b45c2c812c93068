#include <algorithm>
#include <array>
#include <cctype>

#include "parser/error/letter_case.h"
#include "parser/syntax/closest.h"
#include "parser/syntax/parse.h"
#include "parser/syntax/syntax.h"

namespace millrace::inline parser {
namespace {

constexpr std::array<std::string_view, 18> kCommands = {
    "SELECT", "CREATE", "INSERT", "DESCRIBE", "PRINT",  "EXPLAIN",  "SHOW",  "LIST",   "TERMINATE",
    "PAUSE",  "RESUME", "DROP",   "SET",      "DEFINE", "UNDEFINE", "UNSET", "ASSERT", "ALTER",
};

/// The keyword a token type stands for; empty for symbols, names and values.
std::string keyword_of(std::size_t token_type, const antlr4::dfa::Vocabulary& vocabulary) {
  const std::string literal = vocabulary.getLiteralName(token_type);
  if (literal.size() < 3 || std::isalpha(static_cast<unsigned char>(literal[1])) == 0) return {};
  return literal.substr(1, literal.size() - 2);
}

struct Words {
  std::vector<std::string> keywords;
  std::vector<std::string> reserved;
  std::vector<bool> is_reserved;  // by token type
};

Words read_words() {
  antlr4::ANTLRInputStream nothing;
  grammar::MillraceLexer lexer(&nothing);
  antlr4::CommonTokenStream tokens(&lexer);
  grammar::MillraceParser parser(&tokens);
  const auto& atn = parser.getATN();
  // With a context (none), the look-ahead is computed afresh: nothing shared with running parsers is written.
  const auto free = atn.nextTokens(atn.ruleToStartState[grammar::MillraceParser::RuleFreeWord], nullptr);
  Words words;
  words.is_reserved.resize(atn.maxTokenType + 1);
  for (std::size_t type = 1; type <= atn.maxTokenType; ++type) {
    const std::string word = keyword_of(type, parser.getVocabulary());
    if (word.empty()) continue;
    words.keywords.push_back(word);
    if (free.contains(static_cast<ssize_t>(type))) continue;
    words.reserved.push_back(word);
    words.is_reserved[type] = true;
  }
  std::sort(words.keywords.begin(), words.keywords.end());
  std::sort(words.reserved.begin(), words.reserved.end());
  return words;
}

const Words& words() {
  static const Words kWords = read_words();
  return kWords;
}

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

std::string closest_command(std::string_view word) {
  const std::string upper = upper_case(word.substr(0, 32));
  const auto nearer = [&](std::string_view a, std::string_view b) {
    return edit_distance(upper, a) < edit_distance(upper, b);
  };
  return std::string(*std::min_element(kCommands.begin(), kCommands.end(), nearer));
}

bool is_reserved(std::size_t token_type) {
  return token_type < words().is_reserved.size() && words().is_reserved[token_type];
}

const std::vector<std::string>& reserved_words() {
  return words().reserved;
}
const std::vector<std::string>& keywords() {
  return words().keywords;
}

}  // namespace millrace::inline parser
