#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "exec/data/result.h"

/// Date and time texts by java.time patterns (DateTimeFormatter.ofPattern, English, parsed in any case).
namespace millrace::inline exec {

/// A time zone by Java's names: regions, UTC, Z, +hh:mm, UTC+h.
class Zone {
 public:
  /// Zones asked for are kept per thread; the pointer lives as long as the thread.
  static Result<const Zone*> find(std::string_view name);
  /// The same, whatever the case of its letters.
  static Result<const Zone*> find_any_case(std::string_view name);
  static const Zone& utc();
  static const Zone& gmt();
  virtual ~Zone() = default;
  virtual std::int64_t offset_at(std::int64_t utc_millis) const = 0;  // to add to UTC, ms
  /// For a clock reading in the zone; in a gap or an overlap the earlier offset.
  virtual std::int64_t offset_at_local(std::int64_t local_millis) const = 0;
  const std::string& name() const { return name_; }
  /// The name in use at an instant: `PDT`, `Pacific Daylight Time`.
  virtual std::string short_name(std::int64_t utc_millis) const = 0;
  virtual std::string long_name(std::int64_t utc_millis) const = 0;
  /// The name for all of the year: `PT`, or when `full` `Pacific Time`; where there is none, that of standard time.
  virtual std::string generic_name(std::int64_t utc_millis, bool full) const = 0;

 protected:
  explicit Zone(std::string name) : name_(std::move(name)) {}

 private:
  std::string name_;
};

/// The region that a name of a time, `PST` or `Pacific Standard Time` in any case, is mostly used for. Null: not known.
const Zone* zone_of_time_name(std::string_view name);

/// What a text said. Local time; absent date parts are those of 1970-01-01, absent time parts 0.
struct ParsedTime {
  std::int64_t local_millis = 0;
  bool has_date_field = false;
  bool is_whole_date = false;  // the text names a day
  bool is_whole_time = false;  // the text names a time of day
  bool has_offset = false;
  std::int64_t offset = 0;     // ms
  const Zone* zone = nullptr;  // when there is no offset

  /// Milliseconds since 1970-01-01 UTC; where the text has no zone, in `fallback`.
  std::int64_t instant(const Zone& fallback) const {
    if (has_offset) return local_millis - offset;
    return local_millis - (zone != nullptr ? *zone : fallback).offset_at_local(local_millis);
  }
};

/// Which parts a value has that is to be written.
struct TimeParts {
  bool date = true;
  bool time = true;
  bool zone = true;
};

class JavaTimePattern {
 public:
  /// The last patterns stay compiled, per thread; the pointer is good until the next call.
  static Result<const JavaTimePattern*> find(std::string_view pattern);

  /// Appends to `out`. `local_millis`: clock reading in `zone`, whose offset is `offset` there. A field that the value
  /// does not have is an error, in an optional part it leaves the part out.
  Result<void> format(std::int64_t local_millis, std::int64_t offset, const Zone& zone, TimeParts has,
                      std::string& out) const;
  Result<ParsedTime> parse(std::string_view text) const;
  /// As java.text.SimpleDateFormat: numbers may have fewer or more digits and roll over, text after the end is ignored.
  Result<ParsedTime> parse_loosely(std::string_view text) const;

  /// An element: pattern letters, literal text, or the ends of an optional part.
  struct Part {
    enum class Kind : std::uint8_t { field, literal, open, close } kind;
    char letter = 0;
    int count = 0;
    int pad = 0;  // width that the field is padded to with spaces in front
    std::string text{};
  };

 private:
  Result<void> compile(std::string_view pattern);
  std::vector<Part> parts_;
};

}  // namespace millrace::inline exec
