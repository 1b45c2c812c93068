#pragma once

#include "tests/conformance/run_case.h"
#include "tests/harness/session.h"

namespace millrace::conformance {

/// Starts one query alone on an empty log and feeds it record by record. Its output is appended to the session's lists.
/// Throws harness::Failure when the engine gives up on it: what upstream calls an exception at run time.
void run_query(Session& session, const Case& test, const PersistentQuery& query, const RunOptions& options);

}  // namespace millrace::conformance
