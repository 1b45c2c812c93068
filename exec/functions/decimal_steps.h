#pragma once

#include <cstdint>

#include "planner/catalog/functions.h"

namespace millrace::inline exec {

/// What is done to each DECIMAL value; precision and scale stay, except where `round` and `truncate` without places
/// drop the fraction digits from the type.
enum class DecimalStep : std::uint8_t { absolute, ceiling, floor };
FunctionVariant decimal_variant(DecimalStep step);

/// ROUND and TRUNC of DECIMAL, with and without a number of places.
FunctionVariant decimal_rounding(bool truncate, bool with_places);

}  // namespace millrace::inline exec
