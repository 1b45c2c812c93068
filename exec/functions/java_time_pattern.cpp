#include <algorithm>
#include <optional>

#include "exec/functions/java_time.h"
#include "exec/functions/java_time_words.h"

namespace millrace::inline exec {
namespace {

using namespace java_time;
using Part = JavaTimePattern::Part;

/// How often a letter may stand, as java.time.format has it; 0: it is none.
int most_letters(char letter) {
  switch (letter) {
    case 'u':
    case 'y':
    case 'Y':
    case 'A':
    case 'n':
    case 'N':
    case 'g':
      return 19;
    case 'S':
      return 9;
    case 'B':
    case 'G':
    case 'M':
    case 'L':
    case 'Q':
    case 'q':
    case 'E':
    case 'e':
    case 'c':
    case 'X':
    case 'x':
    case 'Z':
      return 5;
    case 'z':
    case 'O':
    case 'v':
      return 4;
    case 'D':
      return 3;
    case 'd':
    case 'w':
    case 'h':
    case 'K':
    case 'k':
    case 'H':
    case 'm':
    case 's':
    case 'V':
      return 2;
    case 'a':
    case 'W':
    case 'F':
      return 1;
    default:
      return 0;
  }
}

bool is_allowed(char letter, int count) {
  if (count > most_letters(letter)) return false;
  if (letter == 'V') return count == 2;
  if (letter == 'O' || letter == 'v') return count == 1 || count == 4;
  if (letter == 'B') return count == 1 || count >= 4;
  return !(letter == 'c' && count == 2);
}

int take_run(std::string_view& pattern) {
  const char letter = pattern.front();
  const auto size = std::min(pattern.find_first_not_of(letter), pattern.size());
  pattern.remove_prefix(size);
  return static_cast<int>(size);
}

Result<Part> take_field(std::string_view& pattern) {
  Part part{.kind = Part::Kind::field};
  if (pattern.front() == 'p') {
    part.pad = take_run(pattern);
    if (pattern.empty() || std::isalpha(static_cast<unsigned char>(pattern.front())) == 0)
      return user_error("Pad letter 'p' must be followed by valid pad pattern");
  }
  part.letter = pattern.front();
  part.count = take_run(pattern);
  if (most_letters(part.letter) == 0) return user_error("Unknown pattern letter: {}", part.letter);
  if (!is_allowed(part.letter, part.count)) return user_error("Too many pattern letters: {}", part.letter);
  return part;
}

/// Quoted text; '' is a quote.
std::optional<std::string> take_quoted(std::string_view& pattern) {
  std::string text;
  for (std::size_t i = 1; i < pattern.size(); ++i) {
    if (pattern[i] != '\'') {
      text += pattern[i];
    } else if (i + 1 < pattern.size() && pattern[i + 1] == '\'') {
      text += pattern[++i];
    } else {
      pattern.remove_prefix(i + 1);
      return i == 1 ? "'" : text;
    }
  }
  return std::nullopt;
}

}  // namespace

Result<void> JavaTimePattern::compile(std::string_view pattern) {
  const std::string_view whole = pattern;
  int depth = 0;
  while (!pattern.empty()) {
    const char c = pattern.front();
    if (std::isalpha(static_cast<unsigned char>(c)) != 0) {
      auto part = take_field(pattern);
      if (!part) return part.error();
      parts_.push_back(std::move(*part));
      continue;
    }
    if (c == '\'') {
      auto text = take_quoted(pattern);
      if (!text) return user_error("Pattern ends with an incomplete string literal: {}", whole);
      parts_.push_back({.kind = Part::Kind::literal, .text = std::move(*text)});
      continue;
    }
    if (c == '{' || c == '}' || c == '#') return user_error("Pattern includes reserved character: '{}'", c);
    if (c == '[' || c == ']') {
      depth += c == '[' ? 1 : -1;
      if (depth < 0) return user_error("Pattern invalid as it contains ] without previous [");
      parts_.push_back({.kind = c == '[' ? Part::Kind::open : Part::Kind::close});
    } else {
      parts_.push_back({.kind = Part::Kind::literal, .text = std::string(1, c)});
    }
    pattern.remove_prefix(1);
  }
  for (; depth > 0; --depth) parts_.push_back({.kind = Part::Kind::close});
  return {};
}

Result<const JavaTimePattern*> JavaTimePattern::find(std::string_view pattern) {
  struct Known {
    std::string source;
    JavaTimePattern compiled;
  };
  thread_local std::vector<std::unique_ptr<Known>> known;
  for (const auto& one : known)
    if (one->source == pattern) return &one->compiled;
  auto made = std::make_unique<Known>();
  made->source = pattern;
  if (const auto status = made->compiled.compile(pattern); !status) return status.error();
  constexpr std::size_t kKept = 16;
  if (known.size() >= kKept) known.erase(known.begin());
  known.push_back(std::move(made));
  return &known.back()->compiled;
}

}  // namespace millrace::inline exec
