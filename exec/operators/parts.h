#pragma once

#include <algorithm>
#include <cstddef>

#include "exec/data/batch.h"
#include "exec/data/result.h"

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

}  // namespace millrace::inline exec
