#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace millrace::inline parser {

constexpr std::int64_t kMillisPerDay = 86'400'000;

namespace ast {

/// How long a unit is, in either number (`HOUR`, `HOURS`); 0 for those that differ in length.
constexpr std::int64_t unit_millis(std::string_view unit) {
  struct UnitLength {
    std::string_view name;  // singular
    std::int64_t millis;
  };
  constexpr std::array kUnits = {
      UnitLength{"MILLISECOND", 1},  UnitLength{"SECOND", 1'000},      UnitLength{"MINUTE", 60'000},
      UnitLength{"HOUR", 3'600'000}, UnitLength{"DAY", kMillisPerDay},
  };
  for (const UnitLength& known : kUnits) {
    if (unit == known.name || (unit.starts_with(known.name) && unit.size() == known.name.size() + 1))
      return known.millis;
  }
  return 0;
}

}  // namespace ast

}  // namespace millrace::inline parser
