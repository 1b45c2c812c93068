// Runs one of the workloads of the speed budget through the engine, without server: generated bids in, CPU seconds per
// million events out. millrace-workloads w1|w2|w3|w4 [--events N] [--log memory|embedded|HOST:PORT] [--workers N]
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <map>
#include <random>
#include <thread>

#include "exec/formats/format.h"
#include "exec/runtime/engine.h"
#include "parser/build/parse.h"
#include "tests/harness/session.h"

namespace millrace {
namespace {

constexpr int kPartitions = 4;

struct Arguments {
  std::string workload = "w1", log = "embedded";
  int events = 1'000'000, workers = 1;
};

const std::map<std::string, std::string> kStatements = {
    {"w1",
     "CREATE STREAM out WITH (kafka_topic='{}') AS SELECT auction_key, auction, bidder, price * 0.908e0 AS price, "
     "dateTime FROM bids;"},
    {"w2",
     "CREATE STREAM out WITH (kafka_topic='{}') AS SELECT auction_key, auction, price FROM bids WHERE auction % 123 = "
     "0;"},
    {"w3",
     "CREATE TABLE out WITH (kafka_topic='{}') AS SELECT auction_key, COUNT(*) AS n, SUM(price) AS s, MAX(price) AS m "
     "FROM bids WINDOW TUMBLING (SIZE 10 SECONDS) GROUP BY auction_key;"},
    {"w4",
     "CREATE TABLE out WITH (kafka_topic='{}') AS SELECT bidder, COUNT(*) AS n, MAX(price) AS m FROM bids GROUP BY "
     "bidder;"},
};

template <class T>
T must(Result<T> result) {
  if (!result) throw std::runtime_error(result.error().message);
  return std::move(*result);
}
void must(const Status& status) {
  if (!status) throw std::runtime_error(status.error().message);
}

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

void generate(Log& log, const std::string& topic, int events) {
  auto writer = must(log.writer("workloads-generator", nullptr));
  const int handle = must(writer->topic(topic));
  std::mt19937_64 random(42);
  const std::string extra(60, 'x');
  for (int i = 0; i < events; ++i) {
    const std::string key = std::to_string(random() % 100'000);
    const std::int64_t time = 1'600'000'000'000 + i / 10;
    const std::string value = fmt::format(
        R"({{"auction":{},"bidder":{},"price":{},"channel":"channel-{}","url":"https://auction.example/{}","dateTime":{},"extra":"{}"}})",
        key, random() % 50'000, 100 + random() % 1'000'000, i % 10, i % 1000, time, extra);
    must(writer->append(handle, partition_for(key, kPartitions), key, value, time));
    if (i % 50'000 == 49'999 || i + 1 == events) {
      must(writer->commit());
      if (writer->commit_state(std::chrono::seconds{60}).outcome != Writer::Outcome::committed)
        throw std::runtime_error("the generator's commit failed");
    }
  }
}

PhysicalPlan plan_of(const Arguments& arguments, const std::string& in, const std::string& out, Log& log) {
  harness::Session session({{"cache.max.bytes.buffering", "10000000"}}, {});
  const auto statements = parse(fmt::format(fmt::runtime(
      "CREATE STREAM bids (auction_key STRING KEY, auction BIGINT, bidder BIGINT, price BIGINT, dateTime BIGINT) WITH "
      "(kafka_topic='{}', value_format='JSON', partitions={}, timestamp='dateTime');" +
          kStatements.at(arguments.workload)),
      in, kPartitions, out));
  session.declare_topics_of(statements, kPartitions);
  for (const auto& statement : statements) session.apply(statement);
  for (const auto& [name, info] : session.topics()) {
    if (must(log.describe_topic(name))) continue;
    TopicConfig config;
    config.partitions = info.partitions;
    config.retention_ms = -1;
    must(log.create_topic(name, config));
  }
  return *session.queries().back().plan;
}

void run(const Arguments& arguments) {
  const auto directory = std::filesystem::temp_directory_path() / fmt::format("millrace-workloads-{}", ::getpid());
  std::filesystem::create_directories(directory);
  std::unique_ptr<Log> log;
  if (arguments.log == "memory") {
    log = make_memory_log();
  } else if (arguments.log == "embedded") {
    EmbeddedOptions options;
    options.directory = directory / "log";
    log = must(open_embedded_log(options));
  } else {
    KafkaOptions options;
    options.brokers = arguments.log;
    log = must(open_kafka_log(options, std::chrono::seconds{10}));
  }
  const std::string prefix = fmt::format("w{}-", ::getpid());
  auto plan = std::make_shared<const PhysicalPlan>(plan_of(arguments, prefix + "bids", prefix + "out", *log));
  generate(*log, prefix + "bids", arguments.events);
  {
    EngineOptions options;
    options.service_id = prefix;
    options.process_id = "bench";
    options.workers = arguments.workers;
    options.every_partition_owned = arguments.log == "memory" || arguments.log == "embedded";
    options.state_directory = directory / "state";
    auto engine = must(Engine::start(*log, options, {}));
    must(engine->prepare(*plan));
    const double cpu = cpu_seconds();
    const auto begin = std::chrono::steady_clock::now();
    must(engine->start_query(plan));
    if (!engine->wait_until_idle(std::chrono::minutes{10})) throw std::runtime_error("not done in time");
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    const auto status = engine->status(plan->query_id);
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    fmt::print(
        "{} {}: {} events in {:.2f} s, {:.0f} events/s, {:.2f} CPU s per million, {} rows out, peak RSS {} MB {}\n",
        arguments.workload, arguments.log, arguments.events, seconds, arguments.events / seconds,
        (cpu_seconds() - cpu) * 1e6 / arguments.events, status->rows_out, usage.ru_maxrss / 1024, status->error);
  }
  log.reset();
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace millrace

int main(int argc, char** argv) {
  millrace::Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    if (word == "--events" && i + 1 < argc) {
      arguments.events = std::stoi(argv[++i]);
    } else if (word == "--workers" && i + 1 < argc) {
      arguments.workers = std::stoi(argv[++i]);
    } else if (word == "--log" && i + 1 < argc) {
      arguments.log = argv[++i];
    } else {
      arguments.workload = word;
    }
  }
  try {
    millrace::run(arguments);
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
}
