#pragma once

#include "planner/catalog/functions.h"

namespace millrace::conformance {

/// The built-in functions and those that cases of the suite `udf` use, which upstream has in its test classes only.
/// Their behaviour is what the cases show.
const FunctionCatalog& functions_with_tests();

}  // namespace millrace::conformance
