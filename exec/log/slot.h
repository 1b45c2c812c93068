#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace millrace::inline exec {

/// A share of a service's work, dealt to its processes. The slots topic has a partition of that number for it; what
/// partitions other topics have is something else, which the compiler tells apart.
enum class SlotId : std::int32_t {};

constexpr SlotId kNoSlot{-1};  // of tasks of transient queries

/// Its partition of the slots topic.
constexpr std::int32_t partition_of(SlotId slot) {
  return static_cast<std::int32_t>(slot);
}
constexpr std::size_t index_of(SlotId slot) {
  return static_cast<std::size_t>(slot);
}

inline std::vector<SlotId> all_slots(int count) {
  std::vector<SlotId> all;
  for (int i = 0; i < count; ++i) all.push_back(SlotId{i});
  return all;
}

}  // namespace millrace::inline exec
