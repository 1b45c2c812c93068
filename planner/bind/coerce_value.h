#pragma once

#include <optional>

#include "planner/bind/binder.h"

namespace millrace::inline planner {

/// A constant as a value of a column: widening, DECIMAL without rounding, texts as times and BYTES, nested
/// values part by part. Nullopt when it does not fit.
std::optional<Value> coerce_value(const Value& value, const Type& from, const Type& to, const BindContext& context);

}  // namespace millrace::inline planner
