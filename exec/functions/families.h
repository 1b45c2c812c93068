#pragma once

#include <vector>

#include "planner/catalog/functions.h"

/// One maker per family; builtin_functions() concatenates them.
namespace millrace {

using FunctionFamily = std::vector<FunctionDef>;

FunctionFamily numeric_aggregates();
FunctionFamily extreme_aggregates();
FunctionFamily offset_aggregates();
FunctionFamily collect_aggregates();
FunctionFamily top_aggregates();
FunctionFamily table_functions();

}  // namespace millrace
