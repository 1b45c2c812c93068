#include <charconv>
#include <cmath>

#include "server/session/service.h"

namespace millrace::inline server {
namespace {

void append_integer(std::int64_t value, std::string& out) {
  char buffer[24];
  auto [end, error] = std::to_chars(buffer, buffer + sizeof buffer, value);
  out.append(buffer, end);
}

void append_text(std::string_view text, std::string& out) {
  static constexpr char kHex[] = "0123456789abcdef";
  out += '"';
  std::size_t from = 0;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c >= 0x20 && c != '"' && c != '\\') continue;
    out.append(text, from, i - from);
    from = i + 1;
    out += '\\';
    switch (c) {
      case '"':
      case '\\':
        out += static_cast<char>(c);
        break;
      case '\n':
        out += 'n';
        break;
      case '\t':
        out += 't';
        break;
      case '\r':
        out += 'r';
        break;
      default:
        out += "u00";
        out += kHex[c >> 4];
        out += kHex[c & 15];
    }
  }
  out.append(text, from);
  out += '"';
}

void append_value(const Column& column, std::size_t row, std::string& out) {
  if (column.is_null(row)) {
    out += "null";
    return;
  }
  switch (column.type.kind()) {
    case TypeKind::boolean:
      out += column.values<std::uint8_t>()[row] != 0 ? "true" : "false";
      return;
    case TypeKind::integer:
      return append_integer(column.values<std::int32_t>()[row], out);
    case TypeKind::bigint:
      return append_integer(column.values<std::int64_t>()[row], out);
    case TypeKind::string:
      return append_text(column.values<std::string_view>()[row], out);
    default:
      out += to_json(get_value(column, row), column.type);
  }
}

}  // namespace

void append_row_json(const Batch& batch, std::size_t row, std::string& out) {
  out += '[';
  for (std::size_t i = 0; i < batch.columns.size(); ++i) {
    if (i != 0) out += ',';
    append_value(*batch.columns[i], row, out);
  }
  out += ']';
}

}  // namespace millrace::inline server
