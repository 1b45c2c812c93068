#pragma once

#include <compare>
#include <cstdint>

#include "exec/data/column.h"

namespace millrace::inline exec {

/// Deep equality of two values of one type (decimals: any scales); NULL equals NULL, maps without regard to order.
bool equal_values(const Column& a, std::size_t row_a, const Column& b, std::size_t row_b);
/// Order of two non-null values of one type that is not nested (as millrace::compare on boxes).
std::weak_ordering compare_values(const Column& a, std::size_t row_a, const Column& b, std::size_t row_b);

}  // namespace millrace::inline exec
