#include "parser/syntax/dialect.h"

#include <algorithm>
#include <array>

#include "parser/syntax/syntax.h"

namespace millrace::inline parser {
namespace {

using L = grammar::MillraceLexer;
using antlr4::Token;

constexpr std::array<std::size_t, 51> kNewWords = {
    L::ORDER,   L::ASC,      L::DESC,      L::NULLS,  L::FIRST,     L::LAST,      L::OFFSET,  L::ROWS,        L::FETCH,
    L::ONLY,    L::UPSERT,   L::UPDATE,    L::ONCE,   L::UNION,     L::VIEW,      L::VIEWS,   L::TUMBLE,      L::HOP,
    L::LATE,    L::EVERY,    L::UNBOUNDED, L::TTL,    L::READY,     L::BROADCAST, L::FOR,     L::SYSTEM_TIME, L::OF,
    L::QUALIFY, L::OVER,     L::FILTER,    L::RANGE,  L::PRECEDING, L::FOLLOWING, L::CURRENT, L::ROW,         L::IGNORE,
    L::RESPECT, L::GROUPING, L::SETS,      L::ROLLUP, L::CUBE,      L::RETURNS,   L::UNNEST,  L::ORDINALITY,  L::CROSS,
    L::INDEX,   L::INDEXES,  L::ASOF,      L::USING,  L::EXCEPT,    L::INTERSECT};
constexpr std::array<std::size_t, 20> kNewTokens = {
    L::SELECT_DISTINCT, L::CALL_DISTINCT, L::DELETE_ROWS, L::ROW_COMMA, L::QUERY_OPEN,  L::CTE_WITH,      L::CHANGES_OF,
    L::EXISTS_QUERY,    L::INTERVAL_OF,   L::ROLLUP_OF,   L::CUBE_OF,   L::GROUPING_OF, L::FUNCTION_NAME, L::WINDOW_ON,
    L::UNNEST_OF,       L::CROSS_JOIN,    L::ASOF_JOIN,   L::USING_OF,  L::VALUES_OF,   L::SELECT_VALUES};

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

/// The tokens around one, as they were read.
class Around {
 public:
  Around(const std::vector<Token*>& tokens, std::size_t at) : tokens_(tokens), at_(at) {}
  std::size_t type(int step) const {
    const auto index = static_cast<std::ptrdiff_t>(at_) + step;
    if (index < 0) return L::SEMICOLON;
    return index < static_cast<std::ptrdiff_t>(tokens_.size()) ? tokens_[static_cast<std::size_t>(index)]->getType()
                                                               : Token::EOF;
  }

  Around moved(std::size_t by) const { return {tokens_, at_ + by}; }

 private:
  const std::vector<Token*>& tokens_;
  const std::size_t at_;
};

/// WITH that is followed by the name of a query: `WITH c AS (`, `WITH c (a, b) AS (`; not that of properties.
bool names_queries(const Around& around, std::size_t before) {
  const bool begins = before == L::SEMICOLON || before == L::EXPLAIN || before == L::ANALYZE || before == L::AS ||
                      before == L::ONCE || before == L::LPAREN || before == L::QUERY_OPEN || before == L::RPAREN ||
                      around.type(-2) == L::INTO;
  const std::size_t name = around.type(1), then = around.type(2);
  if (!begins || name == L::LPAREN) return false;
  // UNNEST(...) WITH ORDINALITY AS u (x, n)
  if (name == L::ORDINALITY && before == L::RPAREN && around.type(3) != L::LPAREN) return false;
  return then == L::AS || (then == L::LPAREN && around.type(3) != L::INTEGER_VALUE);
}

/// A parenthesis before SELECT or WITH.
bool opens_query(const Around& around) {
  const std::size_t next = around.type(1);
  return next == L::SELECT || (next == L::WITH && names_queries(around.moved(1), L::LPAREN));
}

bool is_unit(std::size_t type) {
  return type >= L::YEAR && type <= L::MILLISECONDS;
}

/// CROSS before JOIN where nothing joins on a condition: up to the next clause, or JOIN, there is no ON. With one it is
/// an alias.
bool crosses(const Around& around) {
  int depth = 0;
  for (int step = 2;; ++step) {
    const std::size_t type = around.type(step);
    if (type == L::LPAREN) ++depth;
    if (type == L::RPAREN && --depth < 0) return true;
    if (type == Token::EOF || type == L::SEMICOLON) return true;
    if (depth > 0) continue;
    if (type == L::ON) return false;
    if (type == L::JOIN || type == L::WHERE || type == L::GROUP || type == L::EMIT) return true;
  }
}

/// ASOF before [LEFT] JOIN. Where columns are named by it, it is an alias.
bool joins_as_of(const Around& around) {
  const std::size_t next = around.type(1);
  if (next != L::JOIN && !(next == L::LEFT && around.type(2) == L::JOIN)) return false;
  for (int step = 1; around.type(step) != Token::EOF && around.type(step) != L::SEMICOLON; ++step)
    if (around.type(step) == L::ASOF && around.type(step + 1) == L::DOT) return false;
  return true;
}

/// USING (columns) behind what is joined.
bool names_columns(const Around& around, std::size_t before) {
  return around.type(1) == L::LPAREN && before != L::DOT && before != L::ARROW && before != L::AS &&
         before != L::SEMICOLON && before != L::FROM && before != L::JOIN && !begins_expression(before);
}

/// SELECT of values alone: no FROM follows before the query ends.
bool lacks_from(const Around& around) {
  int depth = 0;
  for (int step = 1;; ++step) {
    const std::size_t type = around.type(step), before = around.type(step - 1);
    if (type == L::LPAREN) ++depth;
    if (type == L::RPAREN && --depth < 0) return true;
    if (type == Token::EOF || type == L::SEMICOLON) return true;
    if (depth > 0) continue;
    // IS DISTINCT FROM, and FROM as a name
    const bool other = before == L::DISTINCT || before == L::ARROW || before == L::DOT || before == L::AS;
    if (type == L::FROM && !other) return false;
    if (step > 1 && (type == L::UNION || type == L::EXCEPT || type == L::INTERSECT) &&
        (around.type(step + 1) == L::SELECT || around.type(step + 1) == L::ALL || around.type(step + 1) == L::DISTINCT))
      return true;
  }
}

/// What a token is that begins a new form; 0: what it was.
std::size_t new_form(const Around& around, std::size_t type, std::size_t before) {
  const std::size_t next = around.type(1);
  switch (type) {
    case L::DISTINCT:
      return before == L::SELECT ? L::SELECT_DISTINCT : before == L::LPAREN ? L::CALL_DISTINCT : 0;
    case L::DELETE:
      return before == L::SEMICOLON || before == L::EXPLAIN ? L::DELETE_ROWS : 0;
    case L::LPAREN:
      return opens_query(around) ? L::QUERY_OPEN : 0;
    case L::WITH:
      return names_queries(around, before) ? L::CTE_WITH : 0;
    case L::CHANGES:
      return next == L::LPAREN && (before == L::FROM || before == L::JOIN) ? L::CHANGES_OF : 0;
    case L::EXISTS:
      return next == L::LPAREN && opens_query(around.moved(1)) ? L::EXISTS_QUERY : 0;
    case L::INTERVAL:
      return (next == L::STRING || next == L::INTEGER_VALUE) && is_unit(around.type(2)) ? L::INTERVAL_OF : 0;
    case L::ROLLUP:
    case L::CUBE:
      if (next != L::LPAREN || (before != L::BY && before != L::COMMA)) return 0;
      return type == L::CUBE ? L::CUBE_OF : L::ROLLUP_OF;
    case L::UNNEST:
      return next == L::LPAREN && (before == L::FROM || before == L::JOIN) ? L::UNNEST_OF : 0;
    case L::CROSS:
      return next == L::JOIN && crosses(around) ? L::CROSS_JOIN : 0;
    case L::ASOF:
      return joins_as_of(around) ? L::ASOF_JOIN : 0;
    case L::USING:
      return names_columns(around, before) ? L::USING_OF : 0;
    case L::VALUES:
      return next == L::LPAREN && (before == L::FROM || before == L::JOIN) ? L::VALUES_OF : 0;
    case L::SELECT:
      return lacks_from(around) ? L::SELECT_VALUES : 0;
    case L::GROUPING:
      return next == L::SETS ? L::GROUPING_OF : 0;
    case L::FUNCTION:
      return before == L::CREATE || before == L::REPLACE || before == L::DROP ? L::FUNCTION_NAME : 0;
    case L::ON:
      return before == L::COMMA && is_unit(around.type(-2)) && around.type(-3) == L::INTEGER_VALUE ? L::WINDOW_ON : 0;
    default:
      return 0;
  }
}

/// The word that was taken for the beginning of a new form.
std::size_t word_of(std::size_t type) {
  switch (type) {
    case L::SELECT_VALUES:
      return L::SELECT;
    case L::VALUES_OF:
      return L::VALUES;
    case L::USING_OF:
      return L::USING;
    case L::ASOF_JOIN:
      return L::ASOF;
    default:
      return type;
  }
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
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    Token* token = tokens[i];
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
    if (const std::size_t form = new_form(Around(tokens, i), type, before); form != 0) writable->setType(form);
    if (type == L::COMMA && values && depth == 0) writable->setType(L::ROW_COMMA);
    before = type;
  }
}

std::optional<MadeName> make_name(const std::vector<Token*>& tokens, std::size_t stopped_at, bool before) {
  if (stopped_at < (before ? 2U : 1U)) return std::nullopt;
  const std::size_t at = before ? stopped_at - 1 : stopped_at;
  if (at + 1 >= tokens.size()) return std::nullopt;
  auto* token = dynamic_cast<antlr4::WritableToken*>(tokens[at]);
  const std::size_t type = tokens[at]->getType(), word = word_of(type);
  const bool free = word != type && !is_reserved(word);
  if (token == nullptr || (!free && !may_be_name(tokens[at - 1]->getType(), word, tokens[at + 1]->getType())))
    return std::nullopt;
  token->setType(L::IDENTIFIER);
  return MadeName{token, type};
}

}  // namespace millrace::inline parser
