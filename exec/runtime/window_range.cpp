#include "exec/runtime/window_range.h"

#include <algorithm>
#include <limits>

namespace millrace::inline exec {
namespace {

/// The wider of two limits: none as soon as one side has none.
std::optional<std::int64_t> wider(std::optional<std::int64_t> a, std::optional<std::int64_t> b, bool lower) {
  if (!a || !b) return std::nullopt;
  return lower ? std::min(*a, *b) : std::max(*a, *b);
}

}  // namespace

void WindowRange::limit(const WindowLimit& limit, std::int64_t to) {
  const bool start = limit.bound == PseudoColumn::window_start;
  auto& min = start ? start_min : end_min;
  auto& max = start ? start_max : end_max;
  const auto raise = [&](std::int64_t least) { min = min ? std::max(*min, least) : least; };
  const auto lower = [&](std::int64_t most) { max = max ? std::min(*max, most) : most; };
  switch (limit.op) {
    case CompareOp::equal:
      raise(to);
      lower(to);
      break;
    case CompareOp::less:
      if (to == std::numeric_limits<std::int64_t>::min())
        raise(0), lower(-1);
      else
        lower(to - 1);
      break;
    case CompareOp::less_equal:
      lower(to);
      break;
    case CompareOp::greater:
      if (to == std::numeric_limits<std::int64_t>::max())
        raise(0), lower(-1);
      else
        raise(to + 1);
      break;
    case CompareOp::greater_equal:
      raise(to);
      break;
    default:
      break;
  }
}

void WindowRange::include(const WindowRange& other) {
  start_min = wider(start_min, other.start_min, true);
  start_max = wider(start_max, other.start_max, false);
  end_min = wider(end_min, other.end_min, true);
  end_max = wider(end_max, other.end_max, false);
}

bool WindowRange::holds(std::int64_t start, std::int64_t end) const {
  return (!start_min || start >= *start_min) && (!start_max || start <= *start_max) && (!end_min || end >= *end_min) &&
         (!end_max || end <= *end_max);
}

}  // namespace millrace::inline exec
