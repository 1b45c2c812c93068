#include "exec/formats/json_scanner.h"

#include <fmt/format.h>

#include "exec/formats/json_walk.h"

namespace millrace::inline exec::json {

namespace {

int hex_digit(char c) {
  if (is_digit(c)) return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/// The code unit of the four hex digits at `at`, -1 when they are not there.
int read_unit(const char* at, const char* end) {
  if (end - at < 4) return -1;
  int unit = 0;
  for (int i = 0; i < 4; ++i) {
    const int digit = hex_digit(at[i]);
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

char* put_utf8(char* out, std::uint32_t c) {
  if (c < 0x80) {
    *out++ = static_cast<char>(c);
  } else if (c < 0x800) {
    *out++ = static_cast<char>(0xC0 | (c >> 6));
    *out++ = static_cast<char>(0x80 | (c & 0x3F));
  } else if (c < 0x10000) {
    *out++ = static_cast<char>(0xE0 | (c >> 12));
    *out++ = static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    *out++ = static_cast<char>(0x80 | (c & 0x3F));
  } else {
    *out++ = static_cast<char>(0xF0 | (c >> 18));
    *out++ = static_cast<char>(0x80 | ((c >> 12) & 0x3F));
    *out++ = static_cast<char>(0x80 | ((c >> 6) & 0x3F));
    *out++ = static_cast<char>(0x80 | (c & 0x3F));
  }
  return out;
}

/// The character of the \u escape whose digits begin at `at`, which moves behind it, and behind the other half's
/// escape.
void read_unicode(const char*& at, const char* end, char*& out) {
  auto c = static_cast<std::uint32_t>(read_unit(at, end));
  at += 4;
  if (c >= 0xD800 && c < 0xDC00 && end - at >= 6 && at[0] == '\\' && at[1] == 'u') {
    const int low = read_unit(at + 2, end);
    if (low >= 0xDC00 && low < 0xE000) {
      c = 0x10000 + ((c - 0xD800) << 10) + (static_cast<std::uint32_t>(low) - 0xDC00);
      at += 6;
    }
  }
  if (c >= 0xD800 && c < 0xE000) c = '?';
  out = put_utf8(out, c);
}

char simple_escape(char c) {
  switch (c) {
    case 'n':
      return '\n';
    case 't':
      return '\t';
    case 'r':
      return '\r';
    case 'b':
      return '\b';
    case 'f':
      return '\f';
    case '"':
    case '\\':
    case '/':
      return c;
    default:
      return 0;
  }
}

}  // namespace

const char* detail::skip_escape(const char* at, const char* end) {
  if (end - at < 2) return nullptr;
  if (at[1] == 'u') return read_unit(at + 2, end) < 0 ? nullptr : at + 6;
  return simple_escape(at[1]) == 0 ? nullptr : at + 2;
}

bool ends_value(const char* at, const char* end) {
  if (at == end || at[-1] == '}' || at[-1] == ']' || at[-1] == '"') return true;
  const char c = *at;
  return !(is_digit(c) || (c | 0x20) == 'e' || c == '.' || c == '+' || c == '-' || c == '_' || c == '$' ||
           ((c | 0x20) >= 'a' && (c | 0x20) <= 'z') || static_cast<signed char>(c) < 0);
}

const char* skip_nested(const char* at, const char* end, int depth) {
  if (depth >= kMaxDepth) return nullptr;
  if (*at == '[') return walk_array(at, end, [&](const char* item) { return skip_value(item, end, depth + 1); });
  return walk_object(at, end, [&](const Quoted&, const char* value) { return skip_value(value, end, depth + 1); });
}

std::optional<std::string_view> first_value(std::string_view text) {
  const char* const end = text.data() + text.size();
  const char* const begin = skip_to_value(text.data(), end);
  const char* const after = skip_value(begin, end);
  if (after == nullptr || !ends_value(after, end)) return std::nullopt;
  return std::string_view(begin, static_cast<std::size_t>(after - begin));
}

std::string broken_reason(std::string_view text) {
  const char* at = text.data();
  const char* const end = at + text.size();
  int depth = 0;
  while (at != nullptr && at != end && depth <= kMaxDepth) {
    if (*at == '"') {
      const StringSpan span = scan_string(at + 1, end);
      at = span.close == nullptr ? nullptr : span.close + 1;
      continue;
    }
    depth += *at == '{' || *at == '[' ? 1 : *at == '}' || *at == ']' ? -1 : 0;
    ++at;
  }
  return depth > kMaxDepth ? fmt::format("JSON nested deeper than {} levels", kMaxDepth) : std::string(kMalformed);
}

std::ptrdiff_t unescape(std::string_view text, char* out) {
  char* const begin = out;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    if (*at != '\\') {
      *out++ = *at++;
    } else if (at[1] == 'u') {
      at += 2;
      read_unicode(at, end, out);
    } else {
      *out++ = simple_escape(at[1]);
      at += 2;
    }
  }
  return out - begin;
}

}  // namespace millrace::inline exec::json
