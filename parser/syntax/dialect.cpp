#include "parser/syntax/dialect.h"

#include <algorithm>
#include <array>

#include "parser/syntax/syntax.h"

namespace millrace::inline parser {
namespace {

using L = grammar::MillraceLexer;
using antlr4::Token;

constexpr std::array<std::size_t, 20> kNewWords = {
    L::ORDER,  L::ASC,    L::DESC, L::NULLS,     L::FIRST, L::LAST,  L::OFFSET,    L::ROWS, L::FETCH,       L::ONLY,
    L::UPSERT, L::UPDATE, L::ONCE, L::UNBOUNDED, L::TTL,   L::READY, L::BROADCAST, L::FOR,  L::SYSTEM_TIME, L::OF};
constexpr std::array<std::size_t, 3> kNewTokens = {L::SELECT_DISTINCT, L::DELETE_ROWS, L::ROW_COMMA};

/// The words that are no names by themselves in `millrace` either.
constexpr std::array<std::size_t, 36> kHard = {
    L::SELECT, L::FROM,  L::WHERE, L::GROUP,  L::BY,      L::HAVING,   L::WINDOW, L::AS,   L::ON,
    L::JOIN,   L::INNER, L::LEFT,  L::RIGHT,  L::FULL,    L::OUTER,    L::WITHIN, L::AND,  L::OR,
    L::NOT,    L::IN,    L::IS,    L::LIKE,   L::BETWEEN, L::CASE,     L::WHEN,   L::THEN, L::ELSE,
    L::END,    L::NULL_, L::TRUE_, L::FALSE_, L::CAST,    L::DISTINCT, L::EXISTS, L::INTO, L::VALUES};
/// Those of them that are names where an expression must begin.
constexpr std::array<std::size_t, 10> kBeginExpressions = {L::GROUP, L::HAVING, L::WINDOW, L::ON,     L::JOIN,
                                                           L::INNER, L::OUTER,  L::FULL,   L::WITHIN, L::VALUES};

template <std::size_t N>
bool among(const std::array<std::size_t, N>& types, std::size_t type) {
  return std::find(types.begin(), types.end(), type) != types.end();
}

/// A name begins a field of a STRUCT or a column of CREATE; a type follows it.
bool begins_definition(std::size_t before, std::size_t after) {
  const bool opened = before == L::LPAREN || before == L::COMMA || before == L::LT;
  const bool type = after == L::IDENTIFIER || after == L::ARRAY || after == L::MAP || after == L::STRUCT ||
                    after == L::STRING_TYPE || after == L::INTEGER || after == L::TIMESTAMP || after == L::DATE ||
                    after == L::TIME;
  return opened && type;
}

bool begins_expression(std::size_t before) {
  constexpr std::array<std::size_t, 24> kBefore = {L::SELECT,   L::SELECT_DISTINCT,
                                                   L::COMMA,    L::LPAREN,
                                                   L::LBRACKET, L::WHERE,
                                                   L::BY,       L::HAVING,
                                                   L::ON,       L::AND,
                                                   L::OR,       L::NOT,
                                                   L::WHEN,     L::THEN,
                                                   L::ELSE,     L::EQ,
                                                   L::LT,       L::GT,
                                                   L::PLUS,     L::MINUS,
                                                   L::STAR,     L::SLASH,
                                                   L::LAMBDA,   L::LIKE};
  return among(kBefore, before);
}

bool may_be_name(std::size_t before, std::size_t type, std::size_t after) {
  if (!is_reserved(type) || before == L::SEMICOLON) return false;
  if (before == L::ARROW || before == L::DOT || before == L::AS || begins_definition(before, after)) return true;
  if (among(kBeginExpressions, type) && begins_expression(before)) return true;
  return !among(kHard, type);
}

}  // namespace

bool is_new_token(std::size_t type, Dialect dialect) {
  return among(kNewTokens, type) || (dialect == Dialect::ksql && among(kNewWords, type));
}

void choose_tokens(const std::vector<Token*>& tokens, Dialect dialect) {
  std::size_t before = L::SEMICOLON;
  bool inserts = false;  // the statement writes rows that VALUES lists
  bool values = false;
  int depth = 0;
  for (Token* token : tokens) {
    auto* writable = dynamic_cast<antlr4::WritableToken*>(token);
    const std::size_t type = token->getType();
    if (writable == nullptr) continue;
    if (dialect == Dialect::ksql) {
      if (among(kNewWords, type)) writable->setType(L::IDENTIFIER);
      continue;
    }
    if (before == L::SEMICOLON) {
      inserts = type == L::INSERT || type == L::UPSERT;
      values = false;
      depth = 0;
    }
    values = values || (inserts && type == L::VALUES);
    if (type == L::LPAREN) ++depth;
    if (type == L::RPAREN) --depth;
    if (type == L::DISTINCT && before == L::SELECT) writable->setType(L::SELECT_DISTINCT);
    if (type == L::DELETE && (before == L::SEMICOLON || before == L::EXPLAIN)) writable->setType(L::DELETE_ROWS);
    if (type == L::COMMA && values && depth == 0) writable->setType(L::ROW_COMMA);
    before = type;
  }
}

std::optional<MadeName> make_name(const std::vector<Token*>& tokens, std::size_t stopped_at, bool before) {
  if (stopped_at < (before ? 2U : 1U)) return std::nullopt;
  const std::size_t at = before ? stopped_at - 1 : stopped_at;
  if (at + 1 >= tokens.size()) return std::nullopt;
  auto* token = dynamic_cast<antlr4::WritableToken*>(tokens[at]);
  const std::size_t type = tokens[at]->getType();
  if (token == nullptr || !may_be_name(tokens[at - 1]->getType(), type, tokens[at + 1]->getType())) return std::nullopt;
  token->setType(L::IDENTIFIER);
  return MadeName{token, type};
}

}  // namespace millrace::inline parser
