#pragma once

#include "cli/bench_workloads.h"

namespace millrace::inline cli::bench {

// What bench/growth.py makes larger and larger: the number of keys of an aggregate that keeps them all, and of columns
// of which two are read.
Workload keyed_aggregate(const Shape& shape);
Workload wide_rows(const Shape& shape);

}  // namespace millrace::inline cli::bench
