#include <unicode/regex.h>

#include <algorithm>
#include <memory>

#include "exec/functions/families.h"
#include "exec/functions/scalar.h"
#include "exec/functions/utf16.h"

namespace millrace::inline exec {
namespace {

using Text = std::string_view;

icu::UnicodeString wide(Text text) {
  return icu::UnicodeString::fromUTF8({text.data(), static_cast<std::int32_t>(text.size())});
}
std::string narrow(const icu::UnicodeString& text) {
  std::string out;
  text.toUTF8String(out);
  return out;
}

/// The last pattern stays compiled: patterns are nearly always constants.
icu::RegexPattern* compiled(Text pattern, std::string& why) {
  thread_local std::string source;
  thread_local std::unique_ptr<icu::RegexPattern> last;
  if (last != nullptr && source == pattern) return last.get();
  UErrorCode status = U_ZERO_ERROR;
  UParseError place;
  last.reset(icu::RegexPattern::compile(wide(pattern), place, status));
  source = pattern;
  if (U_FAILURE(status)) {
    last.reset();
    why = fmt::format("bad regular expression: {}", pattern);
  }
  return last.get();
}

/// A matcher over one text. The text must outlive it.
class Matcher {
 public:
  Matcher(icu::RegexPattern& pattern, const icu::UnicodeString& text)
      : status_(U_ZERO_ERROR), matcher_(pattern.matcher(text, status_)) {}
  bool find() { return matcher_->find(status_) && U_SUCCESS(status_); }
  int groups() const { return matcher_->groupCount(); }
  icu::RegexMatcher& raw() { return *matcher_; }
  /// Absent when the group took no part.
  std::optional<std::string> group(int index) {
    UErrorCode status = U_ZERO_ERROR;
    if (matcher_->start(index, status) < 0 || U_FAILURE(status)) return std::nullopt;
    return narrow(matcher_->group(index, status));
  }

 private:
  UErrorCode status_;
  std::unique_ptr<icu::RegexMatcher> matcher_;
};

Result<std::optional<Text>> extract_group(Arena& arena, Text pattern, Text text, std::int32_t group) {
  std::string why;
  icu::RegexPattern* regex = compiled(pattern, why);
  if (regex == nullptr) return Error{Fault::user, why};
  const icu::UnicodeString in = wide(text);
  Matcher matcher(*regex, in);
  if (group < 0 || group > matcher.groups() || !matcher.find()) return std::optional<Text>();
  const auto found = matcher.group(group);
  if (!found) return std::optional<Text>();
  return std::optional(arena.copy(*found));
}
Result<std::optional<Text>> extract(Arena& arena, Text pattern, Text text) {
  return extract_group(arena, pattern, text, 0);
}

Result<Value> extract_all(std::span<const Value> arguments, const CallTypes&) {
  std::string why;
  icu::RegexPattern* regex = compiled(arguments[0].as<std::string>(), why);
  if (regex == nullptr) return Error{Fault::user, why};
  const int group = arguments.size() > 2 ? arguments[2].as<std::int32_t>() : 0;
  const icu::UnicodeString in = wide(arguments[1].as<std::string>());
  Matcher matcher(*regex, in);
  if (group < 0 || group > matcher.groups()) return Value();
  Value::List found;
  while (matcher.find()) {
    auto text = matcher.group(group);
    found.push_back(text ? Value(std::move(*text)) : Value());
  }
  return Value::list(std::move(found));
}

/// ICU takes $n as Java does.
Result<Text> replace_matches(Arena& arena, Text text, Text pattern, Text replacement) {
  std::string why;
  icu::RegexPattern* regex = compiled(pattern, why);
  if (regex == nullptr) return Error{Fault::user, why};
  const icu::UnicodeString in = wide(text);
  UErrorCode status = U_ZERO_ERROR;
  Matcher matcher(*regex, in);
  const icu::UnicodeString out = matcher.raw().replaceAll(wide(replacement), status);
  if (U_FAILURE(status)) return user_error("bad replacement: {}", replacement);
  return arena.copy(narrow(out));
}

Value::List characters(Text text) {
  Value::List items;
  while (!text.empty()) {
    std::string one;
    utf16::append(utf16::next(text), one);
    items.emplace_back(std::move(one));
  }
  return items;
}

Result<Value> split_by_regex(std::span<const Value> arguments, const CallTypes&) {
  const std::string& text = arguments[0].as<std::string>();
  const std::string& pattern = arguments[1].as<std::string>();
  std::string why;
  icu::RegexPattern* regex = compiled(pattern, why);
  if (regex == nullptr) return Error{Fault::user, why};
  if (pattern.empty()) return Value::list(characters(text));
  const icu::UnicodeString in = wide(text);
  Matcher matcher(*regex, in);
  Value::List pieces;
  std::int32_t from = 0;
  UErrorCode status = U_ZERO_ERROR;
  while (matcher.find()) {
    const std::int32_t start = matcher.raw().start(status);
    const std::int32_t end = matcher.raw().end(status);
    if (end == start && (start == 0 || start == in.length())) continue;  // an empty match splits nothing off the ends
    pieces.emplace_back(narrow(in.tempSubStringBetween(from, start)));
    from = end;
  }
  pieces.emplace_back(narrow(in.tempSubStringBetween(from)));
  return Value::list(std::move(pieces));
}

std::vector<std::string> split_plain(Text text, Text delimiter) {
  std::vector<std::string> pieces;
  std::size_t from = 0;
  for (std::size_t at = text.find(delimiter); at != Text::npos; at = text.find(delimiter, from)) {
    pieces.emplace_back(text.substr(from, at - from));
    from = at + delimiter.size();
  }
  pieces.emplace_back(text.substr(from));
  return pieces;
}

Result<Value> split(std::span<const Value> arguments, const CallTypes&) {
  const std::string& text = arguments[0].as<std::string>();
  const std::string& delimiter = arguments[1].as<std::string>();
  if (delimiter.empty()) return Value::list(text.empty() ? Value::List{std::string()} : characters(text));
  Value::List items;
  for (std::string& piece : split_plain(text, delimiter)) items.emplace_back(std::move(piece));
  return Value::list(std::move(items));
}

Result<Value> split_bytes(std::span<const Value> arguments, const CallTypes&) {
  const std::string& bytes = arguments[0].as<Bytes>().data;
  const std::string& delimiter = arguments[1].as<Bytes>().data;
  Value::List items;
  if (delimiter.empty()) {
    for (const char c : bytes) items.emplace_back(Bytes{std::string(1, c)});
    if (bytes.empty()) items.emplace_back(Bytes{});
  } else {
    for (std::string& piece : split_plain(bytes, delimiter)) items.emplace_back(Bytes{std::move(piece)});
  }
  return Value::list(std::move(items));
}

Result<Value> split_to_map(std::span<const Value> arguments, const CallTypes&) {
  const std::string& entry = arguments[1].as<std::string>();
  const std::string& inner = arguments[2].as<std::string>();
  if (entry.empty() || inner.empty() || entry == inner) return Value();
  Value::Map map;
  for (const std::string& piece : split_plain(arguments[0].as<std::string>(), entry)) {
    if (piece.find(inner) == std::string::npos) continue;
    auto parts = split_plain(piece, inner);
    const auto known = std::ranges::find(map, Value(parts[0]), &std::pair<Value, Value>::first);
    if (known != map.end())
      known->second = std::move(parts[1]);
    else
      map.emplace_back(std::move(parts[0]), std::move(parts[1]));
  }
  return Value::map(std::move(map));
}

FunctionDef regular(DefinitionSpec spec) {
  return define(FunctionKind::scalar, "REGULAR EXPRESSION", std::move(spec));
}

}  // namespace

FunctionFamily regex_functions() {
  return {
      regular({"REGEXP_EXTRACT",
               "The first match of a pattern, or one of its groups; NULL when there is none.",
               {scalar<extract>({"pattern", "input"}), scalar<extract_group>({"pattern", "input", "group"})},
               {{"REGEXP_EXTRACT('(.*) (.*)', 'hello there', 2)", "'there'"}}}),
      regular({"REGEXP_EXTRACT_ALL",
               "Every match of a pattern, or of one of its groups.",
               {boxed("STRING pattern, STRING input -> ARRAY<STRING>", extract_all),
                boxed("STRING pattern, STRING input, INT group -> ARRAY<STRING>", extract_all)}}),
      regular({"REGEXP_REPLACE",
               "The text with every match of a pattern replaced; $n is a group.",
               {scalar<replace_matches>({"input", "pattern", "replacement"})},
               {{"REGEXP_REPLACE('a1b2', '[0-9]', '')", "'ab'"}}}),
      regular({"REGEXP_SPLIT_TO_ARRAY",
               "The pieces of the text between the matches of a pattern.",
               {boxed("STRING input, STRING pattern -> ARRAY<STRING>", split_by_regex)},
               {{"REGEXP_SPLIT_TO_ARRAY('a1b2c', '[0-9]')", "ARRAY['a', 'b', 'c']"}}}),
      define(FunctionKind::scalar, "STRING",
             {"SPLIT",
              "The pieces between the delimiters; an empty delimiter splits off every character.",
              {boxed("STRING text, STRING delimiter -> ARRAY<STRING>", split),
               boxed("BYTES bytes, BYTES delimiter -> ARRAY<BYTES>", split_bytes)},
              {{"SPLIT('a,b,', ',')", "ARRAY['a', 'b', '']"}}}),
      define(FunctionKind::scalar, "STRING",
             {"SPLIT_TO_MAP",
              "Keys and values out of a text of pairs.",
              {boxed("STRING text, STRING entry_delimiter, STRING key_value_delimiter -> MAP<STRING, STRING>",
                     split_to_map)}}),
  };
}

}  // namespace millrace::inline exec
