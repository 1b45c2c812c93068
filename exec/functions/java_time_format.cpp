#include <fmt/format.h>

#include "exec/functions/java_time.h"
#include "exec/functions/java_time_words.h"
#include "planner/types/civil.h"

namespace millrace::inline exec {
namespace {

using namespace java_time;

/// Everything a pattern can ask for.
struct Moment {
  CivilDate date;
  std::int64_t day;     // since the epoch
  std::int64_t millis;  // of the day
  std::int64_t offset;  // ms
  const Zone& zone;

  int hour() const { return static_cast<int>(millis / 3'600'000); }
  int day_of_year() const { return static_cast<int>(day - days_from_civil(date.year, 1, 1)) + 1; }
};

std::string number(std::int64_t value, int width) {
  if (value < 0) return fmt::format("-{:0{}}", -value, width);
  return fmt::format("{:0{}}", value, width);
}

std::string year(std::int64_t value, int count) {
  if (count == 2) return fmt::format("{:02}", floor_mod(value, 100));
  if (count >= 4 && value >= 10000) return fmt::format("+{}", value);
  return number(value, count);
}

template <std::size_t N>
std::string word(const std::array<std::string_view, N>& words, int index, int count) {
  const std::string_view full = words[static_cast<std::size_t>(index)];
  return std::string(count == 4 ? full : count == 5 ? full.substr(0, 1) : full.substr(0, 3));
}

std::string offset_text(std::int64_t offset, std::string_view zero, bool colon, bool always_minutes) {
  if (offset == 0 && !zero.empty()) return std::string(zero);
  const std::int64_t minutes = (offset < 0 ? -offset : offset) / 60'000;
  std::string text = fmt::format("{}{:02}", offset < 0 ? '-' : '+', minutes / 60);
  if (always_minutes || minutes % 60 != 0) text += fmt::format("{}{:02}", colon ? ":" : "", minutes % 60);
  return text;
}

std::string localized_offset(std::int64_t offset, bool full) {
  if (offset == 0) return "GMT";
  const std::int64_t minutes = (offset < 0 ? -offset : offset) / 60'000;
  const char sign = offset < 0 ? '-' : '+';
  if (full) return fmt::format("GMT{}{:02}:{:02}", sign, minutes / 60, minutes % 60);
  if (minutes % 60 == 0) return fmt::format("GMT{}{}", sign, minutes / 60);
  return fmt::format("GMT{}{}:{:02}", sign, minutes / 60, minutes % 60);
}

std::string zone_field(const Moment& at, char letter, int count) {
  switch (letter) {
    case 'V':
      return at.zone.name();
    case 'z':
      return at.zone.short_name(at.day * kMillisPerDay + at.millis - at.offset);
    case 'O':
      return localized_offset(at.offset, count == 4);
    case 'X':
      return offset_text(at.offset, "Z", count == 3 || count == 5, count > 1);
    case 'x':
      return offset_text(at.offset, "", count == 3 || count == 5, count > 1);
    default:  // Z
      if (count == 4) return localized_offset(at.offset, true);
      return count == 5 ? offset_text(at.offset, "Z", true, true) : offset_text(at.offset, "", false, true);
  }
}

/// ISO week of a week-based year.
std::pair<std::int64_t, int> iso_week(std::int64_t day) {
  const std::int64_t thursday = day - day_of_week(day) + 4;
  const std::int64_t week_year = civil_from_days(thursday).year;
  return {week_year, static_cast<int>((thursday - days_from_civil(week_year, 1, 1)) / 7) + 1};
}

std::string date_field(const Moment& at, char letter, int count) {
  switch (letter) {
    case 'G':
      return at.date.year > 0 ? (count == 4 ? "Anno Domini" : "AD") : (count == 4 ? "Before Christ" : "BC");
    case 'u':
      return year(at.date.year, count);
    case 'y':
      return year(at.date.year > 0 ? at.date.year : 1 - at.date.year, count);
    case 'D':
      return number(at.day_of_year(), count);
    case 'M':
    case 'L':
      return count <= 2 ? number(at.date.month, count) : word(kMonths, at.date.month - 1, count);
    case 'd':
      return number(at.date.day, count);
    case 'Q':
    case 'q': {
      const int quarter = (at.date.month + 2) / 3;
      return count <= 2 ? number(quarter, count) : fmt::format("Q{}", quarter);
    }
    case 'Y':
      return year(iso_week(at.day).first, count);
    case 'w':
      return number(iso_week(at.day).second, count);
    case 'W':
    case 'F':
      return number((at.date.day - 1) / 7 + 1, count);
    case 'e':
    case 'c':
      if (count <= 2) return number(day_of_week(at.day) % 7 + 1, count);  // weeks start on Sunday
      [[fallthrough]];
    default:  // E
      return word(kDays, day_of_week(at.day) - 1, count);
  }
}

std::string time_field(const Moment& at, char letter, int count) {
  const int hour = at.hour();
  switch (letter) {
    case 'a':
      return hour < 12 ? "AM" : "PM";
    case 'h':
      return number(hour % 12 == 0 ? 12 : hour % 12, count);
    case 'K':
      return number(hour % 12, count);
    case 'k':
      return number(hour == 0 ? 24 : hour, count);
    case 'H':
      return number(hour, count);
    case 'm':
      return number(at.millis / 60'000 % 60, count);
    case 's':
      return number(at.millis / 1000 % 60, count);
    case 'S':
      return fmt::format("{:03}000000", at.millis % 1000).substr(0, static_cast<std::size_t>(std::min(count, 9)));
    case 'A':
      return number(at.millis, count);
    case 'n':
      return number(at.millis % 1000 * 1'000'000, count);
    default:  // N
      return number(at.millis * 1'000'000, count);
  }
}

}  // namespace

Result<void> JavaTimePattern::format(std::int64_t local_millis, std::int64_t offset, const Zone& zone,
                                     std::string& out) const {
  const std::int64_t day = floor_div(local_millis, kMillisPerDay);
  const Moment at{civil_from_days(day), day, local_millis - day * kMillisPerDay, offset, zone};
  for (const Part& part : parts_) {
    if (part.kind == Part::Kind::literal)
      out += part.text;
    else if (part.kind != Part::Kind::field)
      continue;
    else if (kDateLetters.find(part.letter) != std::string_view::npos)
      out += date_field(at, part.letter, part.count);
    else if (kTimeLetters.find(part.letter) != std::string_view::npos)
      out += time_field(at, part.letter, part.count);
    else
      out += zone_field(at, part.letter, part.count);
  }
  return {};
}

Result<void> JavaTimePattern::compile(std::string_view pattern) {
  int depth = 0;
  for (std::size_t i = 0; i < pattern.size();) {
    const char c = pattern[i];
    if (std::isalpha(static_cast<unsigned char>(c)) != 0) {
      const bool date = kDateLetters.find(c) != std::string_view::npos;
      const bool time = kTimeLetters.find(c) != std::string_view::npos;
      if (!date && !time && kZoneLetters.find(c) == std::string_view::npos)
        return user_error("unknown pattern letter: {}", c);
      int count = 0;
      while (i < pattern.size() && pattern[i] == c) ++i, ++count;
      date_fields_ = date_fields_ || date;
      time_fields_ = time_fields_ || time;
      if ((std::string_view("dHhKkms").find(c) != std::string_view::npos && count > 2) || count > 19)
        return user_error("too many pattern letters: {}", c);
      parts_.push_back({Part::Kind::field, c, count});
    } else if (c == '\'') {
      const std::size_t start = ++i;
      std::string text;
      for (;; ++i) {
        if (i >= pattern.size()) return user_error("pattern ends with an incomplete string literal: {}", pattern);
        if (pattern[i] != '\'') {
          text += pattern[i];
        } else if (i + 1 < pattern.size() && pattern[i + 1] == '\'') {
          text += pattern[++i];
        } else {
          break;
        }
      }
      if (i == start) text = "'";
      ++i;
      parts_.push_back({Part::Kind::literal, 0, 0, std::move(text)});
    } else if (c == '[' || c == ']') {
      depth += c == '[' ? 1 : -1;
      if (depth < 0) return user_error("pattern contains ] without [: {}", pattern);
      parts_.push_back({c == '[' ? Part::Kind::open : Part::Kind::close});
      ++i;
    } else if (c == '{' || c == '}' || c == '#') {
      return user_error("pattern includes reserved character: {}", c);
    } else {
      parts_.push_back({Part::Kind::literal, 0, 0, std::string(1, c)});
      ++i;
    }
  }
  for (; depth > 0; --depth) parts_.push_back({Part::Kind::close});
  return {};
}

Result<const JavaTimePattern*> JavaTimePattern::find(std::string_view pattern) {
  struct Known {
    std::string source;
    JavaTimePattern compiled;
  };
  thread_local std::vector<std::unique_ptr<Known>> known;
  for (const auto& one : known)
    if (one->source == pattern) return &one->compiled;
  auto made = std::make_unique<Known>();
  made->source = pattern;
  if (const auto status = made->compiled.compile(pattern); !status) return status.error();
  constexpr std::size_t kKept = 16;
  if (known.size() >= kKept) known.erase(known.begin());
  known.push_back(std::move(made));
  return &known.back()->compiled;
}

}  // namespace millrace::inline exec
