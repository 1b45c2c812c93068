#pragma once

#include <cstdint>

#include "exec/log/embedded/store.h"

namespace millrace::inline exec {

struct CompactionLimits {
  std::int64_t drop_tombstones_before = 0;  // append time, ms
  std::size_t max_keys = 1 << 20;
};
struct CompactionResult {
  std::int64_t compacted_to = 0;
  std::uint64_t live_bytes = 0;  // before `compacted_to`
};

/// Keeps, of the records of [begin, end) of one partition, the last one of each key; offsets stay what they were.
/// Records without a key and the very last record stay. Looks for newer records in [from, end), which is cut short when
/// it has more than `max_keys` keys; what lies before `from` was compacted already. Readers may go on meanwhile.
Result<CompactionResult> compact_partition(EmbeddedStore& store, PartitionId partition, const Log::Bounds& bounds,
                                           std::int64_t from, const CompactionLimits& limits);

}  // namespace millrace::inline exec
