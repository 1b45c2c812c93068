#include "exec/formats/json_scanner.h"

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

/// The character of the \u escape whose digits begin at `at`, which moves behind it. False: broken.
bool read_unicode(const char*& at, const char* end, char*& out) {
  const int unit = read_unit(at, end);
  if (unit < 0) return false;
  at += 4;
  auto c = static_cast<std::uint32_t>(unit);
  if (c >= 0xD800 && c < 0xDC00 && end - at >= 6 && at[0] == '\\' && at[1] == 'u') {
    const int low = read_unit(at + 2, end);
    if (low >= 0xDC00 && low < 0xE000) {
      c = 0x10000 + ((c - 0xD800) << 10) + (static_cast<std::uint32_t>(low) - 0xDC00);
      at += 6;
    }
  }
  if (c >= 0xD800 && c < 0xE000) c = '?';
  out = put_utf8(out, c);
  return true;
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

const char* skip_nested(const char* at, const char* end, int depth) {
  if (depth >= kMaxDepth) return nullptr;
  const bool object = *at == '{';
  const char closing = object ? '}' : ']';
  at = skip_space(at + 1, end);
  if (at != end && *at == closing) return at + 1;
  for (;;) {
    if (object) {
      if (at == end || *at != '"') return nullptr;
      const char* close = scan_string(at + 1, end).close;
      if (close == nullptr) return nullptr;
      at = skip_space(close + 1, end);
      if (at == end || *at != ':') return nullptr;
      at = skip_space(at + 1, end);
    }
    at = skip_value(at, end, depth + 1);
    if (at == nullptr) return nullptr;
    at = skip_space(at, end);
    if (at == end) return nullptr;
    if (*at == closing) return at + 1;
    if (*at != ',') return nullptr;
    at = skip_space(at + 1, end);
  }
}

std::ptrdiff_t unescape(std::string_view text, char* out) {
  char* const begin = out;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    if (*at != '\\') {
      *out++ = *at++;
      continue;
    }
    if (end - at < 2) return -1;
    const char c = at[1];
    at += 2;
    if (c == 'u') {
      if (!read_unicode(at, end, out)) return -1;
      continue;
    }
    const char plain = simple_escape(c);
    if (plain == 0) return -1;
    *out++ = plain;
  }
  return out - begin;
}

void append_compact(const char* at, const char* end, std::string& out) {
  while (at != end) {
    if (is_space(*at)) {
      ++at;
    } else if (*at == '"') {
      const char* close = scan_string(at + 1, end).close;
      out.append(at, close + 1);
      at = close + 1;
    } else {
      out.push_back(*at++);
    }
  }
}

}  // namespace millrace::inline exec::json
