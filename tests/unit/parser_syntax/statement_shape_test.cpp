#include "parser/syntax/statement_shape.h"

#include <gtest/gtest.h>

#include <boost/json.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "parser/syntax/parse.h"
#include "parser/syntax/syntax.h"

namespace millrace {
namespace {

using grammar::MillraceLexer;

struct Lexed {
  LiteralToken::Kind kind;
  std::uint32_t begin, end;
  friend bool operator==(const Lexed&, const Lexed&) = default;
};

std::ostream& operator<<(std::ostream& out, const Lexed& token) {
  return out << static_cast<int>(token.kind) << " " << token.begin << ".." << token.end;
}

std::optional<LiteralToken::Kind> kind_of(const antlr4::Token& token, std::string_view text) {
  switch (token.getType()) {
    case MillraceLexer::STRING:
      return LiteralToken::Kind::text;
    case MillraceLexer::DECIMAL_VALUE:
      return LiteralToken::Kind::decimal;
    case MillraceLexer::FLOATING_POINT_VALUE:
      return LiteralToken::Kind::real;
    case MillraceLexer::INTEGER_VALUE:
      return std::stoull(std::string(text)) < 1ULL << 31 ? LiteralToken::Kind::integer : LiteralToken::Kind::bigint;
    default:
      return std::nullopt;
  }
}

bool ends_lifting(std::size_t type) {
  static const std::set<std::size_t> kEnds = {MillraceLexer::GROUP, MillraceLexer::PARTITION, MillraceLexer::HAVING,
                                              MillraceLexer::EMIT,  MillraceLexer::LIMIT,     MillraceLexer::WINDOW,
                                              MillraceLexer::CASE,  MillraceLexer::CAST,      MillraceLexer::LIKE,
                                              MillraceLexer::ESCAPE};
  return kEnds.contains(type);
}

/// The literals of WHERE as the lexer gives them.
std::vector<Lexed> lex(std::string_view text) {
  SourceText source(text);
  MillraceLexer lexer(&source);
  std::vector<Lexed> literals;
  bool lifting = false, seen = false;
  for (const auto& token : lexer.getAllTokens()) {
    if (token->getType() == MillraceLexer::WHERE) {
      lifting = !seen;
      seen = true;
    }
    if (ends_lifting(token->getType())) lifting = false;
    const Span span = source.token_span(token.get());
    if (!lifting || !kind_of(*token, "0")) continue;
    literals.push_back({*kind_of(*token, source.text(span)), span.begin, span.end});
  }
  return literals;
}

bool read(std::string_view text, std::vector<Lexed>& literals) {
  StatementShape shape;
  if (!read_shape(text, shape)) return false;
  for (const LiteralToken& token : shape.literals) literals.push_back({token.kind, token.begin, token.end()});
  return true;
}

TEST(StatementShape, ReadsWhatTheLexerReads) {
  for (const std::string text :
       {"SELECT * FROM t WHERE k = 'it''s';", "select a.b from `t``x` as \"a\" where 1=a.b and 'x' < \"y''\"",
        "SELECT '1', 2 FROM t WHERE k=-1 OR k IN (1,2.5,.5,3.,1e3,3000000000) LIMIT 5;",
        "SELECT * FROM t WHERE k = 1 AND CASE WHEN a = 2 THEN 3 END;", "SELECT * FROM t WHERE k_1 = 1 AND x@2='2';",
        "SELECT * FROM t WHERE a[1] = 'é' AND f(x=>x+1) > 2 GROUP BY 3 HAVING 4 > 5;", "SELECT * FROM t WHERE 1=1 ",
        "SELECT \"a'1\" FROM `t\"` WHERE x1 = 1 LIMIT 10;"}) {
    std::vector<Lexed> literals;
    ASSERT_TRUE(read(text, literals)) << text;
    EXPECT_EQ(literals, lex(text)) << text;
  }
}

TEST(StatementShape, LeavesOtherTextsToTheParser) {
  std::vector<Lexed> literals;
  for (const char* text : {"", "SELECT", "SELECT 1", "INSERT INTO t VALUES (1);", "SELECT * FROM t WHERE k = 'open",
                           "SELECT * FROM t WHERE k = 1; SELECT 2;", "SELECT * FROM t WHERE k = 1 -- x",
                           "SELECT * FROM t WHERE /* */ k = 1", "SELECT * FROM t WHERE k = 2147483648;",
                           "SELECT * FROM t WHERE k = 9223372036854775808;", "SELECT * FROM t WHERE k = 1a;",
                           "SELECT * FROM t WHERE k = 1.2.3;", "SELECT * FROM t WHERE k =\xc2\xa0 1;",
                           "SELECT * FROM t WHERE k = ?;", "SELECT * FROM t WHERE k = '\xff';"})
    EXPECT_FALSE(read(text, literals)) << text;
}

TEST(StatementShape, KeysAreTheSameForOtherLiteralsOnly) {
  const auto key = [](const char* text) {
    StatementShape shape;
    EXPECT_TRUE(read_shape(text, shape)) << text;
    return shape.key;
  };
  EXPECT_EQ(key("SELECT * FROM t WHERE k = 1;"), key("  SELECT  *\nFROM t WHERE k = 23;"));
  EXPECT_NE(key("SELECT * FROM t WHERE k = 1;"), key("SELECT * FROM t WHERE k = 1.0;"));
  EXPECT_NE(key("SELECT * FROM t WHERE k = 1;"), key("SELECT * FROM t WHERE k = -1;"));
  EXPECT_NE(key("SELECT * FROM t WHERE k = 1 LIMIT 1;"), key("SELECT * FROM t WHERE k = 1 LIMIT 2;"));
  EXPECT_NE(key("SELECT 'a' FROM t WHERE k = 1;"), key("SELECT 'b' FROM t WHERE k = 1;"));
}

TEST(StatementShape, AgreesWithTheLexerOnTheCorpus) {
  std::filesystem::path corpus;
  for (auto up = std::filesystem::current_path(); up != up.parent_path() && corpus.empty(); up = up.parent_path())
    if (std::filesystem::exists(up / "shared/conformance")) corpus = up / "shared/conformance";
  if (corpus.empty()) GTEST_SKIP() << "the conformance corpus is not there";
  int statements = 0;
  for (const char* suite : {"qtt", "rest"}) {
    for (const auto& file : std::filesystem::directory_iterator(corpus / suite)) {
      if (file.path().extension() != ".json") continue;
      std::ostringstream content;
      content << std::ifstream(file.path()).rdbuf();
      const boost::json::value cases = boost::json::parse(content.str());
      for (const auto& entry : cases.as_array())
        for (const auto& statement : entry.at("statements").as_array()) {
          const std::string_view all = statement.as_string();
          for (const std::string_view text : statement_pieces(all)) {
            // The query of a CREATE … AS too.
            std::vector<Lexed> literals;
            const std::string_view query = text.substr(std::min(text.find("SELECT"), text.size()));
            if (!read(query, literals)) continue;
            ++statements;
            EXPECT_EQ(literals, lex(query)) << query;
          }
        }
    }
  }
  EXPECT_GT(statements, 300);
}

}  // namespace
}  // namespace millrace
