#pragma once

#include <string>
#include <vector>

#include "cli/testing/json_text.h"
#include "tests/conformance/corpus.h"

namespace millrace::conformance {

/// Every expected member must be there and equal, nested objects alike; `NAME|starts_with` compares a prefix. Empty
/// when it matches, else what differs.
std::string subset_difference(const Json& expected, const Json& actual);

/// Rows of one query: by position, the columns of all rows as a bag.
std::string rows_difference(const Json& expected, const std::vector<Json>& actual);

/// The answer to a request that must fail.
std::string error_difference(const Case& test, int status, const Json& body);

}  // namespace millrace::conformance
