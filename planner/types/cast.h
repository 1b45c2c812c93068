#pragma once

#include <string>

#include "planner/types/value.h"

/// CAST on boxes (sql.md). The column kernels of exec/expr follow the same rules.
namespace millrace::inline planner {

bool is_cast_supported(const Type& from, const Type& to);

/// The value as `to`; NULL stays NULL. False when this value cannot be cast: `why` then says so and `out` is NULL.
/// Precondition: is_cast_supported(from, to).
bool cast_value(const Value& value, const Type& from, const Type& to, Value& out, std::string& why);

/// Java's narrowing of a double: NaN is 0, the rest is cut to the range, fraction dropped.
std::int32_t narrow_to_int(double value);
std::int64_t narrow_to_bigint(double value);
/// Whole part, low bits kept.
std::int64_t decimal_to_bigint(Decimal value);

}  // namespace millrace::inline planner
