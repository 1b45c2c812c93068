#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "exec/log/log.h"

namespace millrace::inline exec {

struct KafkaOptions {
  std::string brokers;
  std::vector<std::pair<std::string, std::string>>
      properties;  // librdkafka settings given by the operator (security...)
  std::chrono::milliseconds commit_interval{2000};
  /// A process of which the group hears nothing for so long loses its slots; how often it says that it is there.
  std::chrono::milliseconds session_timeout{6000}, heartbeat{200};
  /// Other clusters whose topics are read and written, by name, each with its own `bootstrap.servers` among its
  /// settings. Nobody waits for them here.
  using Properties = std::vector<std::pair<std::string, std::string>>;
  std::map<std::string, Properties> clusters = {};
};
/// Whether Kafka's clients take these settings. Needs no broker.
Status check_kafka_options(const KafkaOptions& options);
/// Returns when a broker has answered, or with an external error after `wait`.
Result<std::unique_ptr<Log>> open_kafka_log(const KafkaOptions& options, std::chrono::milliseconds wait);
/// Threads of clients that did not come to their end are there: the process is not to destroy what they may touch.
bool kafka_clients_left();

}  // namespace millrace::inline exec
