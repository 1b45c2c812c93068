#pragma once

#include <string>

#include "tests/conformance/corpus.h"
#include "tests/harness/session.h"

namespace millrace::conformance {

/// The post conditions of a case (conformance/README.md). Empty when they hold.
std::string check_post(const Case& test, Session& session);

}  // namespace millrace::conformance
