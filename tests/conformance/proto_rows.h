#pragma once

#include <string>
#include <vector>

#include "cli/testing/json_text.h"

namespace millrace::conformance {

using namespace harness;

/// Why an answer in the Protobuf layout is not what is expected: `schema` as text, `rows` as a bag of texts in
/// Protobuf's text format, everything else in place. Empty: it is. Throws std::runtime_error for what is no Protobuf.
std::string proto_rows_difference(const Json& expected, const std::vector<Json>& actual);

}  // namespace millrace::conformance
