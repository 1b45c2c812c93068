#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <optional>

#include "exec/functions/java_time.h"

namespace millrace::inline exec::java_time {

/// What a text can name, as java.time.temporal has it.
enum class Field : std::uint8_t {
  year,         // u: proleptic
  year_of_era,  // y
  era,          // 0 BC, 1 AD
  month,
  day,
  day_of_year,
  quarter,
  day_of_week,          // 1 = Monday
  day_of_english_week,  // 1 = Sunday
  week_of_month_aligned,
  julian_day,
  week_year,
  week_of_year,
  week_of_month,
  half,        // 0 AM, 1 PM
  day_period,  // index of kDayPeriods
  hour,
  half_hour,  // 0..11
  minute,
  second,
  nano,
  milli_of_day,
  nano_of_day,
  offset,  // ms
};
constexpr std::size_t kFieldCount = static_cast<std::size_t>(Field::offset) + 1;

/// The fields that a text named.
class Fields {
 public:
  std::optional<std::int64_t> get(Field field) const { return values_[static_cast<std::size_t>(field)]; }
  bool has(Field field) const { return get(field).has_value(); }
  /// False: the text says two things about one field.
  bool set(Field field, std::int64_t value) {
    auto& known = values_[static_cast<std::size_t>(field)];
    if (known && *known != value) return false;
    known = value;
    return true;
  }
  /// Forgets fields that something has been made of.
  void take(std::initializer_list<Field> taken) {
    for (const Field field : taken) values_[static_cast<std::size_t>(field)].reset();
  }
  const Zone* zone = nullptr;

 private:
  std::array<std::optional<std::int64_t>, kFieldCount> values_;
};

/// Makes a time of the fields as java.time's smart resolver does: what contradicts itself or does not exist is absent,
/// but for days that a month lacks, which become its last. Fields that make no whole date are put over 1970-01-01.
std::optional<ParsedTime> resolve(Fields fields);
/// As a lenient java.util.Calendar: what is out of range rolls over.
std::optional<ParsedTime> resolve_loosely(const Fields& fields);

}  // namespace millrace::inline exec::java_time
