#pragma once

#include "planner/logical/plan.h"

namespace millrace::inline planner {

/// How the rows of a relation lie: by the bytes of the key in `key_format`, over `partitions` (0: unknown). `moved`:
/// the key has changed since, so rows of one key may lie anywhere.
struct Partitioning {
  FormatInfo key_format;
  int partitions = 0;
  bool moved = false;
};
Partitioning partitioning_of(const PlanNode& node);

/// Whether keys of these columns can be written in the format.
bool key_format_supports(const FormatInfo& format, const std::vector<ColumnDef>& keys);

/// The format for an internal topic: `wanted` when it can hold the key and needs no registry, else one that can.
FormatInfo internal_key_format(const FormatInfo& wanted, const std::vector<ColumnDef>& keys);

/// True when every source of the tree is known to have one partition.
bool single_partition(const PlanNode& node);

}  // namespace millrace::inline planner
