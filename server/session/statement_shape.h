#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "parser/ast/expression.h"

namespace millrace::inline server {

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

/// Reads one SELECT statement. False when the text is something else, or is one of those whose literals a lexer as
/// simple as this might tell apart otherwise than the parser does (comments, odd characters, numbers at the limits of
/// their type). Reuses what `shape` holds.
bool read_shape(std::string_view text, StatementShape& shape);

/// The syntax tree's node for a literal, as the parser makes it; nullopt when the parser would refuse it.
std::optional<ast::Expression> literal_node(const LiteralToken& literal, bool negative);

}  // namespace millrace::inline server
