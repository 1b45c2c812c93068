#pragma once

#include <stdexcept>
#include <string>

#include "tests/conformance/run_case.h"
#include "tests/harness/session.h"

namespace millrace::conformance {

/// The engine gave up on a query: what upstream calls an exception at run time.
struct QueryFailure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Starts one query alone on an empty log and feeds it record by record. Its output is appended to the session's lists.
void run_query(Session& session, const Case& test, const PersistentQuery& query, const RunOptions& options);

}  // namespace millrace::conformance
