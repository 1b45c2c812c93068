#pragma once

#include <string>
#include <string_view>

#include "parser/ast/statement.h"

namespace millrace::inline parser::ast {

/// Prints a tree as SQL that parses back to an equal tree. The layout is ksqlDB's rewritten form
/// (sql.md): select items on lines of their own, binary operators in parentheses, WITH keys
/// sorted. Names are quoted only where they must be.
std::string format(const Statement& statement);
std::string format(const Query& query);
/// As expressions appear in error messages: `(F1 + F2)`, `SUBSTRING(REGION, 7, 1)`, `'text'`.
std::string format(const Expression& expression);
std::string format(const TypeName& type);
/// `ID` or `` `id` ``: back-quotes when the name is not a plain upper-case identifier or is reserved.
std::string format_name(std::string_view name);

/// Structural equality; spans, quoting and statement text do not count.
bool equal(const Expression& a, const Expression& b);
bool equal(const Statement& a, const Statement& b);

}  // namespace millrace::inline parser::ast
