#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "exec/data/column.h"
#include "planner/logical/parts.h"

namespace millrace::inline exec {

/// How row `x` of columns `a` stands to row `y` of columns `b` in an order, which has one column for each of its keys:
/// less than 0 before it, 0 the same, more than 0 behind it.
int compare_rows(std::span<const SortKey> order, const std::vector<ColumnPtr>& a, std::uint32_t x,
                 const std::vector<ColumnPtr>& b, std::uint32_t y);

}  // namespace millrace::inline exec
