#pragma once

#include <vector>

#include "planner/bind/select.h"

namespace millrace::inline planner {

/// UNION ALL of bound queries: columns by position, with the names of the first and types that hold those of all.
BoundSelect unite(std::vector<BoundSelect> branches, const ast::Query& query);

}  // namespace millrace::inline planner
