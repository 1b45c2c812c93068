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

}  // namespace

std::string to_json(const Value& value, const Type& type) {
  std::string out;
  write(value, type, out);
  return out;
}

}  // namespace millrace::inline planner
