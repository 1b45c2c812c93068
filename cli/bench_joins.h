#pragma once

#include "cli/bench_workloads.h"

namespace millrace::inline cli::bench {

// The workloads over two inputs that both go on, and sessions. Their events are those of all inputs together.
Workload stream_stream_join(const Shape& shape);
Workload late_stream_stream_join(const Shape& shape);
Workload table_table_join(const Shape& shape);
Workload foreign_key_join(const Shape& shape);
Workload session_windows(const Shape& shape);

}  // namespace millrace::inline cli::bench
