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

/// What \d, \w and \s stand for in Java: ASCII only. ICU's cover all of Unicode.
std::string_view java_class(char letter) {
  switch (letter) {
    case 'd':
      return "[0-9]";
    case 'D':
      return "[^0-9]";
    case 'w':
      return "[a-zA-Z_0-9]";
    case 'W':
      return "[^a-zA-Z_0-9]";
    case 's':
      return R"([ \t\n\x0B\f\r])";
    case 'S':
      return R"([^ \t\n\x0B\f\r])";
    default:
      return {};
  }
}

/// The pattern as ICU must read it to mean what Java takes it for.
std::string as_icu_reads(Text pattern) {
  std::string out;
  while (!pattern.empty()) {
    std::size_t size = pattern.front() == '\\' && pattern.size() > 1 ? 2 : 1;
    if (pattern.starts_with(R"(\Q)")) size = std::min(pattern.find(R"(\E)"), pattern.size());
    const std::string_view replaced = size == 2 ? java_class(pattern[1]) : std::string_view();
    out += replaced.empty() ? pattern.substr(0, size) : replaced;
    pattern.remove_prefix(size);
  }
  return out;
}

// ICU's unit is 10,000 steps back, about a millisecond. A text that takes longer is an error of its row: nested
// quantifiers, as in (a+)+b, need time exponential in the length of the text.
constexpr std::int32_t kMaxSteps = 100;

/// A compiled pattern and the text it looks at.
class Regex {
 public:
  /// The last pattern stays compiled: patterns are nearly always constants. The regex is good until the next call.
  static Result<Regex*> find(Text pattern, Text text) {
    thread_local std::string source;
    thread_local std::unique_ptr<Regex> last;
    if (last == nullptr || source != pattern) {
      last = nullptr;
      auto made = std::make_unique<Regex>();
      if (!made->compile(pattern)) return user_error("Invalid regular expression pattern: {}", pattern);
      source = pattern;
      last = std::move(made);
    }
    last->look_at(text);
    return last.get();
  }

  /// Steps to the next match.
  Result<bool> next() {
    UErrorCode status = U_ZERO_ERROR;
    const bool found = matcher_->find(status) != 0;
    if (U_FAILURE(status)) return failure(status);
    return found;
  }
  int groups() const { return matcher_->groupCount(); }
  /// Absent when the group took no part.
  std::optional<std::string> group(int index) const {
    UErrorCode status = U_ZERO_ERROR;
    if (matcher_->start(index, status) < 0 || U_FAILURE(status)) return std::nullopt;
    return narrow(matcher_->group(index, status));
  }
  std::int32_t start() const {
    UErrorCode status = U_ZERO_ERROR;
    return matcher_->start(status);
  }
  std::int32_t end() const {
    UErrorCode status = U_ZERO_ERROR;
    return matcher_->end(status);
  }
  const icu::UnicodeString& text() const { return text_; }
  /// ICU takes $n as Java does. Its own replaceAll does not tell a text without matches from one that takes too long.
  Result<std::string> replace_all(Text replacement) {
    const icu::UnicodeString by = wide(replacement);
    icu::UnicodeString out;
    for (;;) {
      const auto found = next();
      if (!found) return found.error();
      if (!*found) break;
      UErrorCode status = U_ZERO_ERROR;
      matcher_->appendReplacement(out, by, status);
      if (U_FAILURE(status)) return failure(status);
    }
    return narrow(matcher_->appendTail(out));
  }
  bool matches_nothing() const { return matches_nothing_; }

 private:
  bool compile(Text pattern) {
    UErrorCode status = U_ZERO_ERROR;
    matcher_ = std::make_unique<icu::RegexMatcher>(wide(as_icu_reads(pattern)), 0, status);
    matcher_->setTimeLimit(kMaxSteps, status);
    if (U_FAILURE(status)) return false;
    look_at("");
    matches_nothing_ = matcher_->matches(status) != 0;
    return true;
  }
  void look_at(Text text) {
    text_ = wide(text);
    matcher_->reset(text_);
  }
  static Error failure(UErrorCode status) {
    if (status == U_REGEX_TIME_OUT || status == U_REGEX_STACK_OVERFLOW)
      return user_error("the regular expression takes too long on this text");
    return user_error("bad replacement: {}", u_errorName(status));
  }
  icu::UnicodeString text_;
  std::unique_ptr<icu::RegexMatcher> matcher_;
  bool matches_nothing_ = false;  // the empty text is a match
};

Result<std::optional<Text>> extract_group(Arena& arena, Text pattern, Text text, std::int32_t group) {
  const auto regex = Regex::find(pattern, text);
  if (!regex) return regex.error();
  if (group < 0 || group > (*regex)->groups()) return std::optional<Text>();
  const auto matched = (*regex)->next();
  if (!matched) return matched.error();
  const auto found = *matched ? (*regex)->group(group) : std::nullopt;
  if (!found) return std::optional<Text>();
  return std::optional(arena.copy(*found));
}
Result<std::optional<Text>> extract(Arena& arena, Text pattern, Text text) {
  return extract_group(arena, pattern, text, 0);
}

Result<Value> extract_all(std::span<const Value> arguments, const CallTypes&) {
  const auto regex = Regex::find(arguments[0].as<std::string>(), arguments[1].as<std::string>());
  if (!regex) return regex.error();
  const int group = arguments.size() > 2 ? arguments[2].as<std::int32_t>() : 0;
  if (group < 0 || group > (*regex)->groups()) return Value();
  Value::List found;
  for (;;) {
    const auto matched = (*regex)->next();
    if (!matched) return matched.error();
    if (!*matched) return Value::list(std::move(found));
    auto text = (*regex)->group(group);
    found.push_back(text ? Value(std::move(*text)) : Value());
  }
}

Result<Text> replace_matches(Arena& arena, Text text, Text pattern, Text replacement) {
  const auto regex = Regex::find(pattern, text);
  if (!regex) return regex.error();
  const auto out = (*regex)->replace_all(replacement);
  if (!out) return out.error();
  return arena.copy(*out);
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
  if (pattern.empty()) return Value::list(text.empty() ? Value::List{std::string()} : characters(text));
  const auto regex = Regex::find(pattern, text);
  if (!regex) return regex.error();
  const icu::UnicodeString& in = (*regex)->text();
  Value::List pieces;
  std::int32_t from = 0;
  for (;;) {
    const auto matched = (*regex)->next();
    if (!matched) return matched.error();
    if (!*matched) break;
    const std::int32_t start = (*regex)->start();
    const std::int32_t end = (*regex)->end();
    if (end == start && (start == 0 || start == in.length())) continue;  // an empty match splits nothing off the ends
    pieces.emplace_back(narrow(in.tempSubStringBetween(from, start)));
    from = end;
  }
  pieces.emplace_back(narrow(in.tempSubStringBetween(from)));
  // Java has two ways to split; the one for such patterns leaves out what is empty at the end.
  if ((*regex)->matches_nothing())
    while (pieces.size() > 1 && pieces.back().as<std::string>().empty()) pieces.pop_back();
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
               {{"REGEXP_EXTRACT('(.*) (.*)', 'hello there', 2)", "'there'"},
                {"REGEXP_EXTRACT('x', 'hello')", "NULL"},
                {"REGEXP_EXTRACT('(', 'hello')", "error"},
                {"REGEXP_EXTRACT('(a+)+b', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')", "error"}}}),
      regular({"REGEXP_EXTRACT_ALL",
               "Every match of a pattern, or of one of its groups.",
               {boxed("STRING pattern, STRING input -> ARRAY<STRING>", extract_all),
                boxed("STRING pattern, STRING input, INT group -> ARRAY<STRING>", extract_all)},
               {{"REGEXP_EXTRACT_ALL('th\\w+', 'then this')", "ARRAY['then', 'this']"},
                {"REGEXP_EXTRACT_ALL('(\\w)(\\d)', 'a1 b2', 2)", "ARRAY['1', '2']"},
                {"REGEXP_EXTRACT_ALL('(a+)+b', 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa')", "error"}}}),
      regular({"REGEXP_REPLACE",
               "The text with every match of a pattern replaced; $n is a group.",
               {scalar<replace_matches>({"input", "pattern", "replacement"})},
               {{"REGEXP_REPLACE('a1b2', '[0-9]', '')", "'ab'"},
                {"REGEXP_REPLACE('ab', '(a)(b)', '$2$1')", "'ba'"},
                {"REGEXP_REPLACE('été', '\\w', 'x')", "'éxé'"},
                {"REGEXP_REPLACE('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', '(a+)+b', '')", "error"}}}),
      regular({"REGEXP_SPLIT_TO_ARRAY",
               "The pieces of the text between the matches of a pattern.",
               {boxed("STRING input, STRING pattern -> ARRAY<STRING>", split_by_regex)},
               {{"REGEXP_SPLIT_TO_ARRAY('a1b2c', '[0-9]')", "ARRAY['a', 'b', 'c']"},
                {"REGEXP_SPLIT_TO_ARRAY('a1', '[0-9]')", "ARRAY['a', '']"},
                {"REGEXP_SPLIT_TO_ARRAY('axx', 'x*')", "ARRAY['a']"},
                {"REGEXP_SPLIT_TO_ARRAY('aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa', '(a+)+b')", "error"}}}),
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
                     split_to_map)},
              {{"SPLIT_TO_MAP('a:=1/b:=2', '/', ':=')['b']", "'2'"}, {"SPLIT_TO_MAP('a=1', '', '=')", "NULL"}}}),
  };
}

}  // namespace millrace::inline exec
