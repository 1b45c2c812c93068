#include "parser/syntax/statement_shape.h"

#include <array>
#include <charconv>

namespace millrace::inline parser {
namespace {

constexpr std::size_t kLongestText = 16 << 10;
constexpr std::size_t kMostLiterals = 1000;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
char upper(char c) {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - ('a' - 'A')) : c;
}
bool is_letter(char c) {
  return upper(c) >= 'A' && upper(c) <= 'Z';
}
bool is_name_part(char c) {
  return is_letter(c) || is_digit(c) || c == '_' || c == '@';
}

bool same_word(std::string_view word, std::string_view keyword) {
  if (word.size() != keyword.size()) return false;
  for (std::size_t i = 0; i < word.size(); ++i)
    if (upper(word[i]) != keyword[i]) return false;
  return true;
}

/// Strict; what it refuses the parser judges.
bool is_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = [&](std::size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U; };
    const unsigned first = byte(i);
    const std::size_t length = first < 0x80 ? 1 : first < 0xc2 ? 0 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    if (length == 0 || first > 0xf4) return false;
    const unsigned second = byte(i + 1);
    if ((first == 0xe0 && second < 0xa0) || (first == 0xed && second > 0x9f) || (first == 0xf0 && second < 0x90) ||
        (first == 0xf4 && second > 0x8f))
      return false;
    for (std::size_t k = 1; k < length; ++k)
      if ((byte(i + k) & 0xc0) != 0x80) return false;
    i += length;
  }
  return true;
}

class ShapeReader {
 public:
  ShapeReader(std::string_view text, StatementShape& shape) : text_(text), shape_(shape) {}

  bool read() {
    skip_spaces();
    const std::size_t first = at_;
    if (!same_word(read_word(), "SELECT")) return false;
    shape_.key.append(text_, first, at_ - first);
    while (at_ < text_.size())
      if (!step()) return false;
    return lifting_seen_;
  }

 private:
  char peek(std::size_t ahead = 0) const { return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0'; }

  bool step() {
    const char c = peek();
    if (c == ' ' || c == '\t' || c == '\r' || c == '\n') {
      skip_spaces();
      shape_.key += ' ';
      return true;
    }
    if (c == '\'') return text();
    if (c == '"' || c == '`') return quoted(c);
    if (is_letter(c) || c == '_') return word();
    if (is_digit(c) || (c == '.' && is_digit(peek(1)))) return number();
    const bool comment = (c == '-' && peek(1) == '-') || (c == '/' && peek(1) == '*');
    // `?` stands for literals in the key; anything beyond ASCII may be a space to the grammar.
    if (comment || c < ' ' || c > '~' || c == '?' || c == '$') return false;
    if (c == ';') return last_semicolon();
    shape_.key += c;
    ++at_;
    return true;
  }

  void skip_spaces() {
    while (peek() == ' ' || peek() == '\t' || peek() == '\r' || peek() == '\n') ++at_;
  }

  std::string_view read_word() {
    const std::size_t from = at_;
    while (at_ < text_.size() && is_name_part(text_[at_])) ++at_;
    return text_.substr(from, at_ - from);
  }

  bool word() {
    const std::string_view word = read_word();
    shape_.key += word;
    if (same_word(word, "WHERE")) {
      // A second one would be a name; what follows stays as it is then.
      lifting_ = !lifting_seen_;
      lifting_seen_ = true;
      return true;
    }
    static constexpr std::array kEnds = {"GROUP",  "PARTITION", "HAVING", "EMIT", "LIMIT",
                                         "WINDOW", "CASE",      "CAST",   "LIKE", "ESCAPE"};
    for (const std::string_view end : kEnds)
      if (same_word(word, end)) lifting_ = false;
    return true;
  }

  // One statement: nothing but spaces may follow.
  bool last_semicolon() {
    shape_.key += ';';
    ++at_;
    skip_spaces();
    return at_ == text_.size();
  }

  bool quoted(char quote) {
    const std::size_t from = at_++;
    while (true) {
      if (at_ >= text_.size()) return false;
      if (text_[at_++] != quote) continue;
      if (peek() != quote) break;
      ++at_;
    }
    shape_.key.append(text_, from, at_ - from);
    return true;
  }

  bool text() {
    const std::size_t from = at_;
    const std::size_t key_size = shape_.key.size();
    if (!quoted('\'') || !is_utf8(text_.substr(from, at_ - from))) return false;
    if (!lifting_) return true;
    shape_.key.resize(key_size);
    return add(LiteralToken::Kind::text, from);
  }

  bool number() {
    const std::size_t from = at_;
    auto kind = LiteralToken::Kind::integer;
    while (is_digit(peek())) ++at_;
    if (peek() == '.') {
      kind = LiteralToken::Kind::decimal;
      ++at_;
      while (is_digit(peek())) ++at_;
    }
    const bool sign = peek(1) == '+' || peek(1) == '-';
    if (upper(peek()) == 'E' && is_digit(peek(sign ? 2 : 1))) {
      kind = LiteralToken::Kind::real;
      at_ += sign ? 2 : 1;
      while (is_digit(peek())) ++at_;
    }
    // A name may begin with digits, and `1.2.3` is two numbers.
    if (is_name_part(peek()) || peek() == '.') return false;
    if (!lifting_) {
      shape_.key.append(text_, from, at_ - from);
      return true;
    }
    return add(kind, from);
  }

  bool add(LiteralToken::Kind kind, std::size_t from) {
    const std::string_view characters = text_.substr(from, at_ - from);
    if (kind == LiteralToken::Kind::integer) {
      std::uint64_t value = 0;
      const auto [end, error] = std::from_chars(characters.data(), characters.data() + characters.size(), value);
      // The smallest numbers of both types are integers only with their sign.
      constexpr std::uint64_t kIntegerLimit = std::uint64_t{1} << 31, kBigintLimit = std::uint64_t{1} << 63;
      if (error != std::errc() || value == kIntegerLimit || value >= kBigintLimit) return false;
      if (value > kIntegerLimit) kind = LiteralToken::Kind::bigint;
    }
    if (shape_.literals.size() == kMostLiterals) return false;
    shape_.literals.push_back({kind, characters, static_cast<std::uint32_t>(from)});
    shape_.key += '?';
    shape_.key += static_cast<char>('0' + static_cast<int>(kind));
    return true;
  }

  std::string_view text_;
  StatementShape& shape_;
  std::size_t at_ = 0;
  bool lifting_ = false, lifting_seen_ = false;
};

}  // namespace

std::string unquoted(std::string_view characters) {
  std::string plain;
  plain.reserve(characters.size());
  for (std::size_t i = 1; i + 1 < characters.size(); ++i) {
    plain += characters[i];
    if (characters[i] == '\'') ++i;
  }
  return plain;
}

bool read_shape(std::string_view text, StatementShape& shape) {
  shape.key.clear();
  shape.literals.clear();
  return text.size() <= kLongestText && ShapeReader(text, shape).read();
}

}  // namespace millrace::inline parser
