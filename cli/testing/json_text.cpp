#include "cli/testing/json_text.h"

#include <fmt/format.h>

#include <charconv>
#include <cstdint>

namespace millrace::inline cli::harness {
namespace {

void append_utf8(std::string& out, std::uint32_t c) {
  if (c < 0x80) {
    out += static_cast<char>(c);
  } else if (c < 0x800) {
    out += static_cast<char>(0xC0 | (c >> 6));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    out += static_cast<char>(0xE0 | (c >> 12));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | (c >> 18));
    out += static_cast<char>(0x80 | ((c >> 12) & 0x3F));
    out += static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    out += static_cast<char>(0x80 | (c & 0x3F));
  }
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  std::optional<Json> parse() {
    Json value;
    if (!read(value)) return std::nullopt;
    skip_blanks();
    if (at_ != text_.size()) return std::nullopt;
    return value;
  }

 private:
  void skip_blanks() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) ++at_;
  }
  bool take(char c) {
    skip_blanks();
    if (at_ >= text_.size() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool word(std::string_view expected) {
    if (text_.substr(at_, expected.size()) != expected) return false;
    at_ += expected.size();
    return true;
  }

  bool read(Json& out) {
    skip_blanks();
    if (at_ >= text_.size()) return false;
    switch (text_[at_]) {
      case '{':
        return object(out);
      case '[':
        return array(out);
      case '"':
        out.kind = Json::Kind::string;
        return string(out.text);
      case 't':
        out.truth = true;
        out.kind = Json::Kind::boolean;
        return word("true");
      case 'f':
        out.kind = Json::Kind::boolean;
        return word("false");
      case 'n':
        return word("null");
      default:
        return number(out);
    }
  }
  bool number(Json& out) {
    const std::size_t end = std::min(text_.find_first_not_of("+-.0123456789eE", at_), text_.size());
    out.kind = Json::Kind::number;
    out.text = std::string(text_.substr(at_, end - at_));
    at_ = end;
    return parse_number(out.text).has_value();
  }
  bool array(Json& out) {
    out.kind = Json::Kind::array;
    ++at_;
    if (take(']')) return true;
    do {
      if (!read(out.items.emplace_back())) return false;
    } while (take(','));
    return take(']');
  }
  bool object(Json& out) {
    out.kind = Json::Kind::object;
    ++at_;
    if (take('}')) return true;
    do {
      auto& [name, value] = out.members.emplace_back();
      skip_blanks();
      if (at_ >= text_.size() || text_[at_] != '"' || !string(name) || !take(':') || !read(value)) return false;
    } while (take(','));
    return take('}');
  }
  bool string(std::string& out) {
    ++at_;
    while (at_ < text_.size() && text_[at_] != '"') {
      if (text_[at_] != '\\') {
        out += text_[at_++];
      } else if (!escape(out)) {
        return false;
      }
    }
    return at_ < text_.size() && text_[at_++] == '"';
  }
  bool escape(std::string& out) {
    static constexpr std::string_view kNames = "\"\\/bfnrt", kMeant = "\"\\/\b\f\n\r\t";
    if (at_ + 1 >= text_.size()) return false;
    const char c = text_[at_ + 1];
    at_ += 2;
    if (c != 'u') {
      const std::size_t which = kNames.find(c);
      if (which == std::string_view::npos) return false;
      out += kMeant[which];
      return true;
    }
    std::uint32_t unit = 0;
    if (!hex(unit)) return false;
    if (unit >= 0xD800 && unit < 0xDC00 && word("\\u")) {
      std::uint32_t low = 0;
      if (!hex(low)) return false;
      unit = 0x10000 + ((unit - 0xD800) << 10) + (low - 0xDC00);
    }
    append_utf8(out, unit);
    return true;
  }
  bool hex(std::uint32_t& unit) {
    if (at_ + 4 > text_.size()) return false;
    const auto [end, error] = std::from_chars(text_.data() + at_, text_.data() + at_ + 4, unit, 16);
    at_ += 4;
    return error == std::errc() && end == text_.data() + at_;
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out + "\"";
}

}  // namespace

const Json* Json::find(std::string_view name) const {
  for (const auto& [key, value] : members)
    if (key == name) return &value;
  return nullptr;
}

std::string Json::text_of(std::string_view name, std::string_view otherwise) const {
  const Json* member = find(name);
  return member && !member->is_null() ? member->text : std::string(otherwise);
}

Json Json::string(std::string content) {
  Json value;
  value.kind = Kind::string;
  value.text = std::move(content);
  return value;
}

Json Json::number(std::string characters) {
  Json value;
  value.kind = Kind::number;
  value.text = std::move(characters);
  return value;
}

std::optional<Json> parse_json(std::string_view text) {
  return Parser(text).parse();
}

std::string print_json(const Json& value, bool plain_numbers) {
  std::string out;
  switch (value.kind) {
    case Json::Kind::null:
      return "null";
    case Json::Kind::boolean:
      return value.truth ? "true" : "false";
    case Json::Kind::number:
      return plain_numbers ? plain_text(*parse_number(value.text)) : value.text;
    case Json::Kind::string:
      return quoted(value.text);
    case Json::Kind::raw:
      return value.text;
    case Json::Kind::array:
      for (const auto& item : value.items) out += (out.empty() ? "" : ",") + print_json(item, plain_numbers);
      return "[" + out + "]";
    case Json::Kind::object:
      for (const auto& [name, member] : value.members)
        out += (out.empty() ? "" : ",") + quoted(name) + ":" + print_json(member, plain_numbers);
      return "{" + out + "}";
  }
  return out;
}

std::optional<Number> parse_number(std::string_view characters) {
  Number number;
  std::size_t at = 0;
  if (at < characters.size() && (characters[at] == '-' || characters[at] == '+'))
    number.negative = characters[at++] == '-';
  const std::size_t exponent_at = std::min(characters.find_first_of("eE"), characters.size());
  const std::string_view mantissa = characters.substr(at, exponent_at - at);
  number.integer = mantissa.find('.') == std::string_view::npos && exponent_at == characters.size();
  bool point = false;
  for (const char c : mantissa) {
    if (c == '.' && !point) {
      point = true;
    } else if (c >= '0' && c <= '9') {
      number.digits += c;
      number.scale += point ? 1 : 0;
    } else {
      return std::nullopt;
    }
  }
  if (number.digits.empty()) return std::nullopt;
  if (exponent_at < characters.size()) {
    std::string_view exponent = characters.substr(exponent_at + 1);
    if (exponent.starts_with('+')) exponent.remove_prefix(1);
    int shift = 0;
    const auto [end, error] = std::from_chars(exponent.data(), exponent.data() + exponent.size(), shift);
    if (error != std::errc() || end != exponent.data() + exponent.size()) return std::nullopt;
    number.scale -= shift;
  }
  number.digits.erase(0, std::min(number.digits.find_first_not_of('0'), number.digits.size() - 1));
  return number;
}

bool same_value(Number a, Number b) {
  for (Number* number : {&a, &b}) {
    while (number->digits.size() > 1 && number->digits.back() == '0') {
      number->digits.pop_back();
      --number->scale;
    }
    if (number->digits == "0") number->scale = 0;
  }
  return a == b;
}

std::string plain_text(const Number& number) {
  std::string text = number.digits;
  if (number.scale < 0) {
    if (text != "0") text.append(static_cast<std::size_t>(-number.scale), '0');
  } else if (number.scale > 0) {
    const auto scale = static_cast<std::size_t>(number.scale);
    if (text.size() <= scale) text.insert(0, scale + 1 - text.size(), '0');
    text.insert(text.size() - scale, ".");
  }
  return number.negative ? "-" + text : text;
}

}  // namespace millrace::inline cli::harness
