#pragma once

#include <compare>
#include <cstdint>
#include <limits>

#include "exec/data/column.h"

namespace millrace::inline exec {

/// One value for all doubles that are one key: 0.0 for -0.0, and one NaN, above all numbers.
inline double plain_double(double value) {
  if (value == 0) return 0.0;
  return value == value ? value : std::numeric_limits<double>::quiet_NaN();
}
/// The column with such values only, nested ones too; itself where it has no others.
ColumnPtr with_plain_doubles(const ColumnPtr& column);

/// Deep equality of two values of one type (decimals: any scales); NULL equals NULL, maps without regard to order.
bool equal_values(const Column& a, std::size_t row_a, const Column& b, std::size_t row_b);
/// Order of two non-null values of one type that is not nested (as millrace::compare on boxes).
std::weak_ordering compare_values(const Column& a, std::size_t row_a, const Column& b, std::size_t row_b);

}  // namespace millrace::inline exec
