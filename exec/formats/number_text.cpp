#include "exec/formats/number_text.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "parser/error/trim.h"
#include "planner/types/decimal.h"

namespace millrace::inline exec {

namespace {

bool is_digit(char c) {
  return static_cast<unsigned char>(c - '0') < 10;
}

constexpr std::int64_t kExponentLimit = 1'000'000'000;

/// A number taken apart: sign, digits before and behind the point, exponent.
struct Parts {
  bool negative = false;
  std::string_view whole;
  std::string_view fraction;
  std::int64_t exponent = 0;
};

std::string_view take_digits(std::string_view& text) {
  std::size_t n = 0;
  while (n < text.size() && is_digit(text[n])) ++n;
  const auto digits = text.substr(0, n);
  text.remove_prefix(n);
  return digits;
}

bool take_exponent(std::string_view& text, std::int64_t& exponent) {
  if (text.empty() || (text[0] | 0x20) != 'e') return true;
  text.remove_prefix(1);
  const bool negative = !text.empty() && text[0] == '-';
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) text.remove_prefix(1);
  const auto digits = take_digits(text);
  if (digits.empty()) return false;
  for (const char c : digits) exponent = std::min(exponent * 10 + (c - '0'), kExponentLimit);
  if (negative) exponent = -exponent;
  return true;
}

bool take_apart(std::string_view text, Parts& parts) {
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    parts.negative = text[0] == '-';
    text.remove_prefix(1);
  }
  parts.whole = take_digits(text);
  if (!text.empty() && text[0] == '.') {
    text.remove_prefix(1);
    parts.fraction = take_digits(text);
  }
  if (parts.whole.empty() && parts.fraction.empty()) return false;
  return take_exponent(text, parts.exponent) && text.empty();
}

template <class T>
bool parse_integer(std::string_view text, T& out) {
  if (!text.empty() && text[0] == '+') {
    text.remove_prefix(1);
    if (!text.empty() && text[0] == '-') return false;
  }
  const char* end = text.data() + text.size();
  const auto result = std::from_chars(text.data(), end, out);
  return result.ec == std::errc() && result.ptr == end;
}

/// from_chars leaves the value alone when it lies outside the range of double; Java gives 0 or Infinity.
double out_of_range(std::string_view text) {
  Parts parts;
  take_apart(text, parts);
  const auto first = parts.whole.find_first_not_of('0');
  std::int64_t magnitude = parts.exponent;
  if (first != std::string_view::npos) {
    magnitude += static_cast<std::int64_t>(parts.whole.size() - first);
  } else {
    magnitude -= static_cast<std::int64_t>(std::min(parts.fraction.find_first_not_of('0'), parts.fraction.size()));
  }
  return magnitude > 0 ? std::numeric_limits<double>::infinity() : 0.0;
}

}  // namespace

bool parse_int32(std::string_view text, std::int32_t& out) {
  return parse_integer(text, out);
}
bool parse_int64(std::string_view text, std::int64_t& out) {
  return parse_integer(text, out);
}

bool parse_double(std::string_view text, double& out) {
  text = trim(text);
  bool negative = false;
  if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
    negative = text[0] == '-';
    text.remove_prefix(1);
  }
  if (text == "NaN" || text == "Infinity") {
    out = text[0] == 'N' ? std::numeric_limits<double>::quiet_NaN() : std::numeric_limits<double>::infinity();
  } else {
    if (!text.empty() && ((text.back() | 0x20) == 'd' || (text.back() | 0x20) == 'f')) text.remove_suffix(1);
    if (text.empty() || !(is_digit(text[0]) || text[0] == '.')) return false;
    const char* end = text.data() + text.size();
    const auto result = std::from_chars(text.data(), end, out);
    if (result.ptr != end || result.ec == std::errc::invalid_argument) return false;
    if (result.ec == std::errc::result_out_of_range) out = out_of_range(text);
  }
  if (negative) out = -out;
  return true;
}

bool parse_decimal(std::string_view text, int precision, int scale, Int128& unscaled) {
  Parts parts;
  if (!take_apart(text, parts)) return false;
  Int128 digits = 0;
  std::int64_t zeros = 0;  // zeros not yet multiplied in
  int significant = 0;
  for (const auto part : {parts.whole, parts.fraction}) {
    for (const char c : part) {
      if (c == '0') {
        if (digits != 0) ++zeros;
        continue;
      }
      significant += static_cast<int>(std::min<std::int64_t>(zeros, 40)) + 1;
      if (significant > 38) return false;
      digits = digits * power_of_ten(static_cast<int>(zeros) + 1) + (c - '0');
      zeros = 0;
    }
  }
  unscaled = 0;
  if (digits == 0) return true;
  // value = digits * 10^(zeros + exponent - fraction digits); at the target scale:
  const std::int64_t shift = zeros + parts.exponent - static_cast<std::int64_t>(parts.fraction.size()) + scale;
  if (shift < 0 || significant + shift > precision) return false;
  unscaled = digits * power_of_ten(static_cast<int>(shift));
  if (parts.negative) unscaled = -unscaled;
  return true;
}

std::int64_t wrap_to_int64(std::string_view text) {
  Parts parts;
  take_apart(text, parts);
  std::uint64_t value = 0;
  std::int64_t left = static_cast<std::int64_t>(parts.whole.size()) + parts.exponent;  // digits before the point
  for (const auto part : {parts.whole, parts.fraction}) {
    for (const char c : part) {
      if (left <= 0) break;
      value = value * 10 + static_cast<std::uint64_t>(c - '0');
      --left;
    }
  }
  // 10^64 is a multiple of 2^64.
  for (; left > 0 && value != 0; --left) value *= 10;
  return static_cast<std::int64_t>(parts.negative ? 0 - value : value);
}

}  // namespace millrace::inline exec
