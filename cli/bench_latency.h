#pragma once

#include "cli/bench_run.h"

namespace millrace::inline cli::bench {

struct LatencyOptions {
  int rate = 1'000;  // events a second
  int warm_up = 2;   // seconds before the first sample; a cold broker wants more
  int seconds = 10;  // of samples
};

struct Percentiles {
  std::size_t samples = 0;
  double p50 = 0, p99 = 0, max = 0;  // ms
};

/// From the append of an event until a push query on a derived stream shows it, and until a pull query on a derived
/// table does.
struct Latency {
  Percentiles push, pull;
  double achieved_rate = 0;
};

Result<Latency> run_latency(const RunOptions& options, const LatencyOptions& latency);

}  // namespace millrace::inline cli::bench
