#pragma once

#include <cstdint>
#include <optional>

#include "planner/logical/plan.h"

namespace millrace::inline exec {

/// The windows that are wanted, inclusive.
struct WindowRange {
  std::optional<std::int64_t> start_min, start_max, end_min, end_max;

  void limit(const WindowLimit& limit, std::int64_t to);
  /// The windows of both, and perhaps more in between.
  void include(const WindowRange& other);
  bool holds(std::int64_t start, std::int64_t end) const;
  bool is_open() const { return !start_min && !start_max && !end_min && !end_max; }
};

}  // namespace millrace::inline exec
