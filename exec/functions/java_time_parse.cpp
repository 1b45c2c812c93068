#include <algorithm>
#include <limits>
#include <optional>

#include "exec/functions/java_time.h"
#include "exec/functions/java_time_words.h"
#include "planner/types/civil.h"

namespace millrace::inline exec {
namespace {

using namespace java_time;
using Part = JavaTimePattern::Part;

bool is_time_digit(char c) {
  return c >= '0' && c <= '9';
}
bool same_letter(char a, char b) {
  return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
}

/// The fields that a text named. Absent ones are not set.
struct Fields {
  std::optional<std::int64_t> year, month, day, day_of_year, hour, minute, second, nanos, milli_of_day;
  std::optional<std::int64_t> half_hour;  // 0..11
  std::optional<bool> afternoon;
  std::optional<std::int64_t> offset;
  std::string zone;
  bool before_christ = false;
};

bool is_numeric(const Part& part) {
  if (part.kind != Part::Kind::field) return false;
  if (part.letter == 'M' || part.letter == 'L' || part.letter == 'Q' || part.letter == 'q' || part.letter == 'e' ||
      part.letter == 'c')
    return part.count <= 2;
  return std::string_view("GaEVzOXxZ").find(part.letter) == std::string_view::npos;
}

bool is_year(char letter) {
  return letter == 'u' || letter == 'y' || letter == 'Y';
}

/// Always as many digits as letters.
bool is_fixed(const Part& part) {
  if (part.letter == 'S') return true;
  if (is_year(part.letter)) return part.count == 2;
  return part.count == 2 || (part.letter == 'D' && part.count == 3);
}

class Parser {
 public:
  Parser(const std::vector<Part>& parts, std::string_view text, bool loose)
      : parts_(parts), text_(text), loose_(loose) {}

  bool run() {
    for (std::size_t i = 0; i < parts_.size();) {
      if (parts_[i].kind == Part::Kind::open) {
        i = optional_part(i);
      } else {
        if (!one(i)) return false;
        ++i;
      }
    }
    return loose_ || at_ == text_.size();
  }
  Fields fields;

 private:
  std::size_t close_of(std::size_t open) const {
    int depth = 0;
    for (std::size_t i = open; i < parts_.size(); ++i) {
      if (parts_[i].kind == Part::Kind::open) ++depth;
      if (parts_[i].kind == Part::Kind::close && --depth == 0) return i;
    }
    return parts_.size() - 1;
  }

  /// Takes the whole part or nothing of it; gives the index after it.
  std::size_t optional_part(std::size_t open) {
    const std::size_t close = close_of(open);
    const Fields before = fields;
    const std::size_t start = at_;
    for (std::size_t i = open + 1; i < close;) {
      if (parts_[i].kind == Part::Kind::open) {
        i = optional_part(i);
      } else if (one(i)) {
        ++i;
      } else {
        fields = before;
        at_ = start;
        break;
      }
    }
    return close + 1;
  }

  bool one(std::size_t index) {
    const Part& part = parts_[index];
    if (part.kind == Part::Kind::literal) return literal(part.text);
    if (part.kind == Part::Kind::close) return true;
    if (is_numeric(part)) return numeric(index);
    return textual(part);
  }

  bool literal(std::string_view wanted) {
    if (text_.size() - at_ < wanted.size()) return false;
    for (std::size_t i = 0; i < wanted.size(); ++i)
      if (!same_letter(text_[at_ + i], wanted[i])) return false;
    at_ += wanted.size();
    return true;
  }

  std::size_t digits_ahead() const {
    std::size_t end = at_;
    while (end < text_.size() && is_time_digit(text_[end])) ++end;
    return end - at_;
  }

  /// Digits that the fixed-width fields right after `index` need.
  std::size_t reserved_after(std::size_t index) const {
    std::size_t reserved = 0;
    for (std::size_t i = index + 1; i < parts_.size() && is_numeric(parts_[i]) && is_fixed(parts_[i]); ++i)
      reserved += static_cast<std::size_t>(parts_[i].count);
    return reserved;
  }

  bool numeric(std::size_t index) {
    const Part& part = parts_[index];
    const auto count = static_cast<std::size_t>(part.count);
    const std::size_t reserved = reserved_after(index);
    const bool loose = loose_ && reserved == 0 && !(index > 0 && is_numeric(parts_[index - 1]));
    const bool fixed = is_fixed(part) && !loose;
    bool negative = false;
    bool plus = false;
    if (!fixed && at_ < text_.size() && (text_[at_] == '-' || text_[at_] == '+')) {
      negative = text_[at_] == '-';
      plus = !negative;
      ++at_;
    }
    std::size_t width = digits_ahead();
    if (fixed) {
      if (width < count) return false;
      width = count;
    } else {
      if (width > reserved && reserved > 0) width -= reserved;
      width = std::min<std::size_t>(width, 18);
      if ((width < count && !loose) || width == 0) return false;
      if (!loose && is_year(part.letter) && count >= 4 && !plus && !negative && width > count) {
        if (reserved == 0) return false;
        width = count;
      }
    }
    std::int64_t value = 0;
    for (std::size_t i = 0; i < width; ++i) value = value * 10 + (text_[at_ + i] - '0');
    at_ += width;
    return store(part, negative ? -value : value);
  }

  bool store(const Part& part, std::int64_t value) {
    const auto within = [value](std::int64_t low, std::int64_t high) { return value >= low && value <= high; };
    switch (part.letter) {
      case 'u':
      case 'y':
      case 'Y':
        fields.year = part.count == 2 ? 2000 + value : value;
        return true;
      case 'M':
      case 'L':
        fields.month = value;
        return within(1, 12);
      case 'd':
        fields.day = value;
        return within(1, 31);
      case 'D':
        fields.day_of_year = value;
        return within(1, 366);
      case 'H':
        fields.hour = value;
        return within(0, 24);
      case 'k':
        fields.hour = value == 24 ? 0 : value;
        return within(1, 24);
      case 'h':
        fields.half_hour = value % 12;
        return within(1, 12);
      case 'K':
        fields.half_hour = value;
        return within(0, 11);
      case 'm':
        fields.minute = value;
        return within(0, 59);
      case 's':
        fields.second = value;
        return within(0, 59);
      case 'S':
        for (int digits = part.count; digits < 9; ++digits) value *= 10;
        for (int digits = part.count; digits > 9; --digits) value /= 10;
        fields.nanos = value;
        return true;
      case 'n':
        fields.nanos = value;
        return within(0, 999'999'999);
      case 'A':
        fields.milli_of_day = value;
        return within(0, kMillisPerDay - 1);
      case 'N':
        fields.milli_of_day = value / 1'000'000;
        return within(0, kMillisPerDay * 1'000'000 - 1);
      default:
        return true;  // quarters and weeks add nothing to a date
    }
  }

  template <std::size_t N>
  std::optional<int> word(const std::array<std::string_view, N>& words, int count) {
    for (std::size_t i = 0; i < N; ++i)
      if (literal(count == 4 ? words[i] : count == 5 ? words[i].substr(0, 1) : words[i].substr(0, 3)))
        return static_cast<int>(i);
    return std::nullopt;
  }

  bool textual(const Part& part) {
    switch (part.letter) {
      case 'M':
      case 'L': {
        const auto month = word(kMonths, part.count);
        if (month) fields.month = *month + 1;
        return month.has_value();
      }
      case 'E':
      case 'e':
      case 'c':
        return word(kDays, part.count).has_value();
      case 'a':
        fields.afternoon = at_ < text_.size() && same_letter(text_[at_], 'p');
        return literal("AM") || literal("PM");
      case 'G':
        fields.before_christ = at_ < text_.size() && same_letter(text_[at_], 'b');
        return literal(part.count == 4 ? "Anno Domini" : "AD") || literal(part.count == 4 ? "Before Christ" : "BC");
      case 'V':
      case 'z':
        return zone_name();
      default:
        return offset(part);
    }
  }

  bool zone_name() {
    const std::size_t start = at_;
    while (at_ < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_])) != 0 ||
                                  std::string_view("/_+-:~").find(text_[at_]) != std::string_view::npos))
      ++at_;
    fields.zone = text_.substr(start, at_ - start);
    return at_ > start;
  }

  bool offset(const Part& part) {
    if (part.letter == 'O' || (part.letter == 'Z' && part.count == 4)) {
      if (!literal("GMT")) return false;
      if (at_ >= text_.size() || (text_[at_] != '+' && text_[at_] != '-')) {
        fields.offset = 0;
        return true;
      }
    } else if ((part.letter == 'X' || part.count == 5) && literal("Z")) {
      fields.offset = 0;
      return true;
    }
    if (at_ >= text_.size() || (text_[at_] != '+' && text_[at_] != '-')) return false;
    const bool negative = text_[at_++] == '-';
    std::int64_t seconds = 0;
    for (const int unit : {3600, 60, 1}) {
      const bool colon = unit != 3600 && at_ < text_.size() && text_[at_] == ':';
      const std::size_t digits = at_ + (colon ? 1 : 0);
      if (digits + 1 >= text_.size() || !is_time_digit(text_[digits]) || !is_time_digit(text_[digits + 1])) {
        if (unit == 3600) return false;
        break;
      }
      seconds += ((text_[digits] - '0') * 10 + (text_[digits + 1] - '0')) * unit;
      at_ = digits + 2;
    }
    fields.offset = (negative ? -seconds : seconds) * 1000;
    return true;
  }

  const std::vector<Part>& parts_;
  std::string_view text_;
  bool loose_;
  std::size_t at_ = 0;
};

std::optional<std::int64_t> resolve_day(const Fields& f) {
  std::int64_t year = f.year.value_or(1970);
  if (f.before_christ) year = 1 - year;
  constexpr std::int64_t kMaxYear = 200'000'000;
  if (year > kMaxYear || year < -kMaxYear) return std::nullopt;
  if (f.day_of_year && !f.month) {
    if (*f.day_of_year == 366 && !is_leap_year(year)) return std::nullopt;
    return days_from_civil(year, 1, 1) + *f.day_of_year - 1;
  }
  const int month = static_cast<int>(f.month.value_or(1));
  // A day that the month lacks becomes its last one, as Java's SMART resolver does.
  const int day = std::min(static_cast<int>(f.day.value_or(1)), days_in_month(year, month));
  return days_from_civil(year, month, day);
}

std::int64_t resolve_millis(const Fields& f) {
  if (f.milli_of_day) return *f.milli_of_day;
  std::int64_t hour = f.hour.value_or(0);
  if (!f.hour && f.half_hour) hour = *f.half_hour + (f.afternoon.value_or(false) ? 12 : 0);
  return hour * 3'600'000 + f.minute.value_or(0) * 60'000 + f.second.value_or(0) * 1000 +
         f.nanos.value_or(0) / 1'000'000;
}

}  // namespace

Result<ParsedTime> JavaTimePattern::parse(std::string_view text) const {
  return parse_as(text, false);
}
Result<ParsedTime> JavaTimePattern::parse_loosely(std::string_view text) const {
  return parse_as(text, true);
}

Result<ParsedTime> JavaTimePattern::parse_as(std::string_view text, bool loose) const {
  Parser parser(parts_, text, loose);
  const Fields& f = parser.fields;
  if (!parser.run()) return user_error("Text '{}' could not be parsed", text);
  const auto day = resolve_day(f);
  if (!day || (f.hour == 24 && resolve_millis(f) != kMillisPerDay))
    return user_error("Text '{}' could not be parsed", text);
  ParsedTime parsed;
  parsed.local_millis = *day * kMillisPerDay + resolve_millis(f);
  parsed.has_date = f.year || f.month || f.day || f.day_of_year;
  parsed.has_time = f.hour || f.half_hour || f.minute || f.second || f.nanos || f.milli_of_day;
  if (f.offset) {
    parsed.has_zone = true;
    parsed.zone_offset = *f.offset;
  } else if (!f.zone.empty()) {
    const auto zone = Zone::find(f.zone);
    if (!zone) return zone.error();
    parsed.has_zone = true;
    parsed.zone_offset = (*zone)->offset_at_local(parsed.local_millis);
  }
  return parsed;
}

}  // namespace millrace::inline exec
