#pragma once

#include <algorithm>
#include <array>
#include <string_view>

#include "planner/logical/plan.h"

namespace millrace::inline planner {

/// Whether the groups are the same whatever the order of the rows, and may be put together of parts of them. (Sums of
/// DOUBLE may differ in their last digit.)
inline bool in_any_order(const GroupNode& group) {
  constexpr std::array<std::string_view, 5> kOfAnyOrder = {"COUNT", "SUM", "AVG", "MIN", "MAX"};
  return std::all_of(group.calls.begin(), group.calls.end(), [&](const AggregateCall& call) {
    return call.order.empty() &&
           std::find(kOfAnyOrder.begin(), kOfAnyOrder.end(), call.function->name) != kOfAnyOrder.end();
  });
}

}  // namespace millrace::inline planner
