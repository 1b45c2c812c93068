#pragma once

#include <cstddef>
#include <set>
#include <string>

#include "tests/conformance/corpus.h"

namespace millrace::conformance {

enum class RestProtocol { http1, http2 };

struct RunOptions {
  std::size_t batch_rows = 4096;
  std::set<std::string> rules_off;
  RestProtocol protocol = RestProtocol::http1;  // of the rest suite
};

/// Runs one case as RUNNER.md says. Empty when it passed, else the reason it failed.
std::string run_case(const Case& test, const RunOptions& options);

}  // namespace millrace::conformance
