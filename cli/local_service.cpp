#include "cli/local_service.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <thread>

#include "cli/commands.h"
#include "cli/kafka_options.h"
#include "exec/log/embedded/open.h"
#include "exec/log/kafka/open.h"
#include "exec/log/local/memory.h"

namespace millrace::inline cli {
namespace {

constexpr std::chrono::milliseconds kStartAgain{200};

using Opened = Result<std::unique_ptr<Log>>;

Opened open_memory(const DataDirectory&, const LocalOptions&) {
  return make_memory_log();
}

Opened open_kafka(const DataDirectory&, const LocalOptions& options) {
  const auto kafka = kafka_options(options.kafka, options.config);
  if (!kafka) return kafka.error();
  return open_kafka_log(*kafka, std::chrono::milliseconds(options.config.integer("millrace.broker.wait.ms")));
}

Opened open_embedded(const DataDirectory& directory, const LocalOptions& options) {
  return open_embedded_log({.directory = directory.log(), .sync = options.config.text("log.sync") != "off"});
}

/// The logs there are: the first that the options ask for is opened.
struct LogChoice {
  bool (*wanted)(const LocalOptions&);
  Opened (*open)(const DataDirectory&, const LocalOptions&);
};
constexpr std::array kLogs = {
    LogChoice{[](const LocalOptions& options) { return options.memory; }, open_memory},
    LogChoice{[](const LocalOptions& options) { return !options.kafka.empty(); }, open_kafka},
    LogChoice{[](const LocalOptions&) { return true; }, open_embedded},
};

}  // namespace

Result<std::unique_ptr<Log>> LocalService::open_log(const DataDirectory& directory, const LocalOptions& options) {
  if (const auto settings = kafka_options(options.memory ? std::string() : options.kafka, options.config); !settings)
    return settings.error();
  return std::ranges::find_if(kLogs, [&](const LogChoice& log) { return log.wanted(options); })
      ->open(directory, options);
}

Result<std::unique_ptr<LocalService>> LocalService::open(std::unique_ptr<DataDirectory> directory,
                                                         LocalOptions options) {
  if (options.kafka.empty()) options.kafka = options.config.text("bootstrap.servers");
  if (!options.kafka.empty()) options.config.set("bootstrap.servers", options.kafka);
  auto log = open_log(*directory, options);
  if (!log) return log.error();
  return open(std::move(directory), std::move(options), std::move(*log));
}

Result<std::unique_ptr<LocalService>> LocalService::open(std::unique_ptr<DataDirectory> directory, LocalOptions options,
                                                         std::unique_ptr<Log> log) {
  auto local = std::make_unique<LocalService>();
  local->directory_ = std::move(directory);
  local->log_ = std::move(log);
  const int cores = std::max(1, static_cast<int>(std::thread::hardware_concurrency()));
  const auto threads = options.config.find("num.stream.threads");
  ServiceOptions service;
  service.config = std::move(options.config);
  service.process_id = local->directory_->process_id();
  service.advertised = options.advertised;
  service.remote = options.remote;
  service.state_directory = local->directory_->state();
  service.workers = options.workers > 0 ? options.workers : threads ? std::stoi(*threads) : cores;
  service.version = kVersion;
  // A broker that answered a moment ago may be away for another: that is no reason to give up.
  const auto deadline =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(service.config.integer("millrace.broker.wait.ms"));
  auto opened = Service::open(*local->log_, service);
  while (!opened && opened.error().retriable() && local->log_->traits().membership &&
         std::chrono::steady_clock::now() < deadline) {
    spdlog::warn("{}; trying again", opened.error().message);
    std::this_thread::sleep_for(kStartAgain);
    opened = Service::open(*local->log_, service);
  }
  if (!opened) return opened.error();
  local->service_ = std::move(*opened);
  return local;
}

}  // namespace millrace::inline cli
