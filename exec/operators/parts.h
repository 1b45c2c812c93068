#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include "exec/data/batch.h"
#include "exec/data/result.h"
#include "exec/operators/batch_ops.h"

namespace millrace::inline exec {

/// Gives `rows` rows on in parts of a batch's size: `give(from, to)` for each, until one fails. A pair of before and
/// after stays together; `kind(row)` tells.
template <class Kind, class Give>
Status give_in_parts(std::size_t rows, const Kind& kind, const Give& give) {
  for (std::size_t from = 0, to = 0; from < rows; from = to) {
    to = std::min(from + kMaxBatchRows, rows);
    if (kind(to - 1) == RowKind::update_before) ++to;
    if (Status given = give(from, to); !given) return given;
  }
  return {};
}

/// Rows of a batch, each as often as it is named; where rows have kinds, with these.
inline Batch gather_as(const Batch& in, std::span<const std::uint32_t> rows, std::span<const RowKind> kinds) {
  Batch made = gather(in, rows);
  if (!made.kinds.empty()) made.kinds.assign(kinds.begin(), kinds.end());
  return made;
}

/// Of changes in the order of the groups in which they were found: a row that went from one group to another leaves
/// before it comes, whichever group was seen first.
template <class Change>
void put_removals_first(std::vector<Change>& changes) {
  std::ranges::stable_partition(changes, [](const Change& change) { return change.kind == RowKind::remove; });
}

/// Gives changes on in parts, each a span: `give(part)`.
template <class Change, class Give>
Status give_changes(const std::vector<Change>& changes, const Give& give) {
  return give_in_parts(
      changes.size(), [&](std::size_t row) { return changes[row].kind; },
      [&](std::size_t from, std::size_t to) { return give(std::span(changes).subspan(from, to - from)); });
}

}  // namespace millrace::inline exec
