#pragma once

#include <vector>

#include "planner/catalog/functions.h"

/// One maker per family; builtin_functions() concatenates them.
namespace millrace::inline exec {

using FunctionFamily = std::vector<FunctionDef>;

FunctionFamily math_functions();
FunctionFamily rounding_functions();
FunctionFamily conditional_functions();
FunctionFamily string_functions();
FunctionFamily mask_functions();
FunctionFamily bytes_functions();
FunctionFamily regex_functions();
FunctionFamily array_functions();
FunctionFamily map_functions();
FunctionFamily lambda_functions();
FunctionFamily json_functions();
FunctionFamily url_functions();
FunctionFamily date_functions();
FunctionFamily date_arithmetic_functions();
FunctionFamily numeric_aggregates();
FunctionFamily extreme_aggregates();
FunctionFamily offset_aggregates();
FunctionFamily collect_aggregates();
FunctionFamily top_aggregates();
FunctionFamily by_aggregates();
FunctionFamily table_functions();
FunctionFamily window_functions();

}  // namespace millrace::inline exec
