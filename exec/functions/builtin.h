#pragma once

#include "planner/catalog/functions.h"

namespace millrace::inline exec {

/// Every built-in function: the families of this folder, concatenated in a fixed order. Built once per process.
const FunctionCatalog& builtin_functions();

}  // namespace millrace::inline exec
