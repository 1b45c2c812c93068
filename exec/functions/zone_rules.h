#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::inline exec {

/// What clocks in a region show, and when that changes: a compiled time zone file of the system (RFC 8536), which the
/// distribution keeps up to date. Immutable.
class ZoneRules {
 public:
  /// A stretch of local time. `offset` in seconds, to add to UTC.
  struct Period {
    std::int32_t offset = 0;
    bool saving = false;
    std::string abbreviation{};
  };

  /// Null: there is no such region, or its file is broken. Names are those of the time zone database (Europe/Paris).
  static std::unique_ptr<ZoneRules> load(std::string_view name);
  /// All regions of the system, sorted; empty when it has no time zone files.
  static const std::vector<std::string>& names();

  /// In force at an instant, in seconds since 1970-01-01.
  const Period& at(std::int64_t utc) const;
  /// In force at a clock reading in the region: in a gap or an overlap the one before the change.
  const Period& at_local(std::int64_t local) const;

 private:
  struct Change {
    std::int64_t utc;
    std::uint32_t to;  // index into periods_
  };
  /// `M3.2.0/2`, `J60` or `59`: when in a year the clocks change.
  struct YearDay {
    enum class Kind : std::uint8_t { month_week_day, julian, zero_based } kind = Kind::month_week_day;
    int month = 0, week = 0, day = 0;
    std::int64_t time = 7200;  // seconds since local midnight
    std::int64_t local_seconds(std::int64_t year) const;
  };

  bool parse(std::string_view bytes);
  bool parse_block(std::string_view bytes, std::size_t time_size, std::size_t& used);
  bool parse_footer(std::string_view text);
  const Period& before(std::size_t change) const {
    return change == 0 ? periods_[first_] : periods_[changes_[change - 1].to];
  }
  /// The changes that the footer makes in a year, in order.
  void footer_changes(std::int64_t year, Change (&out)[2]) const;
  const Period& by_footer(std::int64_t seconds, bool local) const;

  std::vector<Period> periods_;
  std::vector<Change> changes_;
  std::uint32_t first_ = 0;
  bool has_footer_ = false;
  bool footer_changes_ = false;
  std::uint32_t standard_ = 0, daylight_ = 0;  // the footer's periods
  YearDay starts_, ends_;                      // of daylight saving time
};

}  // namespace millrace::inline exec
