#pragma once

#include <algorithm>
#include <vector>

#include "planner/catalog/functions.h"
#include "planner/logical/parts.h"

namespace millrace::inline planner {

/// Whether parts of the rows may be taken in apart, and what has come of them be merged, without that showing.
inline bool combines(const std::vector<AggregateCall>& calls) {
  return std::ranges::all_of(calls, [](const AggregateCall& call) {
    return call.function->variants[call.variant].combines && !call.distinct && call.order.empty();
  });
}

}  // namespace millrace::inline planner
