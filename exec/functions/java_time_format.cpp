#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>

#include "exec/functions/java_time.h"
#include "exec/functions/java_time_words.h"

namespace millrace::inline exec {
namespace {

using namespace java_time;
using Part = JavaTimePattern::Part;

/// Everything a pattern can ask for.
struct Moment {
  CivilDate date;
  std::int64_t day;     // since the epoch
  std::int64_t millis;  // of the day
  std::int64_t offset;  // ms
  const Zone& zone;
  TimeParts has;

  int hour() const { return static_cast<int>(millis / 3'600'000); }
  int day_of_year() const { return static_cast<int>(day - days_from_civil(date.year, 1, 1)) + 1; }
  std::int64_t instant() const { return day * kMillisPerDay + millis - offset; }
};

std::string number(std::int64_t value, int width) {
  std::array<char, 20> digits{};
  const char* end = std::to_chars(digits.begin(), digits.end(), value < 0 ? -value : value).ptr;
  const auto count = static_cast<std::size_t>(end - digits.data());
  std::string text(value < 0 ? 1 : 0, '-');
  text.append(static_cast<std::size_t>(width) > count ? static_cast<std::size_t>(width) - count : 0, '0');
  return text.append(digits.data(), count);
}

std::string year(std::int64_t value, int count) {
  if (count == 2) return number((value < 0 ? -value : value) % 100, 2);
  std::string text = number(value, count);
  // More digits than letters are told apart from what follows by a sign.
  return count >= 4 && value >= 0 && text.size() > static_cast<std::size_t>(count) ? "+" + text : text;
}

template <std::size_t N>
std::string word(const std::array<std::string_view, N>& words, int index, int count) {
  const std::string_view full = words[static_cast<std::size_t>(index)];
  return std::string(count == 4 ? full : count == 5 ? full.substr(0, 1) : full.substr(0, 3));
}

/// +hh, then minutes and seconds; `style` as the letters X: 1 minutes when not 0, 2 and 3 always, 4 and 5 also seconds
/// when not 0; 3 and 5 with colons.
std::string offset_text(std::int64_t offset, int style, std::string_view zero) {
  const std::int64_t seconds = (offset < 0 ? -offset : offset) / 1000;
  const bool with_seconds = style >= 4 && seconds % 60 != 0;
  if (seconds < 60 && !with_seconds) return std::string(zero);
  const std::string_view colon = style == 3 || style == 5 ? ":" : "";
  std::string text = fmt::format("{}{:02}", offset < 0 ? '-' : '+', seconds / 3600);
  if (style > 1 || seconds / 60 % 60 != 0) text += fmt::format("{}{:02}", colon, seconds / 60 % 60);
  if (with_seconds) text += fmt::format("{}{:02}", colon, seconds % 60);
  return text;
}

std::string localized_offset(std::int64_t offset, bool full) {
  if (offset == 0) return "GMT";
  const std::int64_t seconds = (offset < 0 ? -offset : offset) / 1000;
  std::string text = fmt::format("GMT{}{:0{}}", offset < 0 ? '-' : '+', seconds / 3600, full ? 2 : 1);
  if (full || seconds % 3600 != 0) text += fmt::format(":{:02}", seconds / 60 % 60);
  if (seconds % 60 != 0) text += fmt::format(":{:02}", seconds % 60);
  return text;
}

std::string zone_field(const Moment& at, char letter, int count) {
  switch (letter) {
    case 'V':
      return at.zone.name();
    case 'v':
      return at.zone.generic_name(at.instant(), count == 4);
    case 'z':
      return count == 4 ? at.zone.long_name(at.instant()) : at.zone.short_name(at.instant());
    case 'O':
      return localized_offset(at.offset, count == 4);
    case 'X':
      return offset_text(at.offset, count, "Z");
    case 'x':
      return offset_text(at.offset, count, count == 1 ? "+00" : count % 2 == 0 ? "+0000" : "+00:00");
    default:  // Z
      if (count == 4) return localized_offset(at.offset, true);
      return count == 5 ? offset_text(at.offset, 5, "Z") : offset_text(at.offset, 2, "+0000");
  }
}

std::string date_field(const Moment& at, char letter, int count) {
  switch (letter) {
    case 'G': {
      const bool now = at.date.year > 0;
      return count == 4 ? (now ? "Anno Domini" : "Before Christ") : count == 5 ? (now ? "A" : "B") : now ? "AD" : "BC";
    }
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
      if (count == 4) return std::string(kQuarters[static_cast<std::size_t>(quarter - 1)]);
      return count == 3 ? fmt::format("Q{}", quarter) : number(quarter, count == 5 ? 1 : count);
    }
    case 'Y':
      return year(english_week(at.day).year, count);
    case 'w':
      return number(english_week(at.day).week, count);
    case 'W':
      return number(week_of_month(at.day), count);
    case 'F':
      return number((at.date.day - 1) / 7 + 1, count);
    case 'g':
      return number(at.day + kModifiedJulian, count);
    case 'e':
    case 'c':
      if (count <= 2) return number(day_of_english_week(at.day), count);
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
    case 'B': {
      const int minute = static_cast<int>(at.millis / 60'000);
      const auto period = std::ranges::find_if(kDayPeriods, [minute](const auto& p) { return p.includes(minute); });
      return std::string(count == 5 ? period->narrow : period->name);
    }
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
      return fmt::format("{:03}000000", at.millis % 1000).substr(0, static_cast<std::size_t>(count));
    case 'A':
      return number(at.millis, count);
    case 'n':
      return number(at.millis % 1000 * 1'000'000, count);
    default:  // N
      return number(at.millis * 1'000'000, count);
  }
}

/// Absent: the value has no such field.
std::optional<std::string> field_text(const Moment& at, const Part& part) {
  if (kDateLetters.find(part.letter) != std::string_view::npos)
    return at.has.date ? std::optional(date_field(at, part.letter, part.count)) : std::nullopt;
  if (kTimeLetters.find(part.letter) != std::string_view::npos)
    return at.has.time ? std::optional(time_field(at, part.letter, part.count)) : std::nullopt;
  return at.has.zone ? std::optional(zone_field(at, part.letter, part.count)) : std::nullopt;
}

}  // namespace

Result<void> JavaTimePattern::format(std::int64_t local_millis, std::int64_t offset, const Zone& zone, TimeParts has,
                                     std::string& out) const {
  const std::int64_t day = floor_div(local_millis, kMillisPerDay);
  const Moment at{civil_from_days(day), day, local_millis - day * kMillisPerDay, offset, zone, has};
  std::vector<std::size_t> open;  // where optional parts begin
  for (std::size_t i = 0; i < parts_.size(); ++i) {
    const Part& part = parts_[i];
    if (part.kind == Part::Kind::open) {
      open.push_back(out.size());
    } else if (part.kind == Part::Kind::close) {
      open.pop_back();
    } else if (part.kind == Part::Kind::literal) {
      out += part.text;
    } else if (auto text = field_text(at, part)) {
      const auto pad = static_cast<std::size_t>(part.pad);
      if (pad != 0 && text->size() > pad)
        return user_error("Cannot print as output of {} characters exceeds pad width of {}", text->size(), pad);
      if (pad != 0) out.append(pad - text->size(), ' ');
      out += *text;
    } else if (open.empty()) {
      return user_error("Unsupported field: {}", part.letter);
    } else {
      out.resize(open.back());
      for (int depth = 1; depth > 0;) {  // to the end of this optional part
        ++i;
        depth += parts_[i].kind == Part::Kind::open ? 1 : parts_[i].kind == Part::Kind::close ? -1 : 0;
      }
      open.pop_back();
    }
  }
  return {};
}

}  // namespace millrace::inline exec
