#include <benchmark/benchmark.h>
#include <stdlib.h>
#include <sys/resource.h>

#include <filesystem>
#include <memory>
#include <string>

#include "exec/log/embedded/open.h"
#include "exec/log/local/memory.h"
#include "exec/log/log.h"

/// Cost of a record on the local logs: 195 bytes of value, 12 of key, 4 partitions, commits of 50,000 records.
/// `cpu_ns` counts every thread of the process (commits and RocksDB's background work too) per record.
namespace millrace {
namespace {

constexpr int kPartitions = 4;
constexpr int kPerCommit = 50'000;

class Bench {
 public:
  explicit Bench(bool embedded) {
    if (!embedded) {
      log_ = make_memory_log();
    } else {
      std::string name = (std::filesystem::temp_directory_path() / "millrace-bench-XXXXXX").string();
      if (mkdtemp(name.data()) == nullptr) std::abort();
      directory_ = name;
      log_ = std::move(*open_embedded_log({.directory = directory_}));
    }
    (void)log_->create_topic("bench", {.partitions = kPartitions});
    writer_ = std::move(*log_->writer("bench", nullptr));
    topic_ = *writer_->topic("bench");
  }
  ~Bench() {
    writer_.reset();
    log_.reset();
    if (!directory_.empty()) std::filesystem::remove_all(directory_);
  }

  void append(int records) {
    for (int i = 0; i < records; ++i)
      (void)writer_->append(topic_, i % kPartitions, key_, value_, RecordTime{1'700'000'000'000 + i});
    (void)writer_->commit();
  }
  void finish() { (void)writer_->commit_state(std::chrono::minutes(1)); }
  Log& log() { return *log_; }

 private:
  std::string directory_;
  std::unique_ptr<Log> log_;
  std::unique_ptr<Writer> writer_;
  TopicHandle topic_{};
  const std::string key_ = std::string(12, 'k');
  const std::string value_ = std::string(195, 'v');
};

double process_cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void report(benchmark::State& state, double cpu_before, std::int64_t records) {
  state.SetItemsProcessed(records);
  state.counters["cpu_ns"] = (process_cpu_seconds() - cpu_before) * 1e9 / static_cast<double>(records);
}

void append(benchmark::State& state, bool embedded) {
  Bench bench(embedded);
  const double before = process_cpu_seconds();
  for (auto _ : state) bench.append(kPerCommit);
  bench.finish();
  report(state, before, state.iterations() * kPerCommit);
}

/// `cold`: more than the log keeps in memory, so that reads come from RocksDB.
void read(benchmark::State& state, bool embedded, bool cold) {
  Bench bench(embedded);
  const int rounds = cold ? 20 : 1;
  for (int i = 0; i < rounds; ++i) bench.append(kPerCommit);
  bench.finish();
  std::int64_t records = 0;
  std::int64_t bytes = 0;
  const double before = process_cpu_seconds();
  for (auto _ : state) {
    auto reader = std::move(*bench.log().reader("bench"));
    for (int p = 0; p < kPartitions; ++p) (void)reader->add({"bench", p}, kOffsetBeginning);
    while (auto fetch = std::move(*reader->poll(4096, std::chrono::milliseconds(0)))) {
      records += static_cast<std::int64_t>(fetch->records.size());
      for (const RecordView& record : fetch->records) bytes += static_cast<std::int64_t>(record.value->size());
    }
  }
  benchmark::DoNotOptimize(bytes);
  report(state, before, records);
}

BENCHMARK_CAPTURE(append, memory, false)->Unit(benchmark::kMillisecond)->Iterations(20)->UseRealTime();
BENCHMARK_CAPTURE(append, embedded, true)->Unit(benchmark::kMillisecond)->Iterations(60)->UseRealTime();
BENCHMARK_CAPTURE(read, memory, false, false)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(read, embedded_recent, true, false)->Unit(benchmark::kMillisecond)->UseRealTime();
BENCHMARK_CAPTURE(read, embedded_cold, true, true)->Unit(benchmark::kMillisecond)->UseRealTime();

}  // namespace
}  // namespace millrace
