#include <chrono>
#include <cstdint>

#include "planner/bind/expr_binder.h"

namespace millrace::inline planner {
namespace {

/// Reads a text from left to right.
class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {}

  bool done() const { return rest_.empty(); }
  bool take(char c) {
    if (rest_.empty() || rest_[0] != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  /// Exactly `digits` digits.
  std::optional<int> number(int digits) {
    if (rest_.size() < static_cast<std::size_t>(digits)) return std::nullopt;
    int value = 0;
    for (int i = 0; i < digits; ++i) {
      if (rest_[i] < '0' || rest_[i] > '9') return std::nullopt;
      value = value * 10 + (rest_[i] - '0');
    }
    rest_.remove_prefix(digits);
    return value;
  }
  std::size_t leading_digits() const {
    std::size_t n = 0;
    while (n < rest_.size() && rest_[n] >= '0' && rest_[n] <= '9') ++n;
    return n;
  }

 private:
  std::string_view rest_;
};

bool read_time(Reader& in, std::int64_t& millis) {
  constexpr std::int64_t kUnits[] = {3600000, 60000, 1000};
  for (const auto unit : kUnits) {
    const auto part = in.number(2);
    if (!part) return false;
    millis += *part * unit;
    if (!in.take(':')) break;
  }
  if (in.take('.')) {
    const std::size_t digits = in.leading_digits();
    if (digits == 0 || digits > 3) return false;
    int fraction = *in.number(static_cast<int>(digits));
    for (std::size_t i = digits; i < 3; ++i) fraction *= 10;
    millis += fraction;
  }
  return true;
}

bool read_zone(Reader& in, std::int64_t& millis) {
  if (in.done() || in.take('Z')) return in.done();
  const bool minus = in.take('-');
  if (!minus && !in.take('+')) return false;
  const auto hours = in.number(2);
  if (!hours) return false;
  in.take(':');
  const auto minutes = in.done() ? std::optional(0) : in.number(2);
  if (!minutes || !in.done()) return false;
  const std::int64_t offset = (*hours * 60 + *minutes) * std::int64_t{60000};
  millis += minus ? offset : -offset;
  return true;
}

}  // namespace

std::optional<std::int64_t> parse_partial_timestamp(std::string_view text) {
  using namespace std::chrono;
  Reader in(text);
  const auto year_number = in.number(4);
  if (!year_number) return std::nullopt;
  int month_number = 1;
  int day_number = 1;
  if (in.take('-')) {
    const auto m = in.number(2);
    if (!m) return std::nullopt;
    month_number = *m;
    if (in.take('-')) {
      const auto d = in.number(2);
      if (!d) return std::nullopt;
      day_number = *d;
    }
  }
  const year_month_day date{year{*year_number}, month{static_cast<unsigned>(month_number)},
                            day{static_cast<unsigned>(day_number)}};
  if (!date.ok()) return std::nullopt;
  std::int64_t millis = duration_cast<milliseconds>(sys_days{date}.time_since_epoch()).count();
  if (in.take('T') && !in.done() && !read_time(in, millis)) return std::nullopt;
  if (!read_zone(in, millis)) return std::nullopt;
  return millis;
}

}  // namespace millrace::inline planner
