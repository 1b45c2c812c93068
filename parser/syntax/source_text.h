#pragma once

#include <antlr4-runtime.h>

#include <string>
#include <string_view>
#include <vector>

#include "parser/error/sql_error.h"

namespace millrace::inline parser {

/// A request as the lexer reads it: code points with ASCII letters in upper case, so that keywords
/// match in any case. Keeps the bytes and knows which of them a token covers. Borrows `text`.
/// The constructor throws SqlError when the bytes are not UTF-8.
class SourceText final : public antlr4::ANTLRInputStream {
 public:
  explicit SourceText(std::string_view text);

  size_t LA(ssize_t i) override;
  std::string getText(const antlr4::misc::Interval& interval) override;

  std::string_view text() const { return text_; }
  std::string_view text(const Span& span) const { return text_.substr(span.begin, span.end - span.begin); }
  std::string_view token_text(antlr4::Token* token) const { return text(token_span(token)); }

  Span token_span(antlr4::Token* token) const;
  /// From the first token of a rule to its last; the place of the first token when the rule is empty.
  Span span(antlr4::ParserRuleContext* context) const;

 private:
  std::uint32_t byte_offset(std::size_t index) const;

  std::string_view text_;
  std::vector<std::uint32_t> offsets_;  // byte offset of every code point; empty for plain ASCII
};

}  // namespace millrace::inline parser
