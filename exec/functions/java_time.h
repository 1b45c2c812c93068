#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "exec/data/result.h"

/// Date and time texts by java.time patterns (DateTimeFormatter.ofPattern, English, case-insensitive parsing).
namespace millrace::inline exec {

/// A time zone by Java's names: regions, UTC, Z, +hh:mm, UTC+h.
class Zone {
 public:
  /// The last zones asked for are kept per thread; the pointer lives as long as the thread.
  static Result<const Zone*> find(std::string_view name);
  static const Zone& utc();
  virtual ~Zone() = default;
  virtual std::int64_t offset_at(std::int64_t utc_millis) const = 0;  // to add to UTC, ms
  /// For a clock reading in the zone; in a gap or overlap the earlier offset.
  virtual std::int64_t offset_at_local(std::int64_t local_millis) const = 0;
  const std::string& name() const { return name_; }
  /// The name in use at an instant: `PDT`.
  virtual std::string short_name(std::int64_t) const { return name_; }

 protected:
  explicit Zone(std::string name) : name_(std::move(name)) {}

 private:
  std::string name_;
};

/// What a text said. Local time; absent date parts are those of 1970-01-01, absent time parts 0.
struct ParsedTime {
  std::int64_t local_millis = 0;
  bool has_date = false;
  bool has_time = false;
  bool has_zone = false;
  std::int64_t zone_offset = 0;  // ms, when has_zone
};

class JavaTimePattern {
 public:
  /// The last patterns stay compiled, per thread; the pointer is good until the next call.
  static Result<const JavaTimePattern*> find(std::string_view pattern);

  bool has_date_fields() const { return date_fields_; }
  bool has_time_fields() const { return time_fields_; }
  /// Appends to `out`. `local_millis`: clock reading in `zone`, whose offset is `offset` there.
  Result<void> format(std::int64_t local_millis, std::int64_t offset, const Zone& zone, std::string& out) const;
  Result<ParsedTime> parse(std::string_view text) const;
  /// As java.text.SimpleDateFormat: numbers may have fewer or more digits, text after the end is ignored.
  Result<ParsedTime> parse_loosely(std::string_view text) const;

  /// An element: pattern letters, literal text, or the ends of an optional part.
  struct Part {
    enum class Kind : std::uint8_t { field, literal, open, close } kind;
    char letter = 0;
    int count = 0;
    std::string text{};
  };

 private:
  Result<void> compile(std::string_view pattern);
  Result<ParsedTime> parse_as(std::string_view text, bool loose) const;
  std::vector<Part> parts_;
  bool date_fields_ = false;
  bool time_fields_ = false;
};

}  // namespace millrace::inline exec
