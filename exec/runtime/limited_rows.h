#pragma once

#include <numeric>
#include <optional>
#include <vector>

#include "exec/data/batch.h"
#include "exec/operators/row_limit.h"

namespace millrace::inline exec {

/// What the limit leaves of a batch, counted; absent: nothing.
inline std::optional<Batch> take_limited(RowLimit& limit, Batch&& batch) {
  const std::size_t kept = limit.of(batch.rows);
  limit.count(kept);
  if (kept == 0) return std::nullopt;
  if (kept == batch.rows) return std::move(batch);
  std::vector<std::uint32_t> first(kept);
  std::iota(first.begin(), first.end(), 0U);
  return gather(batch, first);
}

}  // namespace millrace::inline exec
