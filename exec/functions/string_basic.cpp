#include <unicode/locid.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <cstring>

#include "exec/functions/families.h"
#include "exec/functions/scalar.h"
#include "exec/functions/utf16.h"
#include "parser/error/trim.h"

namespace millrace::inline exec {
namespace {

using Text = std::string_view;

char upper_ascii(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
}
char lower_ascii(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

template <bool Upper>
Text change_case(Arena& arena, Text text) {
  if (utf16::is_ascii(text)) {
    char* out = arena.allocate(text.size());
    std::transform(text.begin(), text.end(), out, Upper ? upper_ascii : lower_ascii);
    return {out, text.size()};
  }
  auto wide = icu::UnicodeString::fromUTF8({text.data(), static_cast<std::int32_t>(text.size())});
  std::string out;
  (Upper ? wide.toUpper(icu::Locale::getRoot()) : wide.toLower(icu::Locale::getRoot())).toUTF8String(out);
  return arena.copy(out);
}

Text initcap(Arena& arena, Text text) {
  const Text lower = change_case<false>(arena, text);
  std::string out;
  bool start = true;
  for (Text rest = lower; !rest.empty();) {
    const char32_t point = utf16::next(rest);
    utf16::append(start ? static_cast<char32_t>(u_toupper(static_cast<UChar32>(point))) : point, out);
    start = point == U' ' || (point >= U'\t' && point <= U'\r');
  }
  return arena.copy(out);
}

std::int32_t text_length(Text text) {
  return static_cast<std::int32_t>(utf16::length(text));
}
std::int32_t bytes_length(BytesView bytes) {
  return static_cast<std::int32_t>(bytes.data.size());
}
Text trim_text(Text text) {
  return trim(text);
}

/// First unit of a SUBSTRING of something `size` units long.
std::size_t first_unit(std::int64_t pos, std::size_t size) {
  const auto length = static_cast<std::int64_t>(size);
  if (pos < 0) return static_cast<std::size_t>(std::max<std::int64_t>(length + pos, 0));
  return static_cast<std::size_t>(std::min(std::max<std::int64_t>(pos - 1, 0), length));
}
Text substring_of(Text text, std::int32_t pos, std::int64_t count) {
  const std::size_t size = utf16::length(text);
  const std::size_t from = first_unit(pos, size);
  const auto taken =
      static_cast<std::size_t>(std::clamp<std::int64_t>(count, 0, static_cast<std::int64_t>(size - from)));
  if (size == text.size()) return text.substr(from, taken);
  return utf16::slice(text, from, from + taken);
}
Text substring(Text text, std::int32_t pos) {
  return substring_of(text, pos, INT32_MAX);
}
Text substring_count(Text text, std::int32_t pos, std::int32_t count) {
  return substring_of(text, pos, count);
}
BytesView bytes_substring_count(BytesView bytes, std::int32_t pos, std::int32_t count) {
  const std::size_t from = first_unit(pos, bytes.data.size());
  return {bytes.data.substr(from, static_cast<std::size_t>(std::max(count, 0)))};
}
BytesView bytes_substring(BytesView bytes, std::int32_t pos) {
  return bytes_substring_count(bytes, pos, INT32_MAX);
}

Text concat(Arena& arena, std::optional<Text> first, Variadic<Text> rest) {
  std::size_t size = first ? first->size() : 0;
  for (std::size_t i = 0; i < rest.size(); ++i) size += rest[i].value_or(Text()).size();
  char* out = arena.allocate(size);
  char* at = out;
  const auto put = [&at](std::optional<Text> part) {
    if (!part || part->empty()) return;
    std::memcpy(at, part->data(), part->size());
    at += part->size();
  };
  put(first);
  for (std::size_t i = 0; i < rest.size(); ++i) put(rest[i]);
  return {out, size};
}
BytesView concat_bytes(Arena& arena, std::optional<BytesView> first, Variadic<BytesView> rest) {
  std::string out(first ? first->data : Text());
  for (std::size_t i = 0; i < rest.size(); ++i)
    if (const auto part = rest[i]) out += part->data;
  return {arena.copy(out)};
}

Text concat_ws(Arena& arena, Text separator, std::optional<Text> first, Variadic<Text> rest) {
  std::string out;
  bool any = false;
  const auto put = [&](std::optional<Text> part) {
    if (!part) return;
    if (any) out += separator;
    any = true;
    out += *part;
  };
  put(first);
  for (std::size_t i = 0; i < rest.size(); ++i) put(rest[i]);
  return arena.copy(out);
}
BytesView concat_ws_bytes(Arena& arena, BytesView separator, std::optional<BytesView> first, Variadic<BytesView> rest) {
  std::string out;
  bool any = false;
  const auto put = [&](std::optional<BytesView> part) {
    if (!part) return;
    if (any) out += separator.data;
    any = true;
    out += part->data;
  };
  put(first);
  for (std::size_t i = 0; i < rest.size(); ++i) put(rest[i]);
  return {arena.copy(out)};
}

std::optional<Text> elt(std::optional<std::int32_t> n, Variadic<Text> texts) {
  if (!n || *n < 1 || static_cast<std::size_t>(*n) > texts.size()) return std::nullopt;
  return texts[static_cast<std::size_t>(*n - 1)];
}
std::int32_t field(std::optional<Text> needle, Variadic<Text> texts) {
  if (!needle) return 0;
  for (std::size_t i = 0; i < texts.size(); ++i)
    if (texts[i] == needle) return static_cast<std::int32_t>(i + 1);
  return 0;
}

template <bool Left>
std::string pad(Text text, std::size_t text_size, std::size_t size, Text padding, std::size_t padding_size,
                bool units) {
  const auto cut = [units](Text of, std::size_t count) {
    return units ? utf16::slice(of, 0, count) : of.substr(0, count);
  };
  if (text_size >= size) return std::string(cut(text, size));
  std::string fill;
  for (std::size_t missing = size - text_size; missing > 0;) {
    const std::size_t step = std::min(missing, padding_size);
    fill += cut(padding, step);
    missing -= step;
  }
  return Left ? fill + std::string(text) : std::string(text) + fill;
}
constexpr std::int32_t kMaxPadded = 1 << 26;

template <bool Left>
Result<std::optional<Text>> pad_text(Arena& arena, Text text, std::int32_t size, Text padding) {
  if (size < 0 || padding.empty()) return std::optional<Text>();
  if (size > kMaxPadded) return user_error("a text cannot be padded to {} characters", size);
  return std::optional(arena.copy(
      pad<Left>(text, utf16::length(text), static_cast<std::size_t>(size), padding, utf16::length(padding), true)));
}
template <bool Left>
Result<std::optional<BytesView>> pad_bytes(Arena& arena, BytesView bytes, std::int32_t size, BytesView padding) {
  if (size < 0 || padding.data.empty()) return std::optional<BytesView>();
  if (size > kMaxPadded) return user_error("bytes cannot be padded to {}", size);
  return std::optional(BytesView{arena.copy(pad<Left>(bytes.data, bytes.data.size(), static_cast<std::size_t>(size),
                                                      padding.data, padding.data.size(), false))});
}

Text replace(Arena& arena, Text text, Text old, Text with) {
  std::string out;
  if (old.empty()) {  // before every character and at the end, as Java does
    for (Text rest = text; !rest.empty();) {
      out += with;
      const std::size_t before = rest.size();
      Text tail = rest;
      utf16::next(tail);
      out += rest.substr(0, before - tail.size());
      rest = tail;
    }
    out += with;
    return arena.copy(out);
  }
  std::size_t from = 0;
  for (std::size_t at = text.find(old); at != Text::npos; at = text.find(old, from)) {
    out += text.substr(from, at - from);
    out += with;
    from = at + old.size();
  }
  if (from == 0) return text;
  out += text.substr(from);
  return arena.copy(out);
}

/// Code units from 1 on. From a negative position, counted from the end, matches that end there or before are searched
/// backwards. An empty text is found at once.
std::int32_t find_in(Text text, Text wanted, std::int32_t position, std::int32_t occurrence) {
  const std::u16string in = utf16::widen(text);
  const std::u16string what = utf16::widen(wanted);
  const auto size = static_cast<std::int64_t>(in.size());
  const bool forward = position > 0;
  if (position == 0 || occurrence < 1 || std::abs(std::int64_t{position}) > size) return 0;
  if (what.empty()) return forward ? position : static_cast<std::int32_t>(size + position + 2);
  const std::int64_t start = forward ? position - 1 : size + position - static_cast<std::int64_t>(what.size()) + 1;
  if (start < 0) return 0;
  auto at = forward ? in.find(what, static_cast<std::size_t>(start)) : in.rfind(what, static_cast<std::size_t>(start));
  for (std::int32_t n = 1; n < occurrence && at != std::u16string::npos; ++n) {
    if (!forward && at == 0) return 0;
    at = forward ? in.find(what, at + 1) : in.rfind(what, at - 1);
  }
  return at == std::u16string::npos ? 0 : static_cast<std::int32_t>(at + 1);
}
std::int32_t instr_all(std::optional<Text> text, std::optional<Text> wanted, std::optional<std::int32_t> position,
                       std::optional<std::int32_t> occurrence) {
  if (!text || !wanted || !position || !occurrence) return 0;
  return find_in(*text, *wanted, *position, *occurrence);
}
std::int32_t instr(std::optional<Text> text, std::optional<Text> wanted) {
  return instr_all(text, wanted, 1, 1);
}
std::int32_t instr_from(std::optional<Text> text, std::optional<Text> wanted, std::optional<std::int32_t> position) {
  return instr_all(text, wanted, position, 1);
}

FunctionDef string(DefinitionSpec spec) {
  return define(FunctionKind::scalar, "STRING", std::move(spec));
}

FunctionFamily joining() {
  return {
      string({"CONCAT",
              "The arguments one after another; NULL ones do not count.",
              {scalar<concat>({"first", "rest"}), scalar<concat_bytes>({"first", "rest"})},
              {{"CONCAT('a', NULL, 'b')", "'ab'"}}}),
      string(
          {"CONCAT_WS",
           "The arguments with a separator between them; NULL ones do not count.",
           {scalar<concat_ws>({"separator", "first", "rest"}), scalar<concat_ws_bytes>({"separator", "first", "rest"})},
           {{"CONCAT_WS('-', 'a', 'b')", "'a-b'"}}}),
      string({"ELT", "The n-th text, counted from 1.", {scalar<elt>({"n", "texts"})}, {{"ELT(2, 'a', 'b')", "'b'"}}}),
      string({"FIELD",
              "The place of the first text equal to the first argument, counted from 1; 0 for none.",
              {scalar<field>({"wanted", "texts"})},
              {{"FIELD('b', 'a', 'b')", "2"}}}),
      string({"LPAD",
              "The text padded on the left, or cut, to a length.",
              {scalar<pad_text<true>>({"text", "length", "padding"}),
               scalar<pad_bytes<true>>({"bytes", "length", "padding"})},
              {{"LPAD('Foo', 7, 'Ba')", "'BaBaFoo'"}, {"LPAD('Foo', 2, 'Ba')", "'Fo'"}}}),
      string({"RPAD",
              "The text padded on the right, or cut, to a length.",
              {scalar<pad_text<false>>({"text", "length", "padding"}),
               scalar<pad_bytes<false>>({"bytes", "length", "padding"})},
              {{"RPAD('Foo', 7, 'Ba')", "'FooBaBa'"}}})};
}

}  // namespace

FunctionFamily string_functions() {
  FunctionFamily all = joining();
  all.push_back(string({"INITCAP",
                        "Each word with an upper-case first letter, the rest lower-case.",
                        {scalar<initcap>({"text"})},
                        {{"INITCAP('the dog')", "'The Dog'"}}}));
  all.push_back(string({"INSTR",
                        "Where the text holds another, counted from 1; 0 when it does not.",
                        {scalar<instr>({"text", "wanted"}), scalar<instr_from>({"text", "wanted", "position"}),
                         scalar<instr_all>({"text", "wanted", "position", "occurrence"})},
                        {{"INSTR('corporate floor', 'or')", "2"},
                         {"INSTR('corporate floor', 'or', 3)", "5"},
                         {"INSTR('corporate floor', 'or', -4)", "5"},
                         {"INSTR('xor', 'or', -2)", "0"},
                         {"INSTR('corporate floor', 'or', 3, 2)", "14"}}}));
  all.push_back(
      string({"LCASE", "The text in lower case.", {scalar<change_case<false>>({"text"})}, {{"LCASE('AB')", "'ab'"}}}));
  all.push_back(
      string({"UCASE", "The text in upper case.", {scalar<change_case<true>>({"text"})}, {{"UCASE('ab')", "'AB'"}}}));
  all.push_back(string({"LEN",
                        "Length in UTF-16 code units, or in bytes.",
                        {scalar<text_length>({"text"}), scalar<bytes_length>({"bytes"})},
                        {{"LEN('abc')", "3"}}}));
  all.push_back(string({"REPLACE",
                        "The text with every occurrence of one text replaced by another.",
                        {scalar<replace>({"text", "old", "new"})},
                        {{"REPLACE('foobar', 'oo', 'i')", "'fibar'"}}}));
  all.push_back(string(
      {"SUBSTRING",
       "The part from a position (from the end when negative), at most so long.",
       {scalar<substring>({"text", "position"}), scalar<substring_count>({"text", "position", "length"}),
        scalar<bytes_substring>({"bytes", "position"}), scalar<bytes_substring_count>({"bytes", "position", "length"})},
       {{"SUBSTRING('stream', 3)", "'ream'"}, {"SUBSTRING('stream', -3, 2)", "'ea'"}}}));
  all.push_back(string(
      {"TRIM", "The text without blanks at both ends.", {scalar<trim_text>({"text"})}, {{"TRIM(' a ')", "'a'"}}}));
  return all;
}

}  // namespace millrace::inline exec
