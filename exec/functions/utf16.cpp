#include "exec/functions/utf16.h"

#include <algorithm>

namespace millrace::utf16 {
namespace {

std::size_t width(char lead) {
  const auto byte = static_cast<unsigned char>(lead);
  return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

}  // namespace

bool is_ascii(std::string_view text) {
  return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

std::size_t length(std::string_view text) {
  std::size_t units = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    units += (byte & 0xC0) != 0x80 ? 1 : 0;
    units += byte >= 0xF0 ? 1 : 0;
  }
  return units;
}

std::size_t offset(std::string_view text, std::size_t unit) {
  std::size_t at = 0;
  for (std::size_t seen = 0; seen < unit && at < text.size();) {
    const std::size_t bytes = width(text[at]);
    seen += bytes == 4 ? 2 : 1;
    if (seen > unit) break;
    at += bytes;
  }
  return std::min(at, text.size());
}

char32_t next(std::string_view& text) {
  const std::size_t bytes = std::min(width(text.front()), text.size());
  char32_t point = static_cast<unsigned char>(text.front());
  if (bytes > 1) point &= 0xFFU >> (bytes + 1);
  for (std::size_t i = 1; i < bytes; ++i) {
    if ((static_cast<unsigned char>(text[i]) & 0xC0) != 0x80) {
      text.remove_prefix(i);
      return 0xFFFD;
    }
    point = point << 6 | (static_cast<unsigned char>(text[i]) & 0x3F);
  }
  text.remove_prefix(bytes);
  return point;
}

void append(char32_t p, std::string& out) {
  if (p < 0x80) {
    out += static_cast<char>(p);
  } else if (p < 0x800) {
    out += static_cast<char>(0xC0 | p >> 6);
    out += static_cast<char>(0x80 | (p & 0x3F));
  } else if (p < 0x10000) {
    out += static_cast<char>(0xE0 | p >> 12);
    out += static_cast<char>(0x80 | (p >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (p & 0x3F));
  } else {
    out += static_cast<char>(0xF0 | p >> 18);
    out += static_cast<char>(0x80 | (p >> 12 & 0x3F));
    out += static_cast<char>(0x80 | (p >> 6 & 0x3F));
    out += static_cast<char>(0x80 | (p & 0x3F));
  }
}

std::u16string widen(std::string_view text) {
  std::u16string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const char32_t point = next(text);
    if (point < 0x10000) {
      out += static_cast<char16_t>(point);
    } else {
      out += static_cast<char16_t>(0xD800 + ((point - 0x10000) >> 10));
      out += static_cast<char16_t>(0xDC00 + ((point - 0x10000) & 0x3FF));
    }
  }
  return out;
}

std::string narrow(std::u16string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char16_t unit = text[i];
    const bool high = unit >= 0xD800 && unit < 0xDC00;
    if (high && i + 1 < text.size() && text[i + 1] >= 0xDC00 && text[i + 1] < 0xE000) {
      append(0x10000 + (static_cast<char32_t>(unit - 0xD800) << 10) + (text[i + 1] - 0xDC00), out);
      ++i;
    } else {
      append(unit >= 0xD800 && unit < 0xE000 ? U'?' : unit, out);  // Java writes a lone surrogate as ?
    }
  }
  return out;
}

}  // namespace millrace::utf16
