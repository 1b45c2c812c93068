#pragma once

#include "planner/catalog/functions.h"

namespace millrace {

/// Every built-in function: the families of this folder, concatenated in a fixed order. Built once per process.
const FunctionCatalog& builtin_functions();

}  // namespace millrace
