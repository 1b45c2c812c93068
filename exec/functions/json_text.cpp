#include "exec/functions/json_text.h"

#include <fmt/format.h>

#include "exec/functions/utf16.h"

namespace millrace::inline exec {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

class JsonReader {
 public:
  explicit JsonReader(std::string_view text) : rest_(text) {}

  bool read(JsonNode& out) {
    if (!value(out, 0)) return false;
    skip();
    return rest_.empty();
  }

 private:
  static constexpr int kMaxDepth = 512;

  void skip() {
    while (!rest_.empty() &&
           (rest_.front() == ' ' || rest_.front() == '\n' || rest_.front() == '\r' || rest_.front() == '\t'))
      rest_.remove_prefix(1);
  }
  bool eat(char c) {
    skip();
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool word(std::string_view wanted, JsonNode& out, JsonNode::Kind kind) {
    if (!rest_.starts_with(wanted)) return false;
    rest_.remove_prefix(wanted.size());
    out.kind = kind;
    out.text = wanted;
    return true;
  }

  bool value(JsonNode& out, int depth) {
    skip();
    if (rest_.empty() || depth > kMaxDepth) return false;
    switch (rest_.front()) {
      case '{':
        return object(out, depth);
      case '[':
        return array(out, depth);
      case '"':
        out.kind = JsonNode::Kind::string;
        return string(out.text);
      case 't':
        return word("true", out, JsonNode::Kind::boolean);
      case 'f':
        return word("false", out, JsonNode::Kind::boolean);
      case 'n':
        return word("null", out, JsonNode::Kind::null);
      default:
        return number(out);
    }
  }

  bool array(JsonNode& out, int depth) {
    out.kind = JsonNode::Kind::array;
    eat('[');
    if (eat(']')) return true;
    do {
      out.members.emplace_back();
      if (!value(out.members.back().second, depth + 1)) return false;
    } while (eat(','));
    return eat(']');
  }

  bool object(JsonNode& out, int depth) {
    out.kind = JsonNode::Kind::object;
    eat('{');
    if (eat('}')) return true;
    do {
      skip();
      if (rest_.empty() || rest_.front() != '"') return false;
      out.members.emplace_back();
      if (!string(out.members.back().first) || !eat(':') || !value(out.members.back().second, depth + 1)) return false;
    } while (eat(','));
    return eat('}');
  }

  std::size_t digits(std::size_t at) const {
    while (at < rest_.size() && is_digit(rest_[at])) ++at;
    return at;
  }

  bool number(JsonNode& out) {
    std::size_t at = rest_.front() == '-' ? 1 : 0;
    const std::size_t whole = digits(at);
    if (whole == at || (rest_[at] == '0' && whole > at + 1)) return false;
    at = whole;
    if (at < rest_.size() && rest_[at] == '.') {
      const std::size_t end = digits(at + 1);
      if (end == at + 1) return false;
      at = end;
    }
    if (at < rest_.size() && (rest_[at] == 'e' || rest_[at] == 'E')) {
      std::size_t start = at + 1;
      if (start < rest_.size() && (rest_[start] == '+' || rest_[start] == '-')) ++start;
      const std::size_t end = digits(start);
      if (end == start) return false;
      at = end;
    }
    out.kind = JsonNode::Kind::number;
    out.text = rest_.substr(0, at);
    rest_.remove_prefix(at);
    return true;
  }

  bool string(std::string& out) {
    rest_.remove_prefix(1);
    while (!rest_.empty() && rest_.front() != '"') {
      const std::size_t plain = std::min(rest_.find_first_of("\"\\"), rest_.size());
      for (const char c : rest_.substr(0, plain))
        if (static_cast<unsigned char>(c) < 0x20) return false;
      out += rest_.substr(0, plain);
      rest_.remove_prefix(plain);
      if (!rest_.empty() && rest_.front() == '\\' && !escape(out)) return false;
    }
    if (rest_.empty()) return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool escape(std::string& out) {
    if (rest_.size() < 2) return false;
    constexpr std::string_view kLetters = "\"\\/bfnrt";
    constexpr std::string_view kMeanings = "\"\\/\b\f\n\r\t";
    if (const std::size_t known = kLetters.find(rest_[1]); known != std::string_view::npos) {
      out += kMeanings[known];
      rest_.remove_prefix(2);
      return true;
    }
    std::u16string units;  // runs of escapes may spell surrogate pairs
    while (rest_.starts_with("\\u")) {
      char16_t unit = 0;
      if (rest_.size() < 6) return false;
      for (const char c : rest_.substr(2, 4)) {
        if (std::isxdigit(static_cast<unsigned char>(c)) == 0) return false;
        unit = static_cast<char16_t>(unit << 4 | (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10));
      }
      units += unit;
      rest_.remove_prefix(6);
    }
    if (units.empty()) return false;
    out += utf16::narrow(units);
    return true;
  }

  std::string_view rest_;
};

}  // namespace

const JsonNode* JsonNode::find(std::string_view name) const {
  for (auto member = members.rbegin(); member != members.rend(); ++member)
    if (member->first == name) return &member->second;
  return nullptr;
}

bool parse_json(std::string_view text, JsonNode& out) {
  return JsonReader(text).read(out);
}

void quote_json(std::string_view text, std::string& out) {
  constexpr std::string_view kControls = "\b\f\n\r\t";
  constexpr std::string_view kLetters = "bfnrt";
  out += '"';
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte >= 0x20) {
      out += c;
    } else if (const std::size_t known = kControls.find(c); known != std::string_view::npos) {
      out += '\\';
      out += kLetters[known];
    } else {
      out += fmt::format("\\u{:04X}", static_cast<unsigned>(byte));
    }
  }
  out += '"';
}

void write_json(const JsonNode& node, std::string& out) {
  const bool object = node.kind == JsonNode::Kind::object;
  if (node.kind == JsonNode::Kind::string) return quote_json(node.text, out);
  if (node.kind == JsonNode::Kind::null) {
    out += "null";
    return;
  }
  if (!object && node.kind != JsonNode::Kind::array) {
    out += node.text;
    return;
  }
  out += object ? '{' : '[';
  bool first = true;
  for (const auto& [name, value] : node.members) {
    if (!std::exchange(first, false)) out += ',';
    if (object) {
      quote_json(name, out);
      out += ':';
    }
    write_json(value, out);
  }
  out += object ? '}' : ']';
}

}  // namespace millrace::inline exec
