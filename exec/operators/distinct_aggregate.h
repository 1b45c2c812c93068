#pragma once

#include <memory>
#include <vector>

#include "exec/functions/aggregate.h"

namespace millrace::inline exec {

/// The aggregate over each combination of arguments once: its state holds them, counted. For groups that are read once
/// and for those whose windows move; others keep the values in a store of their own (distinct_values.h).
std::unique_ptr<Aggregate> make_distinct(std::unique_ptr<Aggregate> inner, std::vector<Type> arguments);

/// Whether an argument of the row is NULL: DISTINCT leaves it out.
inline bool any_null(std::span<const ColumnPtr> arguments, std::uint32_t row) {
  for (const ColumnPtr& argument : arguments)
    if (argument->is_null(row)) return true;
  return false;
}

}  // namespace millrace::inline exec
