#pragma once

#include <map>
#include <vector>

#include "exec/log/log.h"

namespace millrace::inline exec {

using KnownBounds = std::map<TopicPartition, Log::Bounds>;

/// Log::bounds_of by partition; the log is not asked about none.
inline Result<KnownBounds> known_bounds(Log& log, const std::vector<TopicPartition>& partitions,
                                        bool committed = true) {
  KnownBounds known;
  if (partitions.empty()) return known;
  const auto bounds = log.bounds_of(partitions, committed);
  if (!bounds) return bounds.error();
  for (std::size_t i = 0; i < partitions.size(); ++i) known[partitions[i]] = (*bounds)[i];
  return known;
}

}  // namespace millrace::inline exec
