#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "exec/data/result.h"
#include "exec/log/kafka/ending.h"
#include "exec/log/kafka/open.h"
#include "exec/log/log.h"

struct rd_kafka_s;
struct rd_kafka_conf_s;
struct rd_kafka_error_s;
struct rd_kafka_topic_s;

/// What kafka_*.cpp share. librdkafka's header stays in the .cpp files.
namespace millrace::inline exec::kafka {

enum class ClientKind : std::uint8_t { producer, consumer };
using Settings = std::vector<std::pair<std::string, std::string>>;

struct ClientSetup {
  ClientKind kind = ClientKind::consumer;
  std::string client_id;
  std::shared_ptr<const Ending> ending;               // past it nobody waits for the client to come to its end
  Settings defaults;                                  // the operator's settings win over these
  Settings fixed;                                     // these win over the operator's
  std::function<void(rd_kafka_conf_s*)> callbacks{};  // sets what is not text
};

/// Destroys the client; blocks until its threads have ended, for ever where they do not.
void destroy(rd_kafka_s* client);
/// Does `work`, which destroys a client, on a thread of its own; waits for it, but not for long.
void end_aside(const Ending& ending, std::function<void()> work);
/// Nobody will ever destroy this client.
void abandon(rd_kafka_s* client);
/// Destroys the client aside.
struct ClientDeleter {
  std::shared_ptr<const Ending> ending{};
  void operator()(rd_kafka_s* client) const;
};
using ClientPtr = std::unique_ptr<rd_kafka_s, ClientDeleter>;
struct TopicDeleter {
  void operator()(rd_kafka_topic_s* topic) const;
};
using TopicPtr = std::unique_ptr<rd_kafka_topic_s, TopicDeleter>;
struct ErrorDeleter {
  void operator()(rd_kafka_error_s* error) const;
};
using ErrorPtr = std::unique_ptr<rd_kafka_error_s, ErrorDeleter>;

/// A client with the common settings of all of ours. A setting that librdkafka refuses is a user error.
Result<ClientPtr> make_client(const KafkaOptions& options, const ClientSetup& setup);
Result<TopicPtr> open_topic(rd_kafka_s* client, const std::string& name);
/// Makes a client that holds a topic ask for its partitions now, rather than at its next regular look.
Status refresh_topic(rd_kafka_s* client, rd_kafka_topic_s* topic, int wait_ms = 5000);

/// Tells from librdkafka's code (rd_kafka_resp_err_t) whose fault it is. `doing`: "create topic 'x'".
Error error_of(int code, std::string_view doing, std::string_view detail = {});
/// The topic or the partition does not exist.
bool is_unknown(int code);

/// What librdkafka takes as a timeout; at least 0.
int left_ms(Clock::time_point deadline);

/// The stamp librdkafka writes: it replaces 0 by the present time, so the first millisecond of 1970 has to be stored as
/// the second.
inline std::int64_t wire_timestamp(RecordTime timestamp) {
  return timestamp == RecordTime{0} ? 1 : ms_of(timestamp);
}

}  // namespace millrace::inline exec::kafka
