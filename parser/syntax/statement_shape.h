#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::inline parser {

/// A literal of a statement's text.
struct LiteralToken {
  enum class Kind : std::uint8_t { integer, bigint, decimal, real, text };
  Kind kind;
  std::string_view characters;  // as written: quotes included, sign not
  std::uint32_t begin = 0;      // byte offset in the text
  std::uint32_t end() const { return begin + static_cast<std::uint32_t>(characters.size()); }
};

/// A query's text with the literals of its WHERE clause lifted out: texts that differ in those only have one key.
struct StatementShape {
  std::string key;
  std::vector<LiteralToken> literals;  // views into the text
};

/// Reads one SELECT statement by scanning its text once: the tokens of grammar/MillraceLexer.g4 that a query may hold,
/// without its tables, for those who see the same statement again and again and have no time for a lexer. A test
/// compares both. False when the text is something else, or holds what this scan does not tell apart as the lexer does:
/// comments, characters beyond ASCII outside of quotes, numbers at the limits of their type. Reuses what `shape` holds.
bool read_shape(std::string_view text, StatementShape& shape);

/// What a text literal says.
std::string unquoted(std::string_view characters);

}  // namespace millrace::inline parser
