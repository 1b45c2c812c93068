#include "cli/kafka_options.h"

#include "planner/types/topic_name.h"

namespace millrace::inline cli {
namespace {

constexpr std::string_view kClusterPrefix = "millrace.cluster.";

/// The value of `name="..."` in a JAAS configuration; empty: it is not there.
std::string jaas_value(const std::string& jaas, const std::string& name) {
  const std::size_t at = jaas.find(name + "=\"");
  if (at == std::string::npos) return {};
  const std::size_t from = at + name.size() + 2;
  return jaas.substr(from, jaas.find('"', from) - from);
}

using Properties = KafkaOptions::Properties;

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

Properties own_properties(const Config& config) {
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

}  // namespace

Result<KafkaOptions> kafka_options(const std::string& brokers, const Config& config) {
  KafkaOptions options{.brokers = brokers,
                       .properties = own_properties(config),
                       .commit_interval = std::chrono::milliseconds(config.integer("commit.interval.ms")),
                       .session_timeout = std::chrono::milliseconds(config.integer("session.timeout.ms")),
                       .heartbeat = std::chrono::milliseconds(config.integer("heartbeat.interval.ms"))};
  for (const auto& [name, value] : config.explicit_values()) {
    if (!name.starts_with(kClusterPrefix)) continue;
    const std::string rest = name.substr(kClusterPrefix.size());
    const std::string cluster = rest.substr(0, rest.find('.'));
    if (!is_cluster_name(cluster) || rest.size() < cluster.size() + 2)
      return user_error("{}: expected millrace.cluster.NAME.PROPERTY, the name of letters, digits, '-' and '_'", name);
    if (brokers.empty()) return user_error("{}: topics of other clusters need a server on Kafka (--kafka)", name);
    add_security(rest.substr(cluster.size() + 1), value, options.clusters[cluster]);
  }
  return options;
}

}  // namespace millrace::inline cli
