#pragma once

#include <string>

#include "tests/conformance/run_case.h"

namespace millrace::conformance {

/// Runs one case of the rest suite (conformance/README.md) over HTTP against a server in this process, on a log in
/// memory. Empty when it passed, else the reason it failed.
std::string run_rest_case(const Case& test, RestProtocol protocol);

}  // namespace millrace::conformance
