#include <algorithm>
#include <chrono>

#include "exec/functions/java_time_fields.h"
#include "exec/functions/java_time_words.h"

namespace millrace::inline exec {
namespace {

using namespace java_time;
using Part = JavaTimePattern::Part;

constexpr std::int64_t kMaxOffsetSeconds = 18 * 3600;

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool same_letter(char a, char b) {
  return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
}

/// How many digits a number of a pattern has, and which signs.
struct Width {
  std::size_t least = 1;
  std::size_t most = 19;
  bool signs = true;         // may begin with a minus
  bool plus_beyond = false;  // has more than `least` digits exactly when it begins with a plus
  bool fixed() const { return least == most; }
};

bool is_year(char letter) {
  return letter == 'u' || letter == 'y' || letter == 'Y';
}

bool is_numeric(const Part& part) {
  if (part.kind != Part::Kind::field || part.pad != 0) return false;
  if (std::string_view("MLQqec").find(part.letter) != std::string_view::npos) return part.count <= 2;
  return std::string_view("EGaBVvzOXxZ").find(part.letter) == std::string_view::npos;
}

Width width_of(const Part& part) {
  const auto count = static_cast<std::size_t>(part.count);
  if (part.letter == 'S') return {count, count, false};
  if (is_year(part.letter)) {
    if (count == 2) return {2, 2, false};
    return {count, 19, true, count >= 4};
  }
  if (part.letter == 'D' && count > 1) return {count, 3, false};
  if (part.letter == 'A' || part.letter == 'n' || part.letter == 'N') return {count, 19, false};
  if (part.letter == 'g') return {count, 19, true};
  if (std::string_view("wWec").find(part.letter) != std::string_view::npos) return {count, 2, false};
  if (count == 2) return {2, 2, false};
  return {};
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
    if (part.pad != 0) return padded(part);
    if (loose_)
      while (at_ < text_.size() && text_[at_] == ' ') ++at_;
    return is_numeric(part) ? numeric(part, reserved_after(index), index > 0 && is_numeric(parts_[index - 1]))
                            : textual(part);
  }

  /// Exactly as wide as the pad, spaces in front.
  bool padded(const Part& part) {
    const auto width = static_cast<std::size_t>(part.pad);
    if (text_.size() - at_ < width) return false;
    const std::string_view whole = text_;
    const std::size_t end = at_ + width;
    while (at_ < end && text_[at_] == ' ') ++at_;
    text_ = text_.substr(0, end);
    Part plain = part;
    plain.pad = 0;
    const bool good = (is_numeric(plain) ? numeric(plain, 0, false) : textual(plain)) && at_ == end;
    text_ = whole;
    return good;
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
    while (end < text_.size() && is_digit(text_[end])) ++end;
    return end - at_;
  }

  /// Digits that the fixed-width numbers right after `index` need.
  std::size_t reserved_after(std::size_t index) const {
    std::size_t reserved = 0;
    for (std::size_t i = index + 1; i < parts_.size() && is_numeric(parts_[i]) && width_of(parts_[i]).fixed(); ++i)
      reserved += width_of(parts_[i]).most;
    return reserved;
  }

  bool numeric(const Part& part, std::size_t reserved, bool after_number) {
    Width width = width_of(part);
    if (loose_ && reserved == 0 && !after_number) width = {1, 18, true};
    const bool plus = at_ < text_.size() && text_[at_] == '+' && width.plus_beyond;
    const bool negative = at_ < text_.size() && text_[at_] == '-' && width.signs;
    if (plus || negative) ++at_;
    std::size_t size = digits_ahead();
    if (reserved > 0 && !width.fixed()) {
      size = std::min(size, width.most + reserved);
      size = std::max(std::min(width.least, size), size - std::min(size, reserved));
    }
    size = std::min(size, width.most);
    if (size < width.least || size > 18) return false;
    if (!loose_ && width.plus_beyond && !negative && plus != (size > width.least)) return false;
    std::int64_t value = 0;
    for (std::size_t i = 0; i < size; ++i) value = value * 10 + (text_[at_ + i] - '0');
    if (negative && value == 0 && !loose_) return false;
    at_ += size;
    return store(part, size, negative ? -value : value);
  }

  bool within(Field field, std::int64_t value, std::int64_t low, std::int64_t high) {
    return (loose_ || (value >= low && value <= high)) && fields.set(field, value);
  }

  /// yy: java.time counts from 2000; SimpleDateFormat takes the century that is within 80 years before today.
  std::int64_t whole_year(const Part& part, std::size_t size, std::int64_t value) const {
    if (part.count > 2 || (loose_ ? value >= 100 : part.count != 2 || size != 2)) return value;
    if (!loose_) return 2000 + value;
    const auto today = std::chrono::floor<std::chrono::days>(std::chrono::system_clock::now());
    const std::int64_t first = civil_from_days(today.time_since_epoch().count()).year - 80;
    const std::int64_t year = first - first % 100 + value;
    return year >= first ? year : year + 100;
  }

  bool store(const Part& part, std::size_t size, std::int64_t value) {
    switch (part.letter) {
      case 'u':
        return fields.set(Field::year, whole_year(part, size, value));
      case 'y':
        return fields.set(Field::year_of_era, whole_year(part, size, value));
      case 'Y':
        return fields.set(loose_ ? Field::year : Field::week_year, whole_year(part, size, value));
      case 'S':
        for (std::size_t digits = size; digits < 9 && !loose_; ++digits) value *= 10;
        return fields.set(Field::nano, loose_ ? value * 1'000'000 : value);
      case 'k':  // the smart resolver lets 0 pass for 24, and for 12
        return (loose_ || (value >= 0 && value <= 24)) && fields.set(Field::hour, value == 24 ? 0 : value);
      case 'h':
        return (loose_ || (value >= 0 && value <= 12)) && fields.set(Field::half_hour, value == 12 ? 0 : value);
      case 'e':
      case 'c':
        return within(Field::day_of_english_week, value, 1, 7);
      default:
        return store_plain(part.letter, value);
    }
  }

  bool store_plain(char letter, std::int64_t value) {
    switch (letter) {
      case 'M':
      case 'L':
        return within(Field::month, value, 1, 12);
      case 'd':
        return within(Field::day, value, 1, 31);
      case 'D':
        return within(Field::day_of_year, value, 1, 366);
      case 'Q':
      case 'q':
        return fields.set(Field::quarter, value);
      case 'w':
        return within(Field::week_of_year, value, 1, 53);
      case 'W':
        return within(Field::week_of_month, value, 0, 6);
      case 'F':
        return within(Field::week_of_month_aligned, value, 1, 5);
      case 'g':
        return fields.set(Field::julian_day, value);
      case 'E':
        return within(Field::day_of_week, value, 1, 7);
      case 'H':
        return within(Field::hour, value, 0, 24);
      case 'K':
        return within(Field::half_hour, value, 0, 11);
      case 'm':
        return within(Field::minute, value, 0, 59);
      case 's':
        return within(Field::second, value, 0, 59);
      case 'n':
        return within(Field::nano, value, 0, 999'999'999);
      case 'A':
        return within(Field::milli_of_day, value, 0, kMillisPerDay - 1);
      default:  // N
        return within(Field::nano_of_day, value, 0, kMillisPerDay * 1'000'000 - 1);
    }
  }

  template <std::size_t N>
  std::optional<int> word(const std::array<std::string_view, N>& words, int count) {
    if (loose_)  // full names before their beginnings
      for (std::size_t i = 0; i < N; ++i)
        if (literal(words[i])) return static_cast<int>(i);
    for (std::size_t i = N; i-- > 0;)  // of equal letters java.time takes the last
      if (literal(count == 4 && !loose_ ? words[i] : words[i].substr(0, count == 5 ? 1 : 3)))
        return static_cast<int>(i);
    return std::nullopt;
  }

  bool era(int count) {
    if (literal(count == 4 ? "Anno Domini" : count == 5 ? "A" : "AD")) return fields.set(Field::era, 1);
    return literal(count == 4 ? "Before Christ" : count == 5 ? "B" : "BC") && fields.set(Field::era, 0);
  }

  bool quarter(int count) {
    for (int i = 1; i <= 4; ++i) {
      const std::string text = count == 3 ? "Q" + std::to_string(i) : std::to_string(i);
      if (literal(count == 4 ? kQuarters[static_cast<std::size_t>(i - 1)] : text)) return fields.set(Field::quarter, i);
    }
    return false;
  }

  bool textual(const Part& part) {
    switch (part.letter) {
      case 'M':
      case 'L': {
        const auto month = word(kMonths, part.count);
        return month && fields.set(Field::month, *month + 1);
      }
      case 'E':
      case 'e':
      case 'c': {
        const auto day = word(kDays, part.count);
        return day && (loose_ || fields.set(Field::day_of_week, *day + 1));
      }
      case 'Q':
      case 'q':
        return quarter(part.count);
      case 'a':
        if (literal("AM")) return fields.set(Field::half, 0);
        return literal("PM") && fields.set(Field::half, 1);
      case 'B':
        return day_period(part.count == 5);
      case 'G':
        return era(part.count);
      case 'V':
      case 'v':
      case 'z':
        return zone(part);
      default:
        return offset(part);
    }
  }

  bool day_period(bool narrow) {
    for (std::size_t i = 0; i < kDayPeriods.size(); ++i)
      if (literal(narrow ? kDayPeriods[i].narrow : kDayPeriods[i].name))
        return fields.set(Field::day_period, static_cast<std::int64_t>(i));
    return false;
  }

  bool take_zone(std::size_t size, const Zone* zone) {
    if (zone == nullptr || (fields.zone != nullptr && fields.zone != zone)) return false;
    fields.zone = zone;
    at_ += size;
    return true;
  }

  /// The longest zone id ahead, or, for z, name of a time.
  bool zone(const Part& part) {
    constexpr std::string_view kIdLetters = "/_+-:~";
    constexpr std::string_view kNameLetters = " .'&-";
    std::size_t size = 0;
    while (at_ + size < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_ + size])) != 0 ||
                                         kIdLetters.find(text_[at_ + size]) != std::string_view::npos))
      ++size;
    std::size_t longest = size;
    if (part.letter != 'V') {
      while (at_ + longest < text_.size() && (std::isalnum(static_cast<unsigned char>(text_[at_ + longest])) != 0 ||
                                              static_cast<signed char>(text_[at_ + longest]) < 0 ||
                                              kNameLetters.find(text_[at_ + longest]) != std::string_view::npos))
        ++longest;
      for (std::size_t n = longest; n > size; --n)
        if (take_zone(n, zone_of_time_name(text_.substr(at_, n)))) return true;
    }
    for (std::size_t n = size; n > 0; --n) {
      const std::string_view name = text_.substr(at_, n);
      if (part.letter != 'V' && take_zone(n, zone_of_time_name(name))) return true;
      if (const auto found = Zone::find_any_case(name); found && take_zone(n, *found)) return true;
    }
    return false;
  }

  std::optional<int> two_digits(std::size_t at) const {
    if (at + 1 >= text_.size() || !is_digit(text_[at]) || !is_digit(text_[at + 1])) return std::nullopt;
    return (text_[at] - '0') * 10 + (text_[at + 1] - '0');
  }

  bool set_offset(bool negative, std::int64_t seconds) {
    if (seconds > kMaxOffsetSeconds) return false;
    return fields.set(Field::offset, (negative ? -seconds : seconds) * 1000);
  }

  /// Minutes or seconds of an offset at at_. False: they are due and not there.
  bool offset_part(bool colon, bool due, int unit, int most, std::int64_t& seconds) {
    const bool has_colon = at_ < text_.size() && text_[at_] == ':';
    const auto part = colon && !has_colon ? std::nullopt : two_digits(at_ + (colon ? 1 : 0));
    if (!part || *part > most) return !due;
    seconds += std::int64_t{*part} * unit;
    at_ += colon ? 3 : 2;
    return true;
  }

  bool offset(const Part& part) {
    if (part.letter == 'O' || (part.letter == 'Z' && part.count == 4)) return localized_offset(part.count == 4);
    const int style = part.letter == 'Z' ? (part.count == 5 ? 5 : 2) : part.count;
    const std::string_view zero = part.letter == 'X' || (part.letter == 'Z' && part.count == 5) ? "Z"
                                  : style == 1                                                  ? "+00"
                                  : style % 2 == 0                                              ? "+0000"
                                                                                                : "+00:00";
    if (literal(zero)) return set_offset(false, 0);
    if (at_ >= text_.size() || (text_[at_] != '+' && text_[at_] != '-')) return false;
    const bool negative = text_[at_] == '-';
    const auto hours = two_digits(at_ + 1);
    if (!hours) return false;
    at_ += 3;
    std::int64_t seconds = *hours * 3600;
    const bool colon = style == 3 || style == 5;
    const std::size_t minutes_at = at_;
    if (!offset_part(colon, style > 1, 60, 59, seconds)) return false;
    if (style >= 4 && at_ != minutes_at && !offset_part(colon, false, 1, 59, seconds)) return false;
    return set_offset(negative, seconds);
  }

  /// GMT, GMT+8, GMT+10:30; `full`: GMT+08:00.
  bool localized_offset(bool full) {
    if (!literal("GMT")) return false;
    if (at_ >= text_.size() || (text_[at_] != '+' && text_[at_] != '-')) return set_offset(false, 0);
    const bool negative = text_[at_++] == '-';
    auto hours = two_digits(at_);
    at_ += hours ? 2 : 1;
    if (!hours && !full && at_ - 1 < text_.size() && is_digit(text_[at_ - 1])) hours = text_[at_ - 1] - '0';
    if (!hours) return false;
    std::int64_t seconds = *hours * 3600;
    const std::size_t minutes_at = at_;
    if (!offset_part(true, full, 60, 99, seconds)) return false;
    if (at_ != minutes_at && !offset_part(true, false, 1, 99, seconds)) return false;
    return set_offset(negative, seconds);
  }

  const std::vector<Part>& parts_;
  std::string_view text_;
  bool loose_;
  std::size_t at_ = 0;
};

Result<ParsedTime> parse_as(const std::vector<Part>& parts, std::string_view text, bool loose) {
  Parser parser(parts, text, loose);
  std::optional<ParsedTime> parsed;
  if (parser.run()) parsed = loose ? resolve_loosely(parser.fields) : resolve(parser.fields);
  if (!parsed) return user_error("Text '{}' could not be parsed", text);
  return *parsed;
}

}  // namespace

Result<ParsedTime> JavaTimePattern::parse(std::string_view text) const {
  return parse_as(parts_, text, false);
}
Result<ParsedTime> JavaTimePattern::parse_loosely(std::string_view text) const {
  return parse_as(parts_, text, true);
}

}  // namespace millrace::inline exec
