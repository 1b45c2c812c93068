#include <fmt/format.h>

#include <array>
#include <cmath>
#include <string>

#include "planner/types/value.h"

namespace millrace::inline planner {
namespace {

void quote(std::string_view text, std::string& out) {
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      case '\b':
        out += "\\b";
        break;
      case '\f':
        out += "\\f";
        break;
      default:
        if (static_cast<unsigned char>(c) < 0x20)
          out += fmt::format("\\u{:04X}", static_cast<unsigned>(c));
        else
          out += c;
    }
  }
  out += '"';
}

void write(const Value& value, const Type& type, std::string& out);

void write_list(const Value& value, const Type& type, std::string& out) {
  out += '[';
  bool first = true;
  for (const Value& item : value.items()) {
    if (!std::exchange(first, false)) out += ',';
    write(item, type.element(), out);
  }
  out += ']';
}

void write_map(const Value& value, const Type& type, std::string& out) {
  out += '{';
  bool first = true;
  for (const auto& [key, mapped] : value.entries()) {
    if (!std::exchange(first, false)) out += ',';
    quote(to_text(key, type.key()), out);
    out += ':';
    write(mapped, type.value(), out);
  }
  out += '}';
}

void write_struct(const Value& value, const Type& type, std::string& out) {
  out += '{';
  for (std::size_t i = 0; i < value.fields().size(); ++i) {
    if (i > 0) out += ',';
    quote(type.fields()[i].name, out);
    out += ':';
    write(value.fields()[i], type.fields()[i].type, out);
  }
  out += '}';
}

void write(const Value& value, const Type& type, std::string& out) {
  if (value.is_null()) {
    out += "null";
    return;
  }
  switch (type.kind()) {
    case TypeKind::array:
      return write_list(value, type, out);
    case TypeKind::map:
      return write_map(value, type, out);
    case TypeKind::structure:
      return write_struct(value, type, out);
    case TypeKind::string:
    case TypeKind::bytes:
    case TypeKind::time:
    case TypeKind::date:
    case TypeKind::timestamp:
      return quote(to_text(value, type), out);
    case TypeKind::double_:
      if (!std::isfinite(value.as<double>())) return quote(double_text(value.as<double>()), out);
      [[fallthrough]];
    default:
      out += to_text(value, type);
  }
}

constexpr std::string_view kBase64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr auto kBase64Values = [] {
  std::array<signed char, 256> values{};
  values.fill(-1);
  for (std::size_t i = 0; i < kBase64.size(); ++i)
    values[static_cast<unsigned char>(kBase64[i])] = static_cast<signed char>(i);
  return values;
}();

}  // namespace

std::string to_json(const Value& value, const Type& type) {
  std::string out;
  write(value, type, out);
  return out;
}

std::string base64_encode(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t left = std::min<std::size_t>(3, bytes.size() - i);
    unsigned group = 0;
    for (std::size_t j = 0; j < 3; ++j) group = group << 8 | (j < left ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    for (std::size_t j = 0; j < 4; ++j) out += j <= left ? kBase64[group >> (18 - 6 * j) & 63] : '=';
  }
  return out;
}

bool base64_decode(std::string_view text, std::string& bytes) {
  bytes.clear();
  std::size_t length = text.size();
  while (length > 0 && text[length - 1] == '=' && text.size() - length < 2) --length;
  if (length != text.size() && text.size() % 4 != 0) return false;
  if (length % 4 == 1) return false;
  unsigned group = 0;
  int bits = 0;
  for (const char c : text.substr(0, length)) {
    const int value = kBase64Values[static_cast<unsigned char>(c)];
    if (value < 0) return false;
    group = group << 6 | static_cast<unsigned>(value);
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes.push_back(static_cast<char>(group >> bits & 0xFF));
    }
  }
  return true;
}

}  // namespace millrace::inline planner
