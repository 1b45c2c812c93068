#pragma once

#include <string>

#include "planner/types/value.h"

namespace millrace::inline exec {

/// Equal values have equal bytes: maps are in the order of their keys, at any depth.
std::string canonical_bytes(const Value& value, const Type& type);

}  // namespace millrace::inline exec
