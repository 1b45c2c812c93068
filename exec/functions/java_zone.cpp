#include <fmt/format.h>
#include <unicode/locid.h>
#include <unicode/strenum.h>
#include <unicode/timezone.h>
#include <unicode/tznames.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <optional>

#include "exec/functions/java_time.h"
#include "exec/functions/zone_rules.h"
#include "parser/error/letter_case.h"
#include "planner/types/civil.h"

namespace millrace::inline exec {
namespace {

icu::UnicodeString wide(std::string_view text) {
  return icu::UnicodeString::fromUTF8({text.data(), static_cast<std::int32_t>(text.size())});
}
std::string narrow(const icu::UnicodeString& text) {
  std::string out;
  text.toUTF8String(out);
  return out;
}

/// English names of times. Null when ICU has none.
const icu::TimeZoneNames* time_names() {
  static const std::unique_ptr<icu::TimeZoneNames> names = [] {
    UErrorCode status = U_ZERO_ERROR;
    std::unique_ptr<icu::TimeZoneNames> made(icu::TimeZoneNames::createInstance(icu::Locale::getEnglish(), status));
    return U_SUCCESS(status) ? std::move(made) : nullptr;
  }();
  return names.get();
}

std::string gmt_text(std::int64_t offset) {
  if (offset == 0) return "GMT";
  const std::int64_t minutes = (offset < 0 ? -offset : offset) / 60;
  return fmt::format("GMT{}{:02}:{:02}", offset < 0 ? '-' : '+', minutes / 60, minutes % 60);
}

class FixedZone final : public Zone {
 public:
  FixedZone(std::string name, std::int64_t offset) : Zone(std::move(name)), offset_(offset) {}
  std::int64_t offset_at(std::int64_t) const override { return offset_; }
  std::int64_t offset_at_local(std::int64_t) const override { return offset_; }
  std::string short_name(std::int64_t) const override { return name(); }
  std::string long_name(std::int64_t) const override {
    return name() == "UTC" ? "Coordinated Universal Time" : name() == "GMT" ? "Greenwich Mean Time" : name();
  }
  std::string generic_name(std::int64_t utc_millis, bool full) const override {
    return full ? long_name(utc_millis) : name();
  }

 private:
  std::int64_t offset_;
};

class RegionZone final : public Zone {
 public:
  RegionZone(std::string name, std::unique_ptr<ZoneRules> rules) : Zone(std::move(name)), rules_(std::move(rules)) {}
  std::int64_t offset_at(std::int64_t utc_millis) const override {
    return std::int64_t{rules_->at(floor_div(utc_millis, 1000)).offset} * 1000;
  }
  std::int64_t offset_at_local(std::int64_t local_millis) const override {
    return std::int64_t{rules_->at_local(floor_div(local_millis, 1000)).offset} * 1000;
  }
  std::string short_name(std::int64_t utc_millis) const override {
    return abbreviation(rules_->at(floor_div(utc_millis, 1000)));
  }
  std::string long_name(std::int64_t utc_millis) const override {
    const ZoneRules::Period& period = rules_->at(floor_div(utc_millis, 1000));
    const std::string text = icu_name(is_summer(period) ? UTZNM_LONG_DAYLIGHT : UTZNM_LONG_STANDARD, utc_millis);
    return text.empty() ? gmt_text(period.offset) : text;
  }
  std::string generic_name(std::int64_t utc_millis, bool full) const override {
    std::string text = icu_name(full ? UTZNM_LONG_GENERIC : UTZNM_SHORT_GENERIC, utc_millis);
    if (!text.empty()) return text;
    const ZoneRules::Period& period = standard_near(floor_div(utc_millis, 1000));
    if (!full) return abbreviation(period);
    text = icu_name(UTZNM_LONG_STANDARD, utc_millis);
    return text.empty() ? gmt_text(period.offset) : text;
  }

 private:
  static std::string abbreviation(const ZoneRules::Period& period) {
    // Where nobody uses letters the database has digits.
    return std::isalpha(static_cast<unsigned char>(period.abbreviation[0])) != 0 ? period.abbreviation
                                                                                 : gmt_text(period.offset);
  }
  /// Empty: there is no such name.
  std::string icu_name(UTimeZoneNameType type, std::int64_t utc_millis) const {
    if (time_names() == nullptr) return {};
    UErrorCode status = U_ZERO_ERROR;
    icu::UnicodeString id;
    UBool is_system = 0;
    icu::TimeZone::getCanonicalID(wide(name()), id, is_system, status);
    icu::UnicodeString text;
    if (U_SUCCESS(status)) time_names()->getDisplayName(id, type, static_cast<UDate>(utc_millis), text);
    return narrow(text);
  }
  /// The standard time of about then.
  const ZoneRules::Period& standard_near(std::int64_t seconds) const {
    constexpr std::int64_t kHalfYear = std::int64_t{182} * 86'400;
    const ZoneRules::Period& now = rules_->at(seconds);
    const ZoneRules::Period& later = rules_->at(seconds + kHalfYear);
    return is_summer(now) && !is_summer(later) ? later : now;
  }
  /// Ireland's summer time is the standard one by law, and by the database.
  bool is_summer(const ZoneRules::Period& period) const {
    return period.abbreviation == "IST" && period.offset == 3600 ? true : period.saving && period.offset != 0;
  }
  std::unique_ptr<ZoneRules> rules_;
};

std::optional<int> take_digits(std::string_view& text, std::size_t at_least) {
  std::size_t size = 0;
  while (size < 2 && size < text.size() && text[size] >= '0' && text[size] <= '9') ++size;
  if (size < at_least) return std::nullopt;
  int value = 0;
  std::from_chars(text.data(), text.data() + size, value);
  text.remove_prefix(size);
  return value;
}

/// +h, +hh, +hh:mm, +hhmm, +hh:mm:ss, +hhmmss in milliseconds, at most 18 hours.
std::optional<std::int64_t> fixed_offset(std::string_view text) {
  if (text.empty() || (text[0] != '+' && text[0] != '-')) return std::nullopt;
  const bool negative = text[0] == '-';
  text.remove_prefix(1);
  const std::size_t before = text.size();
  const auto hours = take_digits(text, 1);
  if (!hours || (before - text.size() == 1 && !text.empty())) return std::nullopt;
  std::int64_t seconds = *hours * 3600;
  const bool colon = text.starts_with(':');
  for (const int unit : {60, 1}) {
    if (text.empty()) break;
    if (text.starts_with(':') != colon) return std::nullopt;
    if (colon) text.remove_prefix(1);
    const auto part = take_digits(text, 2);
    if (!part || *part > 59) return std::nullopt;
    seconds += *part * unit;
  }
  if (!text.empty() || seconds > 18 * 3600) return std::nullopt;
  return (negative ? -seconds : seconds) * 1000;
}

/// As ZoneOffset and ZoneId print them: Z, +02:00, UTC+02:00.
std::string normal_name(std::string_view prefix, std::int64_t offset) {
  if (offset == 0) return prefix.empty() ? "Z" : std::string(prefix);
  const std::int64_t seconds = (offset < 0 ? -offset : offset) / 1000;
  std::string text = fmt::format("{}{}{:02}:{:02}", prefix, offset < 0 ? '-' : '+', seconds / 3600, seconds / 60 % 60);
  if (seconds % 60 != 0) text += fmt::format(":{:02}", seconds % 60);
  return text;
}

std::unique_ptr<Zone> make_zone(std::string_view name) {
  if (name == "Z") return std::make_unique<FixedZone>("Z", 0);
  std::string_view prefix;
  for (const std::string_view known : {"UTC", "GMT", "UT"}) {
    if (!name.starts_with(known)) continue;
    if (name.size() == known.size()) return std::make_unique<FixedZone>(std::string(name), 0);
    prefix = known;
    break;
  }
  if (const auto offset = fixed_offset(name.substr(prefix.size())))
    return std::make_unique<FixedZone>(normal_name(prefix, *offset), *offset);
  auto rules = ZoneRules::load(name);
  return rules ? std::make_unique<RegionZone>(std::string(name), std::move(rules)) : nullptr;
}

/// Abbreviations that mean several times mean the one that most people use. `names`: separated by spaces.
struct Abbreviations {
  std::string_view names;
  std::string_view zone;
};
constexpr Abbreviations kAbbreviations[] = {
    {"pst pdt", "America/Los_Angeles"},
    {"mst mdt", "America/Denver"},
    {"cst cdt", "America/Chicago"},
    {"est edt", "America/New_York"},
    {"ast adt", "America/Halifax"},
    {"nst ndt", "America/St_Johns"},
    {"akst akdt", "America/Anchorage"},
    {"hst hdt hast hadt", "Pacific/Honolulu"},
    {"sst", "Pacific/Pago_Pago"},
    {"chst", "Pacific/Guam"},
    {"bst", "Europe/London"},
    {"wet west", "Atlantic/Canary"},
    {"cet cest met mest", "Europe/Paris"},
    {"eet eest", "Europe/Bucharest"},
    {"msk", "Europe/Moscow"},
    {"trt", "Europe/Istanbul"},
    {"wat", "Africa/Lagos"},
    {"cat", "Africa/Maputo"},
    {"eat", "Africa/Nairobi"},
    {"sast", "Africa/Johannesburg"},
    {"ist", "Asia/Kolkata"},
    {"pkt", "Asia/Karachi"},
    {"jst", "Asia/Tokyo"},
    {"kst", "Asia/Seoul"},
    {"hkt", "Asia/Hong_Kong"},
    {"sgt", "Asia/Singapore"},
    {"ict", "Asia/Bangkok"},
    {"wib", "Asia/Jakarta"},
    {"wita", "Asia/Makassar"},
    {"wit", "Asia/Jayapura"},
    {"gst", "Asia/Dubai"},
    {"irst", "Asia/Tehran"},
    {"npt", "Asia/Kathmandu"},
    {"brt", "America/Sao_Paulo"},
    {"art", "America/Argentina/Buenos_Aires"},
    {"clt clst", "America/Santiago"},
    {"cot", "America/Bogota"},
    {"pet", "America/Lima"},
    {"vet", "America/Caracas"},
    {"awst", "Australia/Perth"},
    {"acst acdt", "Australia/Adelaide"},
    {"aest aedt", "Australia/Sydney"},
    {"nzst nzdt", "Pacific/Auckland"},
};

using NameTable = std::map<std::string, std::string, std::less<>>;

NameTable make_time_names() {
  NameTable table{{"coordinated universal time", "UTC"}};
  for (const auto& [names, zone] : kAbbreviations) {
    for (std::string_view rest = names; !rest.empty();) {
      const std::size_t size = std::min(rest.find(' '), rest.size());
      table.emplace(rest.substr(0, size), zone);
      rest.remove_prefix(std::min(size + 1, rest.size()));
    }
  }
  if (time_names() == nullptr) return table;
  UErrorCode status = U_ZERO_ERROR;
  const std::unique_ptr<icu::StringEnumeration> all(time_names()->getAvailableMetaZoneIDs(status));
  while (const icu::UnicodeString* meta = U_SUCCESS(status) ? all->snext(status) : nullptr) {
    icu::UnicodeString zone;
    time_names()->getReferenceZoneID(*meta, "001", zone);
    for (const auto type : {UTZNM_LONG_GENERIC, UTZNM_LONG_STANDARD, UTZNM_LONG_DAYLIGHT, UTZNM_SHORT_GENERIC}) {
      icu::UnicodeString text;
      time_names()->getMetaZoneDisplayName(*meta, type, text);
      if (!text.isEmpty() && !zone.isEmpty()) table.emplace(lower_case(narrow(text)), narrow(zone));
    }
  }
  return table;
}

}  // namespace

const Zone& Zone::utc() {
  static const FixedZone zone("UTC", 0);
  return zone;
}
const Zone& Zone::gmt() {
  static const FixedZone zone("GMT", 0);
  return zone;
}

Result<const Zone*> Zone::find(std::string_view name) {
  thread_local std::map<std::string, std::unique_ptr<Zone>, std::less<>> known;
  const auto found = known.find(name);
  if (found != known.end()) return found->second.get();
  auto zone = make_zone(name);
  if (zone == nullptr) return user_error("Unknown time-zone ID: {}", name);
  return known.emplace(std::string(name), std::move(zone)).first->second.get();
}

Result<const Zone*> Zone::find_any_case(std::string_view name) {
  static const NameTable regions = [] {
    NameTable table{{"z", "Z"}};
    for (const std::string& region : ZoneRules::names()) table.emplace(lower_case(region), region);
    return table;
  }();
  const auto region = regions.find(lower_case(name));
  if (region != regions.end()) return find(region->second);
  return find(upper_case(name));  // UTC+1
}

const Zone* zone_of_time_name(std::string_view name) {
  static const NameTable table = make_time_names();
  const auto found = table.find(lower_case(name));
  const auto zone = found == table.end() ? Result<const Zone*>(nullptr) : Zone::find(found->second);
  return zone ? *zone : nullptr;
}

}  // namespace millrace::inline exec
