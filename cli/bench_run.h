#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "cli/bench_workloads.h"
#include "cli/local_service.h"

namespace millrace::inline cli::bench {

struct RunOptions {
  enum class LogKind { memory, embedded, kafka } log = LogKind::embedded;
  std::string kafka;      // HOST:PORT
  std::string directory;  // embedded: kept, and its inputs used again; empty: a temporary one
  int workers = 0;        // 0: one per core
  bool check = true;      // compare the output with what it must be
  std::string dump;       // a directory to write inputs and output to, as JSON lines
  std::vector<std::pair<std::string, std::string>> properties;
};

/// What one run cost. Time and processor are those from the first event processed to everything committed, of this
/// process alone.
struct Measured {
  std::int64_t events = 0, rows_out = 0;
  double seconds = 0, cpu_seconds = 0, startup_seconds = 0;  // startup: from the statement to the first event
  double peak_rss_mb = 0;                                    // until the last commit
  int workers = 0;
};

/// "Memory" and so on, as the results name it.
std::string log_name(const RunOptions& options);

/// Fills the inputs in a child process (on the memory log: in this one), so that generating them counts neither as time
/// nor as memory. To be called while the process has one thread.
Status prepare_inputs(const Workload& workload, const RunOptions& options);

/// A service of its own name on the chosen log.
struct OpenedService {
  std::string run;  // the name, which is part of every topic it makes
  std::unique_ptr<LocalService> local;
};
/// `inputs` of a log in memory are filled before the service starts.
Result<OpenedService> open_service(const RunOptions& options, const std::vector<Input>& inputs = {});
/// Ends it and deletes what it leaves in a log that lives on.
void close_service(const RunOptions& options, OpenedService& opened);

/// Runs the workload once, as a user's statements, and checks what came out.
Result<Measured> run_workload(const Workload& workload, const RunOptions& options);

/// Reads the output topic from its beginning; its number of records. An error when it is not what the workload must
/// give. `dump`: also writes each record to this file, unless empty.
Result<std::int64_t> check_output(Log& log, const std::string& topic, const Workload& workload,
                                  const std::string& dump = {});
/// The inputs to DIRECTORY/<source>.jsonl, one value a line.
Status dump_inputs(const Workload& workload, const std::string& directory);

double cpu_seconds();
double peak_rss_mb();

/// A line that is rewritten on a terminal and written seldom elsewhere.
class Progress {
 public:
  explicit Progress(std::string what) : what_(std::move(what)) {}
  ~Progress() { clear(); }
  void show(std::int64_t done, std::int64_t of);
  void clear();

 private:
  std::string what_;
  Clock::time_point began_ = Clock::now(), shown_ = began_;
  bool visible_ = false;
};

}  // namespace millrace::inline cli::bench
