#include "exec/formats/json_reader.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <cstring>
#include <limits>

#include "exec/formats/json_canonical.h"
#include "exec/formats/json_walk.h"
#include "exec/formats/number_text.h"
#include "exec/formats/scalar_text.h"
#include "planner/types/base64.h"

namespace millrace::inline exec::json {

namespace {

const char* kind_of_value(char first) {
  switch (first) {
    case '"':
      return "a string";
    case '{':
      return "an object";
    case '[':
      return "an array";
    case 't':
    case 'f':
      return "a boolean";
    default:
      return "a number";
  }
}

}  // namespace

Arena& ValueReader::arena_for_copy() {
  if (!arena_) arena_ = std::make_shared<Arena>();
  return *arena_;
}

const char* ValueReader::fail_malformed() {
  reason_ = kMalformed;
  return nullptr;
}

const char* ValueReader::mismatch(const char* at, const ColumnWriter& out) {
  reason_ = fmt::format("{} cannot be read as {}", kind_of_value(*at), out.type().to_string());
  return nullptr;
}

const char* ValueReader::read(const char* at, const char* end, ColumnWriter& out, std::size_t row, int depth) {
  if (at == end) return fail_malformed();
  if (*at == 'n') {
    out.set_null(row);
    at = skip_literal(at, end, "null");
    return at == nullptr ? fail_malformed() : at;
  }
  switch (out.kind()) {
    case TypeKind::boolean:
      return read_boolean(at, end, out, row);
    case TypeKind::integer:
    case TypeKind::bigint:
    case TypeKind::date:
    case TypeKind::time:
    case TypeKind::timestamp:
      return read_integer(at, end, out, row);
    case TypeKind::double_:
      return read_double(at, end, out, row);
    case TypeKind::decimal:
      return read_decimal(at, end, out, row);
    case TypeKind::string:
      return read_string(at, end, out, row, depth);
    case TypeKind::bytes:
      return read_bytes(at, end, out, row);
    case TypeKind::array:
      return read_array(at, end, out, row, depth);
    case TypeKind::map:
      return read_map(at, end, out, row, depth);
    case TypeKind::structure:
      return read_struct(at, end, out, row, depth);
    case TypeKind::null:
      break;
  }
  return mismatch(at, out);
}

bool ValueReader::take_string(const char*& at, const char* end, std::string_view& text) {
  const StringSpan span = scan_string(at + 1, end);
  if (span.close == nullptr) return false;
  text = {at + 1, static_cast<std::size_t>(span.close - at - 1)};
  at = span.close + 1;
  if (span.non_ascii && !simdjson::validate_utf8(text)) return false;
  if (!span.escaped) return true;
  char* copy = arena_for_copy().allocate(text.size());
  text = {copy, static_cast<std::size_t>(unescape(text, copy))};
  return true;
}

const char* ValueReader::read_boolean(const char* at, const char* end, ColumnWriter& out, std::size_t row) {
  if (*at != 't' && *at != 'f') return mismatch(at, out);
  out.set<std::uint8_t>(row, *at == 't');
  at = skip_literal(at, end, *at == 't' ? "true" : "false");
  return at == nullptr ? fail_malformed() : at;
}

bool ValueReader::store_integer(std::int64_t value, ColumnWriter& out, std::size_t row) {
  if (store_integral(value, out, row)) return true;
  reason_ = fmt::format("{} is no time of day in milliseconds", value);
  return false;
}

const char* ValueReader::read_integer(const char* at, const char* end, ColumnWriter& out, std::size_t row) {
  const bool negative = *at == '-';
  const char* digits = at + (negative ? 1 : 0);
  if (digits != end && is_digit(*digits)) {
    std::uint64_t magnitude;
    const char* after = read_digits(digits, end, magnitude);
    const std::ptrdiff_t count = after - digits;
    const bool plain = after == end || !(*after == '.' || (*after | 0x20) == 'e');
    if (plain && count <= 18 && (*digits != '0' || count == 1)) {
      const auto value = static_cast<std::int64_t>(magnitude);
      return store_integer(negative ? -value : value, out, row) ? after : nullptr;
    }
    bool integral;
    after = scan_number(at, end, integral);
    if (after == nullptr) return fail_malformed();
    const std::string_view text(at, static_cast<std::size_t>(after - at));
    return store_integer(wrap_to_int64(text), out, row) ? after : nullptr;
  }
  if (*at != '"') return negative ? fail_malformed() : mismatch(at, out);
  std::string_view text;
  if (!take_string(at, end, text)) return fail_malformed();
  return scalar_from_text(text, out, row) ? at : nullptr;
}

bool ValueReader::scalar_from_text(std::string_view text, ColumnWriter& out, std::size_t row) {
  if (set_from_text(text, out, row, nullptr)) return true;
  reason_ = fmt::format("'{:.50}' cannot be read as {}", text, out.type().to_string());
  return false;
}

const char* ValueReader::read_double(const char* at, const char* end, ColumnWriter& out, std::size_t row) {
  if (*at == '-' || is_digit(*at)) {
    bool integral;
    const char* after = scan_number(at, end, integral);
    if (after == nullptr) return fail_malformed();
    double value;
    parse_double({at, static_cast<std::size_t>(after - at)}, value);
    out.set(row, value);
    return after;
  }
  if (*at != '"') return mismatch(at, out);
  std::string_view text;
  if (!take_string(at, end, text)) return fail_malformed();
  return scalar_from_text(text, out, row) ? at : nullptr;
}

const char* ValueReader::read_decimal(const char* at, const char* end, ColumnWriter& out, std::size_t row) {
  std::string_view text;
  if (*at == '-' || is_digit(*at)) {
    bool integral;
    const char* after = scan_number(at, end, integral);
    if (after == nullptr) return fail_malformed();
    text = {at, static_cast<std::size_t>(after - at)};
    at = after;
  } else if (*at != '"') {
    return mismatch(at, out);
  } else if (!take_string(at, end, text)) {
    return fail_malformed();
  }
  return scalar_from_text(text, out, row) ? at : nullptr;
}

const char* ValueReader::read_bytes(const char* at, const char* end, ColumnWriter& out, std::size_t row) {
  if (*at != '"') return mismatch(at, out);
  std::string_view text;
  if (!take_string(at, end, text)) return fail_malformed();
  if (set_from_text(text, out, row, &arena_for_copy())) return at;
  reason_ = "not base64";
  return nullptr;
}

const char* ValueReader::read_string(const char* at, const char* end, ColumnWriter& out, std::size_t row, int depth) {
  if (*at == '"') {
    std::string_view text;
    if (!take_string(at, end, text)) return fail_malformed();
    out.set(row, text);
    return at;
  }
  if (*at == '{' || *at == '[') {
    std::string text;
    at = text_of(at, end, text, depth);
    if (at == nullptr) return fail_malformed();
    out.set(row, arena_for_copy().copy(text));
    return at;
  }
  const char* after = skip_value(at, end, depth);
  if (after == nullptr) return fail_malformed();
  std::string_view text(at, static_cast<std::size_t>(after - at));
  if ((text[0] == '-' || is_digit(text[0])) && !is_java_number(text)) {
    std::string number;
    append_number(text, NumberStyle::java, number);
    text = arena_for_copy().copy(number);
  }
  out.set(row, text);
  return after;
}

// Objects as canonical JSON, arrays as [a, b] of their elements' texts, the rest bare.
const char* ValueReader::text_of(const char* at, const char* end, std::string& out, int depth) {
  if (at == end) return nullptr;
  if (*at == '"') {
    std::string_view text;
    if (!take_string(at, end, text)) return nullptr;
    out += text;
    return at;
  }
  if (*at != '[') return append_canonical(at, end, NumberStyle::java, out, depth);
  if (depth >= kMaxDepth) return nullptr;
  out += '[';
  bool first = true;
  at = walk_array(at, end, [&](const char* item) {
    if (!std::exchange(first, false)) out += ", ";
    return text_of(item, end, out, depth + 1);
  });
  out += ']';
  return at;
}

}  // namespace millrace::inline exec::json
