#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "parser/error/letter_case.h"
#include "parser/syntax/builder.h"

namespace millrace::inline parser {
namespace {

/// Takes the quotes off and halves the doubled ones inside.
std::string unquote(std::string_view text) {
  const char quote = text.front();
  std::string plain;
  plain.reserve(text.size());
  for (std::size_t i = 1; i + 1 < text.size(); ++i) {
    plain += text[i];
    if (text[i] == quote) ++i;
  }
  return plain;
}

[[noreturn]] void refuse_literal(std::string_view message, std::string_view text, bool negative, const Span& span) {
  throw SqlError(Code::invalid_literal, span,
                 "line " + std::to_string(span.line) + ":" + std::to_string(span.column) + ": Syntax Error\n" +
                     std::string(message) + (negative ? "-" : "") + std::string(text),
                 ErrorClass::parse);
}

/// The value of digits with an optional sign; nothing outside 64 bits.
std::optional<std::int64_t> parse_integer(std::string_view digits, bool negative) {
  std::uint64_t magnitude = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), magnitude);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  constexpr std::uint64_t kMax = std::numeric_limits<std::int64_t>::max();
  if (magnitude > kMax + (negative ? 1 : 0)) return std::nullopt;
  return static_cast<std::int64_t>(negative ? 0 - magnitude : magnitude);
}

/// Nothing when the value is too large; one too small is zero or the nearest subnormal.
std::optional<double> parse_double(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc()) value = std::strtod(text.c_str(), nullptr);
  return std::isinf(value) ? std::nullopt : std::optional(value);
}

}  // namespace

ast::ExprPtr Builder::number(P::NumberContext* context, bool negative, Span at) {
  const std::string text(source_.token_text(context->getStart()));
  const std::string with_sign = negative ? "-" + text : text;
  if (context->INTEGER_VALUE() != nullptr) {
    const std::int64_t value = integer(context->getStart(), negative, at);
    const auto narrow = static_cast<std::int32_t>(value);
    if (narrow == value) return make(ast::IntegerLiteral{narrow}, at);
    return make(ast::BigintLiteral{value}, at);
  }
  if (context->DECIMAL_VALUE() != nullptr) return make(ast::DecimalLiteral{with_sign}, at);
  const auto value = parse_double(with_sign);
  if (!value) refuse_literal("Number overflows DOUBLE: ", text, negative, at);
  return make(ast::DoubleLiteral{*value, with_sign}, at);
}

std::int64_t Builder::integer(antlr4::Token* digits) {
  return integer(digits, false, span(digits));
}

std::int64_t Builder::integer(antlr4::Token* digits, bool negative, const Span& at) {
  const auto value = parse_integer(source_.token_text(digits), negative);
  if (!value) refuse_literal("Invalid numeric literal: ", source_.token_text(digits), negative, at);
  return *value;
}

ast::ExprPtr Builder::literal(P::LiteralContext* context) {
  const Span at = span(context);
  if (context->number() != nullptr) return number(context->number(), false, at);
  if (context->STRING() != nullptr) return make(ast::StringLiteral{string(context->STRING())}, at);
  if (context->NULL_() != nullptr) return make(ast::NullLiteral{}, at);
  return make(ast::BooleanLiteral{context->TRUE_() != nullptr}, at);
}

std::string Builder::string(antlr4::tree::TerminalNode* node) const {
  return unquote(source_.token_text(node->getSymbol()));
}

ast::Identifier Builder::name(P::NameContext* context) const {
  const std::string_view text = source_.token_text(context->getStart());
  const bool quoted = context->QUOTED_IDENTIFIER() != nullptr || context->BACKQUOTED_IDENTIFIER() != nullptr;
  if (quoted && text.size() == 2) {
    throw SqlError(Code::syntax, span(context), "A name must not be empty", ErrorClass::parse);
  }
  return {quoted ? unquote(text) : upper_case(text), quoted, span(context)};
}

std::vector<ast::Identifier> Builder::names(P::NameListContext* context) const {
  std::vector<ast::Identifier> all;
  if (context == nullptr) return all;
  for (auto* item : context->name()) all.push_back(name(item));
  return all;
}

/// Topics and subjects keep the case they are written in, quoted or not.
ast::Identifier Builder::topic_name(P::TopicNameContext* context) const {
  if (context->STRING() != nullptr) return {string(context->STRING()), true, span(context)};
  ast::Identifier topic = name(context->name());
  if (!topic.quoted) topic.text = source_.token_text(context->getStart());
  topic.quoted = true;
  return topic;
}

std::string Builder::word(antlr4::ParserRuleContext* context) const {
  return upper_case(source_.token_text(context->getStart()));
}

}  // namespace millrace::inline parser
