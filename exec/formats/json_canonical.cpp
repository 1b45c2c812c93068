#include "exec/formats/json_canonical.h"

#include <simdjson.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "exec/formats/json_text.h"
#include "exec/formats/json_walk.h"

namespace millrace::inline exec::json {

namespace {

// As Jackson's limit for numbers without exponent.
constexpr std::int64_t kMaxPlainScale = 9999;

/// unscaled / 10^scale, of a number as written.
struct Scaled {
  bool negative = false;
  std::string digits;  // no zeros in front, at least one
  std::int64_t scale = 0;
};

/// False: the exponent has more than 32 bits.
bool take_apart(std::string_view number, Scaled& out) {
  out.negative = number.starts_with('-');
  if (out.negative) number.remove_prefix(1);
  const std::size_t mantissa_end = std::min(number.find_first_of("eE"), number.size());
  const std::string_view mantissa = number.substr(0, mantissa_end);
  std::int32_t exponent = 0;
  if (mantissa_end != number.size()) {
    number.remove_prefix(mantissa_end + 1);
    if (number.starts_with('+')) number.remove_prefix(1);
    if (std::from_chars(number.data(), number.data() + number.size(), exponent).ec != std::errc()) return false;
  }
  const std::size_t point = mantissa.find('.');
  out.digits = mantissa.substr(0, point);
  if (point != std::string_view::npos) {
    out.digits += mantissa.substr(point + 1);
    out.scale = static_cast<std::int64_t>(mantissa.size() - point) - 1;
  }
  out.scale -= exponent;
  out.digits.erase(0, std::min(out.digits.find_first_not_of('0'), out.digits.size() - 1));
  if (out.digits == "0") out.negative = false;
  return true;
}

void append_with_point(const Scaled& number, std::string& out) {
  const auto count = static_cast<std::int64_t>(number.digits.size());
  if (number.scale <= 0) {
    out += number.digits;
    if (number.digits != "0") out.append(static_cast<std::size_t>(-number.scale), '0');
  } else if (count > number.scale) {
    out.append(number.digits, 0, static_cast<std::size_t>(count - number.scale));
    out += '.';
    out.append(number.digits, static_cast<std::size_t>(count - number.scale));
  } else {
    out += "0.";
    out.append(static_cast<std::size_t>(number.scale - count), '0');
    out += number.digits;
  }
}

void append_with_exponent(const Scaled& number, std::int64_t exponent, std::string& out) {
  out += number.digits[0];
  if (number.digits.size() > 1) {
    out += '.';
    out.append(number.digits, 1);
  }
  if (exponent == 0) return;
  out += exponent > 0 ? "E+" : "E";
  out += std::to_string(exponent);
}

const char* append_string(const char* at, const char* end, std::string& out) {
  const StringSpan span = scan_string(at + 1, end);
  if (span.close == nullptr) return nullptr;
  const std::string_view raw(at + 1, static_cast<std::size_t>(span.close - at - 1));
  if (span.non_ascii && !simdjson::validate_utf8(raw)) return nullptr;
  if (span.escaped) {
    append_json_string(Quoted{raw, true}.text(), out);
  } else {
    out.append(at, span.close + 1);
  }
  return span.close + 1;
}

/// A member as it was written: `name:value` at [begin, end) of the output, the value from `value`.
struct Member {
  Quoted name;
  std::size_t begin, value, end;
};

bool has_duplicates(const std::vector<Member>& members) {
  std::vector<std::string> escaped;
  std::vector<std::string_view> names;
  escaped.reserve(members.size());
  for (const Member& member : members)
    names.push_back(member.name.escaped ? std::string_view(escaped.emplace_back(member.name.text())) : member.name.raw);
  std::ranges::sort(names);
  return std::ranges::adjacent_find(names) != names.end();
}

/// Writes the object at [begin, end of out) once more from its parts, which takes time in proportion to its size.
void keep_last(const std::vector<Member>& members, std::size_t begin, std::string& out) {
  std::vector<std::pair<std::string, std::size_t>> order;
  for (std::size_t i = 0; i < members.size(); ++i) order.emplace_back(members[i].name.text(), i);
  std::ranges::sort(order);
  std::vector<std::size_t> value_of(members.size(), members.size());  // members.size(): written elsewhere
  for (std::size_t i = 0, first = 0; i < order.size(); ++i) {
    if (order[i].first != order[first].first) first = i;
    value_of[order[first].second] = order[i].second;
  }
  std::string object = "{";
  for (std::size_t i = 0; i < members.size(); ++i) {
    if (value_of[i] == members.size()) continue;
    if (object.size() > 1) object += ',';
    const Member& last = members[value_of[i]];
    object.append(out, members[i].begin, members[i].value - members[i].begin);
    object.append(out, last.value, last.end - last.value);
  }
  out.replace(begin, std::string::npos, object);
}

const char* append_object(const char* at, const char* end, NumberStyle style, std::string& out, int depth) {
  const std::size_t begin = out.size();
  std::vector<Member> members;
  out += '{';
  const char* after = walk_object(at, end, [&](const Quoted& name, const char* value) {
    if (!members.empty()) out += ',';
    Member member{name, out.size(), 0, 0};
    if (append_string(name.raw.data() - 1, end, out) == nullptr) return static_cast<const char*>(nullptr);
    out += ':';
    member.value = out.size();
    const char* behind = append_canonical(value, end, style, out, depth + 1);
    member.end = out.size();
    members.push_back(member);
    return behind;
  });
  if (after == nullptr) return nullptr;
  if (members.size() > 1 && has_duplicates(members)) keep_last(members, begin, out);
  out += '}';
  return after;
}

const char* append_array(const char* at, const char* end, NumberStyle style, std::string& out, int depth) {
  out += '[';
  bool first = true;
  const char* after = walk_array(at, end, [&](const char* item) {
    if (!std::exchange(first, false)) out += ',';
    return append_canonical(item, end, style, out, depth + 1);
  });
  out += ']';
  return after;
}

}  // namespace

bool is_java_number(std::string_view number) {
  if (number.starts_with("-0")) return false;
  return number.find_first_of("eE") == std::string_view::npos && !number.starts_with("0.00000");
}

bool append_number(std::string_view number, NumberStyle style, std::string& out) {
  if (is_java_number(number)) {
    out += number;
    return true;
  }
  Scaled value;
  if (!take_apart(number, value)) {
    out += number;
    return style == NumberStyle::java;
  }
  if (value.negative) out += '-';
  const std::int64_t exponent = static_cast<std::int64_t>(value.digits.size()) - 1 - value.scale;
  if (style == NumberStyle::java) {
    if (value.scale < 0 || exponent < -6)
      append_with_exponent(value, exponent, out);
    else
      append_with_point(value, out);
    return true;
  }
  if (value.scale > kMaxPlainScale || value.scale < -kMaxPlainScale) return false;
  append_with_point(value, out);
  return true;
}

const char* append_canonical(const char* at, const char* end, NumberStyle style, std::string& out, int depth) {
  if (at == end) return nullptr;
  switch (*at) {
    case '{':
    case '[':
      if (depth >= kMaxDepth) return nullptr;
      return *at == '{' ? append_object(at, end, style, out, depth) : append_array(at, end, style, out, depth);
    case '"':
      return append_string(at, end, out);
    default:
      break;
  }
  const char* after = skip_value(at, end, depth);
  if (after == nullptr) return nullptr;
  const std::string_view text(at, static_cast<std::size_t>(after - at));
  if (text[0] != '-' && !is_digit(text[0])) {
    out += text;
    return after;
  }
  return append_number(text, style, out) ? after : nullptr;
}

}  // namespace millrace::inline exec::json
