#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "exec/data/column.h"
#include "planner/types/schema.h"

namespace millrace::inline exec {

constexpr std::size_t kMaxBatchRows = 4096;

/// What a table row says about its key (design.md §3). `update_before` always directly precedes its
/// `update_after`. Where nobody asked for before rows, a table is made of `update_after` (upsert) and `remove`
/// (whose value columns are NULL); otherwise of all four, `remove` and `update_before` holding the old values.
enum class RowKind : std::uint8_t { insert, update_before, update_after, remove };

/// Headers of one record, in order. Value absent = null.
using Headers = std::vector<std::pair<std::string, std::optional<std::string>>>;

/// Rows on their way through a task. Columns are shared and immutable; a batch itself has one owner. Columns are in
/// the order of the schema of the node that made the batch.
struct Batch {
  std::size_t rows = 0;
  std::vector<ColumnPtr> columns;
  std::shared_ptr<const std::vector<std::int64_t>> timestamps;  // event time, ms; never null
  std::vector<RowKind> kinds;                                   // empty for streams
  Bitmap null_keys;                                             // the whole key is absent
  Bitmap null_values;                                           // streams: the whole value is null
  // Present only where the plan needs them, else null/empty:
  std::shared_ptr<const std::vector<std::int64_t>> window_start, window_end;
  std::shared_ptr<const std::vector<std::int64_t>> offsets;
  std::int32_t partition = 0;
  std::vector<std::shared_ptr<const Headers>> headers;  // one per row when any record of the batch has headers

  RowKind kind(std::size_t row) const { return kinds.empty() ? RowKind::insert : kinds[row]; }
};

/// The rows `rows` of a batch, everything included.
Batch gather(const Batch& batch, std::span<const std::uint32_t> rows);

}  // namespace millrace::inline exec
