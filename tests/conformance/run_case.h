#pragma once

#include <cstddef>
#include <set>
#include <string>

#include "tests/conformance/corpus.h"
#include "tests/harness/session.h"

namespace millrace::conformance {

enum class RestProtocol { http1, http2 };

struct RunOptions {
  std::size_t batch_rows = 4096;
  std::set<std::string> rules_off;
  RestProtocol protocol = RestProtocol::http1;  // of the rest suite
};

/// Registers the schemas of a case's topics with the session's registry, in the order that decides their ids. Throws
/// std::runtime_error for one that cannot be registered.
void register_schemas(const Case& test, const std::vector<ast::StatementPtr>& statements, Session& session);

/// Runs one case as conformance/README.md says. Empty when it passed, else the reason it failed.
std::string run_case(const Case& test, const RunOptions& options);

}  // namespace millrace::conformance
