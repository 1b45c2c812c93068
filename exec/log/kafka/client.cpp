#include "exec/log/kafka/client.h"

#include <librdkafka/rdkafka.h>
#include <spdlog/spdlog.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <future>
#include <thread>

namespace millrace::inline exec::kafka {

namespace {

constexpr std::chrono::seconds kDestroyWait{5};

std::atomic<int> left{0};  // clients whose threads run though nobody has them any more

void log_line(const rd_kafka_t* client, int level, const char* facility, const char* text) {
  constexpr int kWarning = 4;  // as syslog counts
  const auto severity = level < kWarning    ? spdlog::level::err
                        : level == kWarning ? spdlog::level::warn
                                            : spdlog::level::debug;
  // Lost connections and coordinators come back by themselves, failed transactions are told by the calls that fail, and
  // the operator's settings go to every kind of client.
  constexpr std::array<std::string_view, 5> kQuiet{"FAIL", "ERROR", "GETPID", "TXNERR", "CONFWARN"};
  const bool quiet = std::find(kQuiet.begin(), kQuiet.end(), facility) != kQuiet.end();
  spdlog::log(quiet ? spdlog::level::debug : severity, "kafka {}: {} {}", client ? rd_kafka_name(client) : "", facility,
              text);
}

const Settings& common_settings() {
  static const Settings settings{
      {"reconnect.backoff.ms", "20"},        {"reconnect.backoff.max.ms", "1000"},
      {"socket.nagle.disable", "true"},      {"allow.auto.create.topics", "false"},
      {"log.connection.close", "false"},     {"topic.metadata.refresh.fast.interval.ms", "50"},
      {"enable.sparse.connections", "true"},
  };
  return settings;
}

using ConfPtr = std::unique_ptr<rd_kafka_conf_t, decltype(&rd_kafka_conf_destroy)>;

bool is_secret(std::string_view name) {
  constexpr std::array<std::string_view, 4> kSecret{"password", "secret", ".pem", "oauthbearer.config"};
  return std::ranges::any_of(kSecret, [&](std::string_view part) { return name.find(part) != name.npos; });
}

Status apply(rd_kafka_conf_t* conf, const Settings& settings) {
  std::array<char, 512> text{};
  for (const auto& [name, value] : settings) {
    if (rd_kafka_conf_set(conf, name.c_str(), value.c_str(), text.data(), text.size()) == RD_KAFKA_CONF_OK) continue;
    // librdkafka says what the value is, too.
    if (is_secret(name)) return user_error("Kafka setting {}: this value is not taken", name);
    return user_error("Kafka setting {}={}: {}", name, value, text.data());
  }
  return {};
}

constexpr std::array kUserCodes{
    RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
    RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC,
    RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION,
    RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION,
    RD_KAFKA_RESP_ERR_TOPIC_ALREADY_EXISTS,
    RD_KAFKA_RESP_ERR_INVALID_PARTITIONS,
    RD_KAFKA_RESP_ERR_INVALID_REPLICATION_FACTOR,
    RD_KAFKA_RESP_ERR_INVALID_CONFIG,
    RD_KAFKA_RESP_ERR_INVALID_REQUEST,
    RD_KAFKA_RESP_ERR_POLICY_VIOLATION,
    RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED,
    RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED,
    RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED,
    RD_KAFKA_RESP_ERR_TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    RD_KAFKA_RESP_ERR_MSG_SIZE_TOO_LARGE,
    RD_KAFKA_RESP_ERR_OFFSET_OUT_OF_RANGE,
    RD_KAFKA_RESP_ERR_INVALID_RECORD,
    RD_KAFKA_RESP_ERR_TOPIC_DELETION_DISABLED,
    RD_KAFKA_RESP_ERR__INVALID_ARG,
};
constexpr std::array kFencedCodes{
    RD_KAFKA_RESP_ERR__FENCED,
    RD_KAFKA_RESP_ERR_PRODUCER_FENCED,
    RD_KAFKA_RESP_ERR_INVALID_PRODUCER_EPOCH,
    RD_KAFKA_RESP_ERR_INVALID_PRODUCER_ID_MAPPING,
    RD_KAFKA_RESP_ERR_FENCED_INSTANCE_ID,
    RD_KAFKA_RESP_ERR_UNKNOWN_MEMBER_ID,
};

}  // namespace

void destroy(rd_kafka_s* client) {
  rd_kafka_destroy_flags(client, RD_KAFKA_DESTROY_F_NO_CONSUMER_CLOSE);
}

// librdkafka 2.0.2 may wait for ever for a thread of its own: one of a broker that lost the lead of a partition just as
// it was no longer read. Such a client is left to itself.
void end_aside(const Ending& ending, std::function<void()> work) {
  std::promise<void> done;
  std::future<void> ended = done.get_future();
  ++left;
  std::thread([work = std::move(work), done = std::move(done)]() mutable {
    work();
    --left;
    done.set_value();
  }).detach();
  if (ended.wait_for(ending.bound(kDestroyWait)) == std::future_status::timeout)
    spdlog::warn("a Kafka client does not come to an end: going on without it");
}

void abandon(rd_kafka_s* client) {
  ++left;
  rd_kafka_set_log_level(client, 0);
}

void ClientDeleter::operator()(rd_kafka_s* client) const {
  end_aside(*ending, [client] { destroy(client); });
}
void TopicDeleter::operator()(rd_kafka_topic_s* topic) const {
  rd_kafka_topic_destroy(topic);
}
void ErrorDeleter::operator()(rd_kafka_error_s* error) const {
  rd_kafka_error_destroy(error);
}

Result<ClientPtr> make_client(const KafkaOptions& options, const ClientSetup& setup) {
  ConfPtr conf(rd_kafka_conf_new(), rd_kafka_conf_destroy);
  rd_kafka_conf_set_log_cb(conf.get(), log_line);
  if (setup.callbacks) setup.callbacks(conf.get());
  const Settings names{{"bootstrap.servers", options.brokers}, {"client.id", setup.client_id}};
  for (const Settings* settings : {&common_settings(), &setup.defaults, &options.properties, &names, &setup.fixed})
    if (Status applied = apply(conf.get(), *settings); !applied) return applied.error();
  std::array<char, 512> text{};
  const auto type = setup.kind == ClientKind::producer ? RD_KAFKA_PRODUCER : RD_KAFKA_CONSUMER;
  rd_kafka_t* client = rd_kafka_new(type, conf.get(), text.data(), text.size());
  if (client == nullptr) return user_error("Kafka client for {}: {}", options.brokers, text.data());
  static_cast<void>(conf.release());  // the client's now
  return ClientPtr(client, {setup.ending});
}

Result<TopicPtr> open_topic(rd_kafka_s* client, const std::string& name) {
  TopicPtr topic(rd_kafka_topic_new(client, name.c_str(), nullptr));
  if (!topic) return error_of(rd_kafka_last_error(), fmt::format("open topic '{}'", name));
  return topic;
}

Status refresh_topic(rd_kafka_s* client, rd_kafka_topic_s* topic, int wait_ms) {
  const struct rd_kafka_metadata* answer = nullptr;
  const auto code = rd_kafka_metadata(client, 0, topic, &answer, wait_ms);
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR)
    return error_of(code, fmt::format("look up topic '{}'", rd_kafka_topic_name(topic)));
  rd_kafka_metadata_destroy(answer);
  return {};
}

bool is_unknown(int code) {
  return code == RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART || code == RD_KAFKA_RESP_ERR__UNKNOWN_TOPIC ||
         code == RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION || code == RD_KAFKA_RESP_ERR_TOPIC_EXCEPTION;
}

Error error_of(int code, std::string_view doing, std::string_view detail) {
  const auto known = static_cast<rd_kafka_resp_err_t>(code);
  const auto among = [&](const auto& codes) { return std::find(codes.begin(), codes.end(), known) != codes.end(); };
  const Fault fault = among(kFencedCodes) ? Fault::fenced : among(kUserCodes) ? Fault::user : Fault::external;
  const std::string_view text = detail.empty() ? std::string_view(rd_kafka_err2str(known)) : detail;
  return Error{fault, fmt::format("Kafka: {}: {}", doing, text)};
}

int left_ms(Clock::time_point deadline) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - Clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 3'600'000));
}

}  // namespace millrace::inline exec::kafka

namespace millrace::inline exec {

bool kafka_clients_left() {
  return kafka::left > 0;
}

}  // namespace millrace::inline exec
