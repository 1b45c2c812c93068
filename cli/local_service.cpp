#include "cli/local_service.h"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <thread>

#include "cli/commands.h"
#include "exec/log/embedded/open.h"
#include "exec/log/kafka/open.h"
#include "exec/log/local/memory.h"

namespace millrace::inline cli {
namespace {

constexpr std::chrono::milliseconds kStartAgain{200};

/// The value of `name="..."` in a JAAS configuration; empty: it is not there.
std::string jaas_value(const std::string& jaas, const std::string& name) {
  const std::size_t at = jaas.find(name + "=\"");
  if (at == std::string::npos) return {};
  const std::size_t from = at + name.size() + 2;
  return jaas.substr(from, jaas.find('"', from) - from);
}

using Properties = std::vector<std::pair<std::string, std::string>>;

/// A security setting under the name that Java's clients have for it, as librdkafka calls it. Files must be PEM, or
/// PKCS#12 where keys are in them.
void add_security(const std::string& name, const std::string& value, Properties& out) {
  if (name == "sasl.jaas.config") {
    out.emplace_back("sasl.username", jaas_value(value, "username"));
    out.emplace_back("sasl.password", jaas_value(value, "password"));
  } else if (name == "ssl.truststore.location") {
    out.emplace_back("ssl.ca.location", value);
  } else if (name == "ssl.keystore.location" && value.ends_with(".pem")) {
    out.emplace_back("ssl.certificate.location", value);
    out.emplace_back("ssl.key.location", value);
  } else if (!name.starts_with("ssl.truststore.") && name != "ssl.keystore.type") {
    out.emplace_back(name, value);
  }
}

/// Settings that the operator gave for Kafka clients: `kafka.NAME`, and the security ones under their own names.
Properties kafka_properties(const Config& config) {
  Properties properties;
  // Without TLS to Kafka the stores are the listeners' alone.
  const bool tls = config.find("security.protocol").value_or("").find("SSL") != std::string::npos;
  for (const auto& [name, value] : config.explicit_values()) {
    if (name.starts_with("kafka.")) properties.emplace_back(name.substr(6), value);
    if (name.starts_with("security.") || name.starts_with("sasl.") ||
        (tls && name.starts_with("ssl.") && !name.starts_with("ssl.client.")))
      add_security(name, value, properties);
  }
  return properties;
}

using Opened = Result<std::unique_ptr<Log>>;

Opened open_memory(const DataDirectory&, const LocalOptions&) {
  return make_memory_log();
}

Opened open_kafka(const DataDirectory&, const LocalOptions& options) {
  return open_kafka_log({.brokers = options.kafka,
                         .properties = kafka_properties(options.config),
                         .commit_interval = std::chrono::milliseconds(options.config.integer("commit.interval.ms")),
                         .session_timeout = std::chrono::milliseconds(options.config.integer("session.timeout.ms")),
                         .heartbeat = std::chrono::milliseconds(options.config.integer("heartbeat.interval.ms"))},
                        std::chrono::milliseconds(options.config.integer("millrace.broker.wait.ms")));
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
