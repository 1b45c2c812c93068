#pragma once

#include <string>
#include <vector>

#include "cli/testing/record_spec.h"
#include "parser/syntax/parse.h"

namespace millrace::inline cli {

/// A test of records: statements, then inputs fed one after another, then whole topics compared. Throws TestFailure
/// when something differs.
void run_record_test(const std::string& statements, const std::vector<harness::RecordSpec>& inputs,
                     const std::vector<harness::RecordSpec>& outputs, Dialect dialect);

}  // namespace millrace::inline cli
