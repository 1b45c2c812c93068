#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "exec/runtime/layout.h"

namespace millrace::inline server {

/// Where a push query stands in the topic that it reads: what a client gives back to go on without a gap.
struct PushPosition {
  std::string topic;
  std::vector<std::int64_t> offsets;  // of the next record, by partition
};
std::string to_token(const PushPosition& position);
std::optional<PushPosition> parse_token(std::string_view token);

/// The topic of a query that can go on from a token: one that keeps no state and moves no rows between partitions.
/// Nothing for any other.
std::optional<std::string> resumable_topic(const PhysicalPlan& plan);

}  // namespace millrace::inline server
