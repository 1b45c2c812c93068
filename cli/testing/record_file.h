#pragma once

#include "cli/testing/record_spec.h"

namespace millrace::inline cli::harness {

/// A record of an input or output file: `topic`, `key`, `value`, `timestamp`, `window`, `headers`; unknown members are
/// passed over.
RecordSpec read_record(const Json& from);

}  // namespace millrace::inline cli::harness
