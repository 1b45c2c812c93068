#include "exec/functions/zone_rules.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

#include "planner/types/civil.h"

namespace millrace::inline exec {
namespace {

constexpr std::int64_t kDay = 86'400;
constexpr std::size_t kHeader = 44;

std::filesystem::path directory() {
  const char* own = std::getenv("TZDIR");
  return own != nullptr && *own != '\0' ? own : "/usr/share/zoneinfo";
}

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

/// Names of regions only: the folder also holds other forms of them and tables.
bool is_region_name(std::string_view name) {
  if (name.empty() || name.front() == '/' || name.find("..") != std::string_view::npos) return false;
  for (const char c : name)
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && std::string_view("/_+-").find(c) == std::string_view::npos)
      return false;
  return std::isupper(static_cast<unsigned char>(name.front())) != 0 && name != "Factory";
}

std::int64_t big_endian(std::string_view bytes) {
  std::uint64_t value = (static_cast<unsigned char>(bytes[0]) & 0x80) != 0 ? ~std::uint64_t{0} : 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return static_cast<std::int64_t>(value);
}

std::optional<int> take_number(std::string_view& text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || text.starts_with('-')) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

/// [+-]h[h][h][:mm[:ss]] in seconds.
std::optional<std::int64_t> take_time(std::string_view& text) {
  const bool negative = text.starts_with('-');
  if (negative || text.starts_with('+')) text.remove_prefix(1);
  std::int64_t seconds = 0;
  for (const int unit : {3600, 60, 1}) {
    if (unit != 3600) {
      if (!text.starts_with(':')) break;
      text.remove_prefix(1);
    }
    const auto part = take_number(text);
    if (!part) return std::nullopt;
    seconds += std::int64_t{*part} * unit;
  }
  return negative ? -seconds : seconds;
}

/// EST or <+0330>.
std::optional<std::string> take_abbreviation(std::string_view& text) {
  std::size_t size = 0;
  std::string out;
  if (text.starts_with('<')) {
    size = text.find('>');
    if (size == std::string_view::npos) return std::nullopt;
    out = text.substr(1, size - 1);
    ++size;
  } else {
    while (size < text.size() && std::isalpha(static_cast<unsigned char>(text[size])) != 0) ++size;
    out = text.substr(0, size);
  }
  text.remove_prefix(size);
  return out.empty() ? std::nullopt : std::optional(out);
}

}  // namespace

const std::vector<std::string>& ZoneRules::names() {
  static const std::vector<std::string> all = [] {
    std::vector<std::string> found;
    std::error_code error;
    const auto root = directory();
    for (std::filesystem::recursive_directory_iterator it(root, error), end; it != end && !error; it.increment(error)) {
      const std::string name = it->path().lexically_relative(root).generic_string();
      if (it->is_regular_file(error) && is_region_name(name) && read_file(it->path()).starts_with("TZif"))
        found.push_back(name);
    }
    std::ranges::sort(found);
    return found;
  }();
  return all;
}

std::unique_ptr<ZoneRules> ZoneRules::load(std::string_view name) {
  if (!is_region_name(name)) return nullptr;
  const auto path = directory() / name;
  std::error_code error;
  if (!std::filesystem::is_regular_file(path, error)) return nullptr;
  auto rules = std::make_unique<ZoneRules>();
  return rules->parse(read_file(path)) ? std::move(rules) : nullptr;
}

bool ZoneRules::parse(std::string_view bytes) {
  // The first block has 32-bit times; the second one, in 64 bits, is what counts.
  std::size_t used = 0;
  if (!parse_block(bytes, 4, used)) return false;
  if (bytes[4] < '2') return true;
  bytes.remove_prefix(used);
  if (!parse_block(bytes, 8, used)) return false;
  bytes.remove_prefix(used);
  if (!bytes.starts_with('\n')) return false;
  bytes.remove_prefix(1);
  return parse_footer(bytes.substr(0, bytes.find('\n')));
}

bool ZoneRules::parse_block(std::string_view bytes, std::size_t time_size, std::size_t& used) {
  if (bytes.size() < kHeader || !bytes.starts_with("TZif")) return false;
  const auto count = [&](std::size_t i) { return static_cast<std::size_t>(big_endian(bytes.substr(20 + 4 * i, 4))); };
  const std::size_t utc_flags = count(0), wall_flags = count(1), leaps = count(2), times = count(3), types = count(4),
                    chars = count(5);
  used = kHeader + times * (time_size + 1) + types * 6 + chars + leaps * (time_size + 4) + wall_flags + utc_flags;
  if (bytes.size() < used || types == 0) return false;
  const std::string_view indexes = bytes.substr(kHeader + times * time_size, times);
  const std::string_view records = bytes.substr(kHeader + times * (time_size + 1), types * 6);
  const std::string_view names = bytes.substr(kHeader + times * (time_size + 1) + types * 6, chars);
  periods_.clear();
  changes_.clear();
  for (std::size_t i = 0; i < types; ++i) {
    const std::string_view record = records.substr(i * 6, 6);
    const auto name = static_cast<unsigned char>(record[5]);
    if (name >= names.size()) return false;
    periods_.push_back({static_cast<std::int32_t>(big_endian(record.substr(0, 4))), record[4] != 0,
                        std::string(names.substr(name, names.find('\0', name) - name))});
  }
  for (std::size_t i = 0; i < times; ++i) {
    const auto to = static_cast<unsigned char>(indexes[i]);
    if (to >= types) return false;
    changes_.push_back({big_endian(bytes.substr(kHeader + i * time_size, time_size)), to});
  }
  return true;
}

bool ZoneRules::parse_footer(std::string_view text) {
  if (text.empty()) return true;
  const auto add = [this](std::string name, std::int64_t offset, bool saving) {
    periods_.push_back({static_cast<std::int32_t>(offset), saving, std::move(name)});
    return static_cast<std::uint32_t>(periods_.size() - 1);
  };
  const auto name = take_abbreviation(text);
  const auto west = name ? take_time(text) : std::nullopt;  // POSIX counts hours west of Greenwich
  if (!west) return false;
  standard_ = add(*name, -*west, false);
  has_footer_ = true;
  if (text.empty()) return true;
  const auto other = take_abbreviation(text);
  if (!other) return false;
  std::int64_t offset = 3600 - *west;
  if (!text.starts_with(',')) {
    const auto other_west = take_time(text);
    if (!other_west) return false;
    offset = -*other_west;
  }
  daylight_ = add(*other, offset, true);
  for (YearDay* day : {&starts_, &ends_}) {
    if (!text.starts_with(',')) return false;
    text.remove_prefix(1);
    day->kind = text.starts_with('M')   ? YearDay::Kind::month_week_day
                : text.starts_with('J') ? YearDay::Kind::julian
                                        : YearDay::Kind::zero_based;
    if (day->kind != YearDay::Kind::zero_based) text.remove_prefix(1);
    for (int* part : {&day->month, &day->week, &day->day}) {
      if (day->kind != YearDay::Kind::month_week_day && part != &day->day) continue;
      if (part != &day->month && day->kind == YearDay::Kind::month_week_day) {
        if (!text.starts_with('.')) return false;
        text.remove_prefix(1);
      }
      const auto value = take_number(text);
      if (!value) return false;
      *part = *value;
    }
    if (!text.starts_with('/')) continue;
    text.remove_prefix(1);
    const auto time = take_time(text);
    if (!time) return false;
    day->time = *time;
  }
  footer_changes_ = true;
  return text.empty();
}

std::int64_t ZoneRules::YearDay::local_seconds(std::int64_t year) const {
  std::int64_t date = days_from_civil(year, 1, 1);
  if (kind == Kind::zero_based) {
    date += day;
  } else if (kind == Kind::julian) {
    date += day - 1 + (is_leap_year(year) && day >= 60 ? 1 : 0);
  } else {
    date = days_from_civil(year, month, 1);
    const std::int64_t weekday = floor_mod(date + 4, 7);  // 0 = Sunday
    date += floor_mod(day - weekday, 7) + (week - 1) * 7;
    if (date >= days_from_civil(year, month, 1) + days_in_month(year, month)) date -= 7;  // week 5: the last one
  }
  return date * kDay + time;
}

void ZoneRules::footer_changes(std::int64_t year, Change (&out)[2]) const {
  out[0] = {starts_.local_seconds(year) - periods_[standard_].offset, daylight_};
  out[1] = {ends_.local_seconds(year) - periods_[daylight_].offset, standard_};
  if (out[1].utc < out[0].utc) std::swap(out[0], out[1]);
}

const ZoneRules::Period& ZoneRules::by_footer(std::int64_t seconds, bool local) const {
  if (!footer_changes_) return periods_[standard_];
  const std::int64_t year = civil_from_days(floor_div(seconds, kDay)).year;
  const Period* current = nullptr;
  for (std::int64_t y = year - 1; y <= year + 1; ++y) {
    Change changes[2];
    footer_changes(y, changes);
    for (const Change& change : changes) {
      const Period& from = periods_[change.to == daylight_ ? standard_ : daylight_];
      const Period& to = periods_[change.to];
      if (current == nullptr) current = &from;
      if (seconds < change.utc + (local ? std::max(from.offset, to.offset) : 0)) return *current;
      current = &to;
    }
  }
  return *current;
}

const ZoneRules::Period& ZoneRules::at(std::int64_t utc) const {
  const auto next = std::ranges::upper_bound(changes_, utc, {}, &Change::utc);
  const auto index = static_cast<std::size_t>(next - changes_.begin());
  return next == changes_.end() && has_footer_ ? by_footer(utc, false) : before(index);
}

const ZoneRules::Period& ZoneRules::at_local(std::int64_t local) const {
  // A reading is past a change when both clocks, the old and the new one, would show the change behind it.
  const auto past = [&](std::size_t i) {
    return local >= changes_[i].utc + std::max(before(i).offset, periods_[changes_[i].to].offset);
  };
  auto index = static_cast<std::size_t>(std::ranges::upper_bound(changes_, local - 2 * kDay, {}, &Change::utc) -
                                        changes_.begin());
  while (index < changes_.size() && past(index)) ++index;
  return index == changes_.size() && has_footer_ ? by_footer(local, true) : before(index);
}

}  // namespace millrace::inline exec
