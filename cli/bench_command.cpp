#include <fmt/format.h>
#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include <charconv>
#include <filesystem>
#include <fstream>

#include "cli/bench_format.h"
#include "cli/bench_latency.h"
#include "cli/bench_nexmark.h"
#include "cli/bench_run.h"
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/terminal.h"

namespace millrace::inline cli {
namespace {

using bench::RunOptions;

constexpr const char* kBenchHelp = R"(usage: millrace bench WORKLOAD [OPTIONS]

Generates the input (unless it is there), runs the workload once and prints what it cost; the output is compared with what it must be.
bench/README.md describes the workloads and how they are measured.

{}  {}
           queries of the Nexmark benchmark (bench/nexmark); FILE.sql is one of your own

  --embedded              on an embedded log (the default)
  --kafka HOST:PORT       on a Kafka cluster; inputs stay there for the next run
  --memory                on a log in memory
  --data DIR              embedded: keep the log here, with its inputs (default: a temporary directory)
  --events N              (default 3000000)
  --keys N                distinct auctions (default 100000)
  --columns N             wide: columns of a row (default 100)
  --format FORMAT         of the values of w1 to w9, in and out: JSON (the default), AVRO, PROTOBUF, JSON_SR
  --workers N             worker threads (default one per core)
  --batch N               most rows in a batch (default 4096)
  --set NAME=VALUE        server property; repeatable
  --no-check              do not compare the output
  --dump DIR              write inputs and output there, as JSON lines
  --rate N                latency: events a second (default 1000); Nexmark: events in a second of event time (default 10000)
  --seconds N             latency: length of the run (default 10)
  --warm-up N             latency: seconds before it (default 2, on Kafka 20)
  --json FILE             write the result there

examples:
  millrace bench w3
  millrace bench w3 --kafka 127.0.0.1:9092 --events 1000000 --json result.json
  millrace bench latency --rate 1000 --seconds 30
)";
const std::vector<OptionDef> kBenchOptions = {
    {"embedded"},         {"kafka", 'k', true}, {"memory"},           {"data", 0, true},        {"events", 0, true},
    {"keys", 0, true},    {"workers", 0, true}, {"batch", 0, true},   {"set", 's', true, true}, {"no-check"},
    {"json", 0, true},    {"help", 'h'},        {"rate", 0, true},    {"seconds", 0, true},     {"dump", 0, true},
    {"warm-up", 0, true}, {"format", 0, true},  {"columns", 0, true},
};

std::int64_t positive(const Options& options, std::string_view name, std::int64_t fallback) {
  const auto text = options.get(name);
  if (!text) return fallback;
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), value);
  if (error != std::errc() || end != text->data() + text->size() || value <= 0)
    throw UsageError(fmt::format("--{} needs a positive number, got '{}'", name, *text));
  return value;
}

RunOptions run_options(const Options& options) {
  if (options.has("embedded") + options.has("kafka") + options.has("memory") > 1)
    throw UsageError("give one of --embedded, --kafka and --memory");
  RunOptions run;
  if (options.has("memory")) run.log = RunOptions::LogKind::memory;
  if (auto kafka = options.get("kafka")) {
    run.log = RunOptions::LogKind::kafka;
    run.kafka = *kafka;
  }
  run.directory = options.get("data").value_or("");
  run.workers = static_cast<int>(positive(options, "workers", 0));
  run.check = !options.has("no-check");
  run.dump = options.get("dump").value_or("");
  for (const std::string& definition : options.all("set")) run.properties.push_back(split_definition(definition));
  if (options.has("batch"))
    run.properties.emplace_back("millrace.batch.rows", std::to_string(positive(options, "batch", 0)));
  return run;
}

/// The embedded log's directory: the one given, or a temporary one that is removed in the end.
class Place {
 public:
  explicit Place(RunOptions& options) {
    if (options.log != RunOptions::LogKind::embedded || !options.directory.empty()) return;
    std::string pattern = (std::filesystem::temp_directory_path() / "millrace-bench-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("cannot create a temporary directory");
    options.directory = path_ = pattern;
  }
  ~Place() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }

 private:
  std::string path_;
};

/// One JSON object on a line, as a person would write its numbers.
std::string result_json(const bench::Workload& workload, const RunOptions& options, const bench::Measured& measured) {
  const double events = static_cast<double>(measured.events);
  return fmt::format(
      R"({{"workload":"{}","format":"{}","log":"{}","events":{},"rows_out":{},"seconds":{:.3f},"events_per_second":{:.0f},)"
      R"("cpu_seconds_per_million":{:.3f},"peak_rss_mb":{:.1f},"startup_seconds":{:.3f},"workers":{},"checked":{}}})",
      workload.name, workload.format, bench::log_name(options), measured.events, measured.rows_out, measured.seconds,
      events / measured.seconds, measured.cpu_seconds * 1e6 / events, measured.peak_rss_mb, measured.startup_seconds,
      measured.workers, options.check);
}

void write_line(const std::string& path, const std::string& line) {
  std::ofstream file(path, std::ios::trunc);
  file << line << '\n';
  file.flush();
  if (!file) throw std::runtime_error("cannot write " + path);
}

int failed(const Error& error) {
  fmt::print(stderr, "millrace bench: {}\n", error.message);
  return 1;
}

/// A workload of the table, a Nexmark query or a file of statements like one.
std::optional<bench::Workload> workload_of(const std::string& name, const bench::Shape& shape) {
  if (name.ends_with(".sql"))
    return bench::nexmark_workload(std::filesystem::path(name).stem(), read_file_or_stdin(name), shape);
  if (auto workload = bench::find_workload(name, shape)) return workload;
  if (auto sql = bench::nexmark_sql(name)) return bench::nexmark_workload(name, *sql, shape);
  return std::nullopt;
}

int report_latency(const Options& options, const RunOptions& run) {
  bench::LatencyOptions latency;
  latency.rate = static_cast<int>(positive(options, "rate", latency.rate));
  latency.seconds = static_cast<int>(positive(options, "seconds", latency.seconds));
  const int warm_up = run.log == RunOptions::LogKind::kafka ? 20 : latency.warm_up;  // a broker compiles itself first
  latency.warm_up = static_cast<int>(positive(options, "warm-up", warm_up));
  const auto measured = bench::run_latency(run, latency);
  if (!measured) return failed(measured.error());
  if (auto path = options.get("json"))
    write_line(*path,
               fmt::format(R"({{"workload":"latency","log":"{}","rate":{:.0f},"push_samples":{},"push_p50_ms":{:.2f},)"
                           R"("push_p99_ms":{:.2f},"pull_samples":{},"pull_p50_ms":{:.2f},"pull_p99_ms":{:.2f}}})",
                           bench::log_name(run), measured->achieved_rate, measured->push.samples, measured->push.p50,
                           measured->push.p99, measured->pull.samples, measured->pull.p50, measured->pull.p99));
  const auto line = [](const char* what, const bench::Percentiles& p) {
    fmt::print("  {}: p50 {:.2f} ms, p99 {:.2f} ms, max {:.2f} ms ({} samples)\n", what, p.p50, p.p99, p.max,
               p.samples);
  };
  fmt::print("latency {}, {:.0f} events/s, from append to visible\n", bench::log_name(run), measured->achieved_rate);
  line("push query", measured->push);
  line("pull query", measured->pull);
  return 0;
}

int report_workload(const bench::Workload& workload, const Options& options, const RunOptions& run) {
  const auto measured = bench::run_workload(workload, run);
  if (!measured) return failed(measured.error());
  if (auto path = options.get("json")) write_line(*path, result_json(workload, run, *measured));
  const double events = static_cast<double>(measured->events);
  fmt::print(
      "{} {} {}: {} events in {:.2f} s, {:.0f} events/s, {:.2f} CPU s per million, peak RSS {:.0f} MB, {} rows out\n",
      workload.name, workload.format, bench::log_name(run), measured->events, measured->seconds,
      events / measured->seconds, measured->cpu_seconds * 1e6 / events, measured->peak_rss_mb, measured->rows_out);
  return 0;
}

}  // namespace

int bench_command(const std::vector<std::string>& arguments) {
  const Options options(kBenchOptions, arguments);
  if (options.has("help")) {
    fmt::print(fmt::runtime(kBenchHelp), bench::workload_list(), bench::nexmark_names());
    return 0;
  }
  if (options.positional().size() != 1) throw UsageError("expected one workload");
  const bench::Shape shape{.events = positive(options, "events", bench::Shape{}.events),
                           .keys = positive(options, "keys", bench::Shape{}.keys),
                           .rate = positive(options, "rate", bench::Shape{}.rate),
                           .columns = std::max<std::int64_t>(6, positive(options, "columns", bench::Shape{}.columns))};
  const std::string& name = options.positional().front();
  auto workload = workload_of(name, shape);
  const std::string format = options.get("format").value_or("JSON");
  if (workload && !bench::set_format(*workload, format))
    throw UsageError(fmt::format("{} cannot be had in the format '{}'", name, format));
  if (!workload && name != "latency") throw UsageError(fmt::format("unknown workload '{}'", name));
  RunOptions run = run_options(options);
  const Place place(run);
  // Before any thread starts: the inputs come from a child process.
  if (workload)
    if (Status filled = bench::prepare_inputs(*workload, run); !filled) return failed(filled.error());
  spdlog::set_default_logger(spdlog::stderr_color_mt("millrace"));
  spdlog::set_level(spdlog::level::warn);
  return workload ? report_workload(*workload, options, run) : report_latency(options, run);
}

}  // namespace millrace::inline cli
