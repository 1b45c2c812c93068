#pragma once

#include <cstddef>
#include <span>

#include "exec/data/batch.h"

namespace millrace::inline exec {

/// Memory that the values take, about: what views point to counts for each of them.
std::size_t footprint(const Column& column);
std::size_t footprint(std::span<const ColumnPtr> columns);
std::size_t footprint(const Batch& batch);

}  // namespace millrace::inline exec
