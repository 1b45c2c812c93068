#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>
#include <string_view>

namespace millrace::inline parser {

/// A place in the text of a request: 1-based line and column of the first character, byte offsets
/// of the first character and of one past the last. `line == 0` means "no place known".
struct Span {
  std::uint32_t line = 0;
  std::uint32_t column = 0;
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
  friend constexpr bool operator==(const Span&, const Span&) = default;
};

/// What kind of mistake a statement holds. Tests and clients match on this, never on wording.
/// `category()` folds a code into the classes of the HTTP API and of the conformance runner.
enum class Code : std::uint8_t {
  syntax,           // the text does not parse
  invalid_literal,  // a number or text literal that no type can hold
  unknown_source,   // a stream or table that does not exist
  unknown_column,
  ambiguous_column,
  unknown_function,
  no_matching_function,  // arguments fit no variation, or several
  unknown_type,
  type_mismatch,
  invalid_aggregate,  // wrong use of an aggregate, a table function or GROUP BY
  invalid_key,        // key missing from or repeated in the projection, key type refused
  invalid_join,
  invalid_window,
  invalid_property,  // WITH clause or SET
  invalid_format,    // a format that cannot hold the schema
  invalid_schema,    // column lists: duplicates, none, reserved names
  already_exists,
  invalid_insert,
  invalid_statement,  // anything else wrong with a well-formed statement
  not_supported,      // parses, is planned for, does not run yet
  assertion_failed,   // ASSERT TOPIC / ASSERT SCHEMA
  read_only,
  external,  // the log or another service refused or did not answer
};

std::string_view code_name(Code code);

/// The upstream exception class that a mistake corresponds to (conformance/README.md): every parse error is
/// also a statement error, every statement error also a general one.
enum class ErrorClass : std::uint8_t { parse, statement, general };

/// A mistake in a statement. Thrown by `parser/` and `planner/`, caught once per statement in
/// `server/session`; never thrown per row. Immutable after construction but for `hint` and
/// `statement`, which the thrower may add.
class SqlError : public std::runtime_error {
 public:
  SqlError(Code code, Span span, const std::string& message, ErrorClass error_class = ErrorClass::statement)
      : std::runtime_error(message), code_(code), class_(error_class), span_(span) {}

  SqlError& hint(std::string text) & {
    hint_ = std::move(text);
    return *this;
  }
  SqlError&& hint(std::string text) && {
    hint_ = std::move(text);
    return std::move(*this);
  }
  /// Text of the statement at fault, as the client sent it.
  void set_statement(std::string text) { statement_ = std::move(text); }

  Code code() const { return code_; }
  ErrorClass error_class() const { return class_; }
  const Span& span() const { return span_; }
  const std::string& hint() const { return hint_; }
  const std::string& statement() const { return statement_; }

 private:
  Code code_;
  ErrorClass class_;
  Span span_;
  std::string hint_;
  std::string statement_;
};

/// Draws an error for a person: message, the line of `text` at fault with a caret run under the
/// span, and the hint. `text` is the whole request that the span counts in. Of a line that is longer than `width`
/// characters (0: any) only the part around the place is shown.
std::string render_error(const SqlError& error, std::string_view text, int width = 0);

}  // namespace millrace::inline parser
