#include "bench/bound/kafka.h"

#include <cstdio>
#include <cstdlib>
#include <initializer_list>
#include <utility>

namespace bound {
namespace {

constexpr int kTimeoutMs = 60'000;

using Settings = std::initializer_list<std::pair<const char*, const char*>>;

Owned<rd_kafka_t> client(rd_kafka_type_t type, const std::string& broker, Settings settings) {
  char error[512];
  rd_kafka_conf_t* conf = rd_kafka_conf_new();
  const auto set = [&](const char* name, const char* value) {
    if (rd_kafka_conf_set(conf, name, value, error, sizeof error) != RD_KAFKA_CONF_OK) die(error);
  };
  set("bootstrap.servers", broker.c_str());
  for (const auto& [name, value] : settings) set(name, value);
  Owned<rd_kafka_t> made(rd_kafka_new(type, conf, error, sizeof error));
  if (!made) die(error);
  return made;
}

/// Waits for the one result of an admin request.
void wait_for(rd_kafka_queue_t* queue, const std::string& what) {
  rd_kafka_event_t* event = rd_kafka_queue_poll(queue, kTimeoutMs);
  if (event == nullptr) die(what + ": no answer");
  rd_kafka_resp_err_t error = rd_kafka_event_error(event);
  const rd_kafka_topic_result_t** results = nullptr;
  std::size_t count = 0;
  if (const auto* created = rd_kafka_event_CreateTopics_result(event))
    results = rd_kafka_CreateTopics_result_topics(created, &count);
  if (const auto* deleted = rd_kafka_event_DeleteTopics_result(event))
    results = rd_kafka_DeleteTopics_result_topics(deleted, &count);
  if (error == RD_KAFKA_RESP_ERR_NO_ERROR && count > 0) error = rd_kafka_topic_result_error(results[0]);
  rd_kafka_event_destroy(event);
  if (error != RD_KAFKA_RESP_ERR_NO_ERROR) die(what + ": " + rd_kafka_err2str(error));
}

}  // namespace

void die(const std::string& what) {
  std::fprintf(stderr, "bound: %s\n", what.c_str());
  std::exit(1);
}

void create_topic(const std::string& broker, const std::string& topic) {
  const auto admin = client(RD_KAFKA_PRODUCER, broker, {});
  const Owned<rd_kafka_queue_t> queue(rd_kafka_queue_new(admin.get()));
  char error[512];
  rd_kafka_NewTopic_t* made = rd_kafka_NewTopic_new(topic.c_str(), kPartitions, 1, error, sizeof error);
  if (made == nullptr) die(error);
  rd_kafka_CreateTopics(admin.get(), &made, 1, nullptr, queue.get());
  wait_for(queue.get(), "creating " + topic);
  rd_kafka_NewTopic_destroy(made);
}

void delete_topic(const std::string& broker, const std::string& topic) {
  const auto admin = client(RD_KAFKA_PRODUCER, broker, {});
  const Owned<rd_kafka_queue_t> queue(rd_kafka_queue_new(admin.get()));
  rd_kafka_DeleteTopic_t* gone = rd_kafka_DeleteTopic_new(topic.c_str());
  rd_kafka_DeleteTopics(admin.get(), &gone, 1, nullptr, queue.get());
  wait_for(queue.get(), "deleting " + topic);
  rd_kafka_DeleteTopic_destroy(gone);
}

Output::Output(const std::string& broker, const std::string& topic)
    : client_(client(RD_KAFKA_PRODUCER, broker,
                     {{"linger.ms", "20"},
                      {"batch.size", "1000000"},
                      {"enable.idempotence", "true"},
                      {"queue.buffering.max.messages", "2000000"},
                      {"queue.buffering.max.kbytes", "2000000"},
                      {"delivery.report.only.error", "true"}})),
      topic_(rd_kafka_topic_new(client_.get(), topic.c_str(), nullptr)) {}

void Output::flush() {
  if (rd_kafka_flush(client_.get(), kTimeoutMs) != RD_KAFKA_RESP_ERR_NO_ERROR) die("the output was not written");
}

Input::Input(const std::string& broker, const std::string& topic)
    : client_(client(RD_KAFKA_CONSUMER, broker,
                     {{"group.id", "bound"},
                      {"enable.auto.commit", "false"},
                      {"check.crcs", "false"},
                      {"fetch.message.max.bytes", "4194304"},
                      {"queued.min.messages", "200000"}})) {
  rd_kafka_poll_set_consumer(client_.get());
  rd_kafka_topic_partition_list_t* all = rd_kafka_topic_partition_list_new(kPartitions);
  for (int partition = 0; partition < kPartitions; ++partition)
    rd_kafka_topic_partition_list_add(all, topic.c_str(), partition)->offset = RD_KAFKA_OFFSET_BEGINNING;
  const auto assigned = rd_kafka_assign(client_.get(), all);
  rd_kafka_topic_partition_list_destroy(all);
  if (assigned != RD_KAFKA_RESP_ERR_NO_ERROR) die(rd_kafka_err2str(assigned));
  queue_.reset(rd_kafka_queue_get_consumer(client_.get()));
}

Input::~Input() {
  queue_.reset();
  rd_kafka_consumer_close(client_.get());
}

}  // namespace bound
