#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "parser/ast/statement.h"

namespace millrace::inline parser {

/// Names in a session, upper-cased, and their values (`DEFINE`).
using Variables = std::map<std::string, std::string>;

/// What a text may hold: the statements a server knows, or also those that only a test script does
/// (ASSERT VALUES, ASSERT NULL VALUES, ASSERT STREAM|TABLE, RUN SCRIPT). To `server` those are syntax errors.
enum class StatementSet : std::uint8_t { server, test };

/// `ksql` takes what ksqlDB takes and reserves its words. `millrace` has more statements and clauses, and reserves few
/// words: a word is a keyword only where the text makes no sense with a name there. What parses in `ksql` is the same
/// tree in both.
enum class Dialect : std::uint8_t { millrace, ksql };

/// Parses a whole request: any number of statements, each ending in `;`. Throws `SqlError` with the
/// messages of sql.md; nothing is returned then. Spans count in `text` (after substitution).
/// Thread-safe; keeps no state between calls.
std::vector<ast::StatementPtr> parse(std::string_view text, Dialect dialect = Dialect::millrace,
                                     StatementSet set = StatementSet::server);

/// Parses one statement; a missing final `;` is tolerated.
ast::StatementPtr parse_statement(std::string_view text, Dialect dialect = Dialect::millrace,
                                  StatementSet set = StatementSet::server);

/// Parses an expression alone, for tests and tools.
ast::ExprPtr parse_expression(std::string_view text);

/// Parses a column list as it appears in a schema, without the outer parentheses:
/// `ID INT KEY, V STRUCT<F STRING>`.
std::vector<ast::ColumnDefinition> parse_columns(std::string_view text);

/// Parses a type: `DECIMAL(4, 2)`.
ast::TypeName parse_type(std::string_view text);

/// Replaces `${name}` by its value and `$${name}` by `${name}` (sql.md). Unknown names stay.
std::string substitute_variables(std::string_view text, const Variables& variables);

/// The same for a script whose DEFINE and UNDEFINE statements apply to the statements after them.
std::string substitute_script(std::string_view text, Variables variables, Dialect dialect = Dialect::millrace);

/// A text that `substitute_variables` turns into `text`, whatever the variables.
std::string escape_variables(std::string_view text);

/// Splits a script at top-level semicolons, respecting quotes and comments; the pieces keep their
/// `;`. A last piece without one is returned as it is. For shells, which must know when a statement is complete.
std::vector<std::string> split_statements(std::string_view text);
/// The same as places in `text`.
std::vector<std::string_view> statement_pieces(std::string_view text);

/// Words that cannot be names without quotes in `ksql`, and words that can: for completion and for the formatter.
const std::vector<std::string>& reserved_words();
const std::vector<std::string>& keywords();

}  // namespace millrace::inline parser
