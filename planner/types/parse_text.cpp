#include "planner/types/parse_text.h"

#include <charconv>
#include <cmath>

#include "parser/error/trim.h"
#include "planner/types/civil.h"

namespace millrace::inline planner {
namespace {

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
char lower(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}

bool is_prefix_of(std::string_view text, std::string_view word) {
  if (text.empty() || text.size() > word.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i)
    if (lower(text[i]) != word[i]) return false;
  return true;
}

/// Reads from the front of a text.
struct Reader {
  std::string_view rest;
  bool eat(char c) {
    if (rest.empty() || rest.front() != c) return false;
    rest.remove_prefix(1);
    return true;
  }
  std::optional<int> digits(std::size_t min, std::size_t max) {
    std::size_t count = 0;
    int value = 0;
    while (count < max && count < rest.size() && is_digit(rest[count])) value = value * 10 + (rest[count++] - '0');
    if (count < min) return std::nullopt;
    rest.remove_prefix(count);
    return value;
  }
};

template <class T>
std::optional<T> parse_integer(std::string_view text) {
  text = trim(text);
  if (!text.empty() && text.front() == '+') {
    text.remove_prefix(1);
    if (!text.empty() && text.front() == '-') return std::nullopt;
  }
  T value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::optional<std::int64_t> read_days(Reader& in) {
  const bool negative = in.eat('-');
  const auto year = in.digits(4, 9);
  if (!year) return std::nullopt;
  int month = 1;
  int day = 1;
  if (in.eat('-')) {
    const auto read = in.digits(2, 2);
    if (!read || *read < 1 || *read > 12) return std::nullopt;
    month = *read;
    if (in.eat('-')) {
      const auto read_day = in.digits(2, 2);
      if (!read_day || *read_day < 1 || *read_day > days_in_month(*year, month)) return std::nullopt;
      day = *read_day;
    }
  }
  return days_from_civil(negative ? -*year : *year, month, day);
}

/// HH[:mm[:ss[.fraction]]] in milliseconds.
std::optional<std::int64_t> read_millis(Reader& in, bool minutes_required) {
  const auto hour = in.digits(2, 2);
  if (!hour || *hour > 23) return std::nullopt;
  std::int64_t millis = *hour * std::int64_t{3'600'000};
  if (!in.eat(':')) return minutes_required ? std::nullopt : std::optional(millis);
  const auto minute = in.digits(2, 2);
  if (!minute || *minute > 59) return std::nullopt;
  millis += *minute * std::int64_t{60'000};
  if (!in.eat(':')) return millis;
  const auto second = in.digits(2, 2);
  if (!second || *second > 59) return std::nullopt;
  millis += *second * std::int64_t{1000};
  if (!in.eat('.')) return millis;
  int weight = 100;
  std::size_t count = 0;
  for (; !in.rest.empty() && is_digit(in.rest.front()) && count < 9; ++count) {
    millis += (in.rest.front() - '0') * weight;
    weight /= 10;
    in.rest.remove_prefix(1);
  }
  if (count == 0) return std::nullopt;
  return millis;
}

/// Z, +hh, +hhmm, +hh:mm at the end; absent text is UTC.
std::optional<std::int64_t> read_zone(Reader& in) {
  if (in.rest.empty() || in.eat('Z')) return 0;
  const bool negative = in.rest.front() == '-';
  if (!negative && in.rest.front() != '+') return std::nullopt;
  in.rest.remove_prefix(1);
  const auto hours = in.digits(2, 2);
  if (!hours || *hours > 18) return std::nullopt;
  int minutes = 0;
  const bool colon = in.eat(':');
  if (colon || !in.rest.empty()) {
    const auto read = in.digits(2, 2);
    if (!read || *read > 59) return std::nullopt;
    minutes = *read;
  }
  const std::int64_t offset = (*hours * 60 + minutes) * std::int64_t{60'000};
  return negative ? -offset : offset;
}

}  // namespace

std::optional<std::int32_t> parse_int(std::string_view text) {
  return parse_integer<std::int32_t>(text);
}
std::optional<std::int64_t> parse_bigint(std::string_view text) {
  return parse_integer<std::int64_t>(text);
}

std::optional<double> parse_double(std::string_view text) {
  text = trim(text);
  if (!text.empty() && text.front() == '+') {
    text.remove_prefix(1);
    if (!text.empty() && text.front() == '-') return std::nullopt;
  }
  if (!text.empty() && (lower(text.back()) == 'd' || lower(text.back()) == 'f')) text.remove_suffix(1);
  if (text.empty() || !(is_digit(text.front()) || text.front() == '-' || text.front() == '.')) return std::nullopt;
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (end != text.data() + text.size() || std::isnan(value)) return std::nullopt;
  if (error == std::errc::result_out_of_range) {
    // Java gives 0 or an infinity here; strtod does too.
    return std::strtod(std::string(text).c_str(), nullptr);
  }
  if (error != std::errc() || std::isinf(value)) return std::nullopt;
  return value;
}

bool parse_boolean_loosely(std::string_view text) {
  text = trim(text);
  return is_prefix_of(text, "true") || is_prefix_of(text, "yes");
}

std::optional<bool> parse_boolean(std::string_view text) {
  text = trim(text);
  if (parse_boolean_loosely(text)) return true;
  if (is_prefix_of(text, "false") || is_prefix_of(text, "no")) return false;
  return std::nullopt;
}

std::optional<Date> parse_date(std::string_view text) {
  Reader in{trim(text)};
  const auto days = read_days(in);
  if (!days || !in.rest.empty()) return std::nullopt;
  return Date{static_cast<std::int32_t>(*days)};
}

std::optional<Time> parse_time(std::string_view text) {
  Reader in{trim(text)};
  const auto millis = read_millis(in, true);
  if (!millis || !in.rest.empty()) return std::nullopt;
  return Time{static_cast<std::int32_t>(*millis)};
}

std::optional<Timestamp> parse_timestamp(std::string_view text) {
  Reader in{trim(text)};
  const auto days = read_days(in);
  if (!days) return std::nullopt;
  std::int64_t millis = *days * kMillisPerDay;
  if (in.eat('T') && !in.rest.empty()) {
    const auto of_day = read_millis(in, false);
    if (!of_day) return std::nullopt;
    millis += *of_day;
  }
  const auto zone = read_zone(in);
  if (!zone || !in.rest.empty()) return std::nullopt;
  return Timestamp{millis - *zone};
}

}  // namespace millrace::inline planner
