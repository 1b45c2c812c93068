#pragma once

#include <vector>

#include "planner/bind/pull_lookups.h"

namespace millrace::inline planner {

/// Whether an index of that kind of column finds what `=` does.
bool can_be_indexed(const Type& type);

/// Takes the index of the table that serves a predicate best, which is the OR of ANDs. False: none does.
bool find_index(const std::vector<std::vector<ast::ExprPtr>>& disjuncts, const PullSource& source,
                BoundPull::Access& access);

}  // namespace millrace::inline planner
