#pragma once

#include <vector>

#include "planner/bind/select.h"

namespace millrace::inline planner {

/// UNION ALL of bound queries: columns by position, with the names of the first and types that hold those of all.
/// Of tables: the rows of all, under their key and the number of the branch. `sink`: as SelectInput.
BoundSelect unite(std::vector<BoundSelect> branches, const ast::Query& query, const std::string& sink);

}  // namespace millrace::inline planner
