#include "parser/syntax/source_text.h"

#include <algorithm>

namespace millrace::inline parser {
namespace {

constexpr char32_t kInvalid = 0xFFFFFFFF;

/// Decodes the code point at `at` and moves past it; kInvalid when the bytes there are not UTF-8.
char32_t decode_one(std::string_view text, std::size_t& at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(at);
  if (lead < 0x80) return text[at++];
  const int extra = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
  if (lead < 0xC2 || lead > 0xF4 || at + static_cast<std::size_t>(extra) >= text.size()) return kInvalid;
  char32_t point = lead & (0x3F >> extra);
  for (int i = 1; i <= extra; ++i) {
    const unsigned char next = byte(at + static_cast<std::size_t>(i));
    if ((next & 0xC0) != 0x80) return kInvalid;
    point = (point << 6) | (next & 0x3F);
  }
  constexpr char32_t kSmallest[] = {0, 0x80, 0x800, 0x10000};
  if (point < kSmallest[extra] || point > 0x10FFFF || (point >= 0xD800 && point <= 0xDFFF)) return kInvalid;
  at += static_cast<std::size_t>(extra) + 1;
  return point;
}

[[noreturn]] void refuse_byte(std::string_view before) {
  Span span;
  span.line = 1 + static_cast<std::uint32_t>(std::count(before.begin(), before.end(), '\n'));
  const std::size_t line_begin = before.rfind('\n') + 1;
  const auto characters = std::count_if(before.begin() + static_cast<std::ptrdiff_t>(line_begin), before.end(),
                                        [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
  span.column = 1 + static_cast<std::uint32_t>(characters);
  span.begin = static_cast<std::uint32_t>(before.size());
  span.end = span.begin + 1;
  throw SqlError(Code::syntax, span,
                 "line " + std::to_string(span.line) + ":" + std::to_string(span.column) +
                     ": Syntax Error\nThe text is not valid UTF-8",
                 ErrorClass::parse);
}

}  // namespace

SourceText::SourceText(std::string_view text) : text_(text) {
  const bool ascii = std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
  if (ascii) {
    _data.assign(text.begin(), text.end());
    return;
  }
  _data.reserve(text.size());
  offsets_.reserve(text.size() + 1);
  for (std::size_t at = 0; at < text.size();) {
    offsets_.push_back(static_cast<std::uint32_t>(at));
    const std::size_t begin = at;
    const char32_t point = decode_one(text, at);
    if (point == kInvalid) refuse_byte(text.substr(0, begin));
    _data.push_back(point);
  }
  offsets_.push_back(static_cast<std::uint32_t>(text.size()));
}

size_t SourceText::LA(ssize_t i) {
  const size_t c = ANTLRInputStream::LA(i);
  return c >= 'a' && c <= 'z' ? c - ('a' - 'A') : c;
}

std::string SourceText::getText(const antlr4::misc::Interval& interval) {
  if (interval.a < 0 || interval.b < interval.a) return {};
  const std::uint32_t begin = byte_offset(static_cast<std::size_t>(interval.a));
  const std::uint32_t end = byte_offset(static_cast<std::size_t>(interval.b) + 1);
  return std::string(text_.substr(begin, end - begin));
}

std::uint32_t SourceText::byte_offset(std::size_t index) const {
  if (offsets_.empty()) return static_cast<std::uint32_t>(std::min(index, text_.size()));
  return offsets_[std::min(index, offsets_.size() - 1)];
}

Span SourceText::token_span(antlr4::Token* token) const {
  Span span;
  span.line = static_cast<std::uint32_t>(token->getLine());
  span.column = static_cast<std::uint32_t>(token->getCharPositionInLine()) + 1;
  if (token->getType() == antlr4::Token::EOF) {
    span.begin = span.end = static_cast<std::uint32_t>(text_.size());
    return span;
  }
  span.begin = byte_offset(token->getStartIndex());
  span.end = byte_offset(token->getStopIndex() + 1);
  return span;
}

Span SourceText::span(antlr4::ParserRuleContext* context) const {
  Span span = token_span(context->getStart());
  antlr4::Token* last = context->getStop();
  if (last != nullptr && last->getTokenIndex() >= context->getStart()->getTokenIndex()) {
    span.end = token_span(last).end;
  } else {
    span.end = span.begin;
  }
  return span;
}

}  // namespace millrace::inline parser
