#include <unicode/locid.h>
#include <unicode/timezone.h>

#include <charconv>
#include <map>
#include <optional>

#include "exec/functions/java_time.h"

namespace millrace::inline exec {
namespace {

class FixedZone final : public Zone {
 public:
  FixedZone(std::string name, std::int64_t offset) : Zone(std::move(name)), offset_(offset) {}
  std::int64_t offset_at(std::int64_t) const override { return offset_; }
  std::int64_t offset_at_local(std::int64_t) const override { return offset_; }

 private:
  std::int64_t offset_;
};

class RegionZone final : public Zone {
 public:
  RegionZone(std::string name, std::unique_ptr<icu::TimeZone> zone) : Zone(std::move(name)), zone_(std::move(zone)) {}
  std::int64_t offset_at(std::int64_t utc_millis) const override { return offset(utc_millis, false); }
  std::int64_t offset_at_local(std::int64_t local_millis) const override { return offset(local_millis, true); }
  std::string short_name(std::int64_t utc_millis) const override {
    std::int32_t raw = 0;
    std::int32_t saving = 0;
    UErrorCode status = U_ZERO_ERROR;
    zone_->getOffset(static_cast<UDate>(utc_millis), false, raw, saving, status);
    // Abbreviations are only known to the people who live there.
    char region[8] = "US";
    icu::TimeZone::getRegion(icu::UnicodeString::fromUTF8(name()), region, sizeof(region), status);
    for (const icu::Locale& locale : {icu::Locale::getUS(), icu::Locale("en", region)}) {
      icu::UnicodeString text;
      zone_->getDisplayName(saving != 0, icu::TimeZone::SHORT, locale, text);
      if (!text.startsWith("GMT")) {
        std::string out;
        text.toUTF8String(out);
        return out;
      }
    }
    return name();
  }

 private:
  std::int64_t offset(std::int64_t millis, bool local) const {
    std::int32_t raw = 0;
    std::int32_t saving = 0;
    UErrorCode status = U_ZERO_ERROR;
    zone_->getOffset(static_cast<UDate>(millis), local, raw, saving, status);
    return U_SUCCESS(status) ? raw + saving : 0;
  }
  std::unique_ptr<icu::TimeZone> zone_;
};

std::optional<int> two_digits(std::string_view& text, std::size_t at_least) {
  std::size_t size = 0;
  while (size < 2 && size < text.size() && text[size] >= '0' && text[size] <= '9') ++size;
  if (size < at_least) return std::nullopt;
  int value = 0;
  std::from_chars(text.data(), text.data() + size, value);
  text.remove_prefix(size);
  return value;
}

/// +h, +hh, +hh:mm, +hhmm, +hh:mm:ss, +hhmmss in milliseconds.
std::optional<std::int64_t> fixed_offset(std::string_view text) {
  if (text.empty() || (text[0] != '+' && text[0] != '-')) return std::nullopt;
  const bool negative = text[0] == '-';
  text.remove_prefix(1);
  const auto hours = two_digits(text, 1);
  if (!hours || *hours > 18) return std::nullopt;
  std::int64_t seconds = *hours * 3600;
  for (const int unit : {60, 1}) {
    if (text.empty()) break;
    if (text[0] == ':') text.remove_prefix(1);
    const auto part = two_digits(text, 2);
    if (!part || *part > 59) return std::nullopt;
    seconds += *part * unit;
  }
  if (!text.empty()) return std::nullopt;
  return (negative ? -seconds : seconds) * 1000;
}

std::unique_ptr<Zone> make_zone(std::string_view name) {
  std::string_view rest = name;
  if (rest == "Z") return std::make_unique<FixedZone>(std::string(name), 0);
  for (const std::string_view prefix : {"UTC", "GMT", "UT"}) {
    if (!rest.starts_with(prefix)) continue;
    if (rest.size() == prefix.size()) return std::make_unique<FixedZone>(std::string(name), 0);
    rest.remove_prefix(prefix.size());
    break;
  }
  if (const auto offset = fixed_offset(rest)) return std::make_unique<FixedZone>(std::string(name), *offset);
  std::unique_ptr<icu::TimeZone> zone(icu::TimeZone::createTimeZone(
      icu::UnicodeString::fromUTF8({name.data(), static_cast<std::int32_t>(name.size())})));
  if (zone == nullptr || *zone == icu::TimeZone::getUnknown()) return nullptr;
  return std::make_unique<RegionZone>(std::string(name), std::move(zone));
}

}  // namespace

const Zone& Zone::utc() {
  static const FixedZone zone("UTC", 0);
  return zone;
}

Result<const Zone*> Zone::find(std::string_view name) {
  thread_local std::map<std::string, std::unique_ptr<Zone>, std::less<>> known;
  const auto found = known.find(name);
  if (found != known.end()) return found->second.get();
  auto zone = make_zone(name);
  if (zone == nullptr) return user_error("unknown time zone: {}", name);
  return known.emplace(std::string(name), std::move(zone)).first->second.get();
}

}  // namespace millrace::inline exec
