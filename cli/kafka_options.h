#pragma once

#include "exec/log/kafka/open.h"
#include "server/config/config.h"

namespace millrace::inline cli {

/// What the settings say of Kafka's clients: `kafka.NAME`, the security ones under their own names, and those of other
/// clusters, `millrace.cluster.CLUSTER.NAME`. Security settings may have the names that Java's clients have for them.
/// `brokers` empty: the log is another one, which knows no other clusters.
Result<KafkaOptions> kafka_options(const std::string& brokers, const Config& config);

}  // namespace millrace::inline cli
