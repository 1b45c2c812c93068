#include "cli/bench_run.h"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <thread>

#include "cli/bench_format.h"
#include "cli/commands.h"
#include "cli/terminal.h"
#include "parser/error/letter_case.h"

namespace millrace::inline cli::bench {
namespace {

namespace json = boost::json;

constexpr std::chrono::microseconds kStartPoll{500};
constexpr std::chrono::milliseconds kRunPoll{5};
constexpr std::chrono::seconds kStall{120};
constexpr std::chrono::seconds kProgressEvery{5};

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

LocalOptions local_options(const RunOptions& options, const std::string& run) {
  LocalOptions local;
  local.memory = options.log == RunOptions::LogKind::memory;
  local.advertised = "bench";
  local.workers = options.workers;
  local.config.set("ksql.service.id", run);
  for (const auto& [name, value] : options.properties) local.config.set(name, value);
  if (options.log == RunOptions::LogKind::kafka) {
    local.kafka = options.kafka;
    local.config.set("bootstrap.servers", options.kafka);
  }
  return local;
}

Status fill_with_progress(Log& log, const std::vector<Input>& inputs) {
  Progress progress("generating");
  return fill(log, inputs, [&](const Input& input, std::int64_t done) { progress.show(done, input.records); });
}

Status fill_here(const Workload& workload, const RunOptions& options) {
  auto directory = options.directory.empty() ? DataDirectory::temporary() : DataDirectory::open(options.directory);
  if (!directory) return directory.error();
  LocalOptions local = local_options(options, "bench-generator");
  local.config.set("log.sync", "off");
  auto log = LocalService::open_log(**directory, local);
  if (!log) return log.error();
  return fill_with_progress(**log, workload.inputs);
}

/// The statements of one run against a service, and what may be asked about the queries they start.
class Run {
 public:
  Run(Service& service, const Workload& workload, const std::string& topic) : service_(service), workload_(workload) {
    for (const auto& [name, value] : workload.variables) variables_[upper_case(name)] = value;
    variables_["RESULT"] = topic;
  }

  Status execute(const std::string& sql) {
    const Reply reply =
        service_.execute({.sql = sql, .properties = {{"auto.offset.reset", "earliest"}}, .variables = variables_});
    if (reply.error) return user_error("{}\n  in: {}", reply.error->message, sql);
    for (const json::value& entity : reply.entities)
      if (const json::value* status = entity.as_object().if_contains("commandStatus"))
        if (const json::value* id = status->as_object().if_contains("queryId"); id != nullptr && id->is_string())
          queries_.push_back(json::value_to<std::string>(*id));
    return {};
  }

  /// Until the first query has read so many rows. An error when a query failed or stands still.
  Status wait_for_rows(std::uint64_t rows, std::chrono::microseconds pause, Progress& progress) {
    std::uint64_t before = 0;
    auto moved = Clock::now();
    while (true) {
      if (Status healthy = check_queries(); !healthy) return healthy;
      const std::uint64_t now = service_.engine().status(queries_.front())->rows_in;
      if (now >= rows) return {};
      if (now != before) moved = Clock::now();
      before = now;
      if (Clock::now() - moved > kStall) return user_error("no progress for {} s at {} rows", kStall.count(), before);
      progress.show(static_cast<std::int64_t>(before), workload_.events + workload_.table_rows);
      std::this_thread::sleep_for(pause);
    }
  }
  Status wait_for_commit() {
    const auto deadline = Clock::now() + std::chrono::minutes{10};
    while (Clock::now() < deadline) {
      if (service_.wait_until_idle(std::chrono::seconds{1})) return check_queries();
      if (Status healthy = check_queries(); !healthy) return healthy;
    }
    return user_error("{} does not come to its end", workload_.name);
  }

 private:
  Status check_queries() {
    for (const std::string& query : queries_) {
      const auto status = service_.engine().status(query);
      if (!status || status->restarts > 0 || status->state == QueryState::error)
        return user_error("the query {} failed: {}", query, status ? status->error : "it is gone");
    }
    return {};
  }

  Service& service_;
  const Workload& workload_;
  Variables variables_;
  std::vector<std::string> queries_;
};

Status measure(Service& service, const Workload& workload, const std::string& topic, Measured& measured) {
  Run run(service, workload, topic);
  if (Status done = run.execute(workload.sources); !done) return done;
  const auto stated = Clock::now();
  if (Status done = run.execute(workload.query); !done) return done;
  Progress progress(workload.name);
  if (Status done = run.wait_for_rows(static_cast<std::uint64_t>(workload.table_rows) + 1, kStartPoll, progress); !done)
    return done;
  const auto began = Clock::now();
  const double cpu = cpu_seconds();
  measured.startup_seconds = seconds_since(stated);
  if (Status done =
          run.wait_for_rows(static_cast<std::uint64_t>(workload.table_rows + workload.events), kRunPoll, progress);
      !done)
    return done;
  if (Status done = run.wait_for_commit(); !done) return done;
  measured.seconds = seconds_since(began);
  measured.cpu_seconds = cpu_seconds() - cpu;
  measured.peak_rss_mb = peak_rss_mb();
  measured.events = workload.events;
  return {};
}

/// What a run leaves in a log that lives on: its output, its command log, its internal topics.
void remove_topics(Log& log, const std::string& run) {
  auto topics = log.list_topics();
  if (!topics) return;
  for (const TopicDescription& topic : *topics)
    if (topic.name.find(run) != std::string::npos) (void)log.delete_topic(topic.name);
}

}  // namespace

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double peak_rss_mb() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) / 1024;
  return 0;
}

void Progress::show(std::int64_t done, std::int64_t of) {
  const bool terminal = ::isatty(2) != 0;
  const auto now = Clock::now();
  if (now - shown_ < (terminal ? std::chrono::milliseconds{200} : kProgressEvery)) return;
  shown_ = now;
  const std::string line = fmt::format("{}: {} of {} ({} %), {:.0f} s", what_, done, of, of > 0 ? done * 100 / of : 0,
                                       std::chrono::duration<double>(now - began_).count());
  fmt::print(stderr, "{}{}{}", terminal ? "\r" : "", line, terminal ? "\x1b[K" : "\n");
  std::fflush(stderr);
  visible_ = terminal;
}

void Progress::clear() {
  if (visible_) fmt::print(stderr, "\r\x1b[K");
  visible_ = false;
}

std::string log_name(const RunOptions& options) {
  constexpr const char* kNames[] = {"memory", "embedded", "kafka"};
  return kNames[static_cast<int>(options.log)];
}

Status prepare_inputs(const Workload& workload, const RunOptions& options) {
  if (options.log == RunOptions::LogKind::memory) return {};
  const pid_t child = ::fork();
  if (child < 0) return user_error("cannot start a process to generate the inputs");
  if (child == 0) {
    const Status filled = fill_here(workload, options);
    if (!filled) fmt::print(stderr, "millrace bench: {}\n", filled.error().message);
    std::fflush(stderr);
    ::_exit(filled ? 0 : 1);
  }
  int status = 0;
  if (::waitpid(child, &status, 0) != child || status != 0) return user_error("the inputs could not be generated");
  return {};
}

Result<OpenedService> open_service(const RunOptions& options, const std::vector<Input>& inputs) {
  const auto second = std::chrono::system_clock::now().time_since_epoch() / std::chrono::seconds{1};
  OpenedService opened{.run = fmt::format("bench-{}-{}_", ::getpid(), second), .local = nullptr};
  auto directory = options.directory.empty() ? DataDirectory::temporary() : DataDirectory::open(options.directory);
  if (!directory) return directory.error();
  LocalOptions local = local_options(options, opened.run);
  auto log = LocalService::open_log(**directory, local);
  if (!log) return log.error();
  if (local.memory)
    if (Status filled = fill_with_progress(**log, inputs); !filled) return filled.error();
  auto service = LocalService::open(std::move(*directory), std::move(local), std::move(*log));
  if (!service) return service.error();
  opened.local = std::move(*service);
  return opened;
}

void close_service(const RunOptions& options, OpenedService& opened) {
  opened.local->stop();
  if (options.log != RunOptions::LogKind::memory) remove_topics(opened.local->log(), opened.run);
}

Result<Measured> run_workload(const Workload& workload, const RunOptions& options) {
  auto opened = open_service(options, workload.inputs);
  if (!opened) return opened.error();
  const std::string topic = opened->run + workload.name;
  Measured measured;
  measured.workers = options.workers > 0 ? options.workers : static_cast<int>(std::thread::hardware_concurrency());
  Status done = register_inputs(workload, opened->local->service().registry());
  if (done) done = measure(opened->local->service(), workload, topic, measured);
  if (done && !options.dump.empty()) done = dump_inputs(workload, options.dump);
  if (done && options.check) {
    const std::string dump = options.dump.empty() ? "" : options.dump + "/output.jsonl";
    auto rows = check_output(opened->local->log(), topic, workload, dump);
    if (rows) measured.rows_out = *rows;
    if (!rows) done = rows.error();
  }
  close_service(options, *opened);
  if (!done) return done.error();
  return measured;
}

}  // namespace millrace::inline cli::bench
