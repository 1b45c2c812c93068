#pragma once

#include "planner/bind/select_clauses.h"

namespace millrace::inline planner {

/// Joins of tables with windows, changes and all. Two that are joined by all of their keys, and say nothing about
/// windows, meet as they are: rows of one window. Of others the bounds become columns of the key.
void open_windows(const SelectInput& input, Scope& scope);

/// Two sources whose bounds are columns that ON does not name, and which it joins by all of their keys, meet in the
/// same window.
void imply_windows(const Scope& scope, const ScopeSource& right, JoinStep& step, Span span);

}  // namespace millrace::inline planner
