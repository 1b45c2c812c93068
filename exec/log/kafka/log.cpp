#include "exec/log/kafka/log.h"

#include <librdkafka/rdkafka.h>

#include <condition_variable>

#include "exec/log/failpoint.h"
#include "exec/log/kafka/membership.h"
#include "exec/log/kafka/open.h"
#include "exec/log/kafka/produce.h"
#include "exec/log/kafka/reader.h"
#include "exec/log/kafka/writer.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec {

namespace {

using namespace std::chrono_literals;

constexpr auto kLookAgain = 500ms;
constexpr auto kTargetAge = 1s;  // a topic that was deleted is missed no later

/// Stands on the stack of append_now until its record has ended.
struct Receipt {
  Mutex mutex;
  std::condition_variable ended;
  bool done GUARDED_BY(mutex) = false;
  std::int64_t offset GUARDED_BY(mutex) = -1;
  int code GUARDED_BY(mutex) = 0;
};

struct Receipts final : kafka::Acknowledgements {
  void ended(void* opaque, std::int64_t offset, int code) override {
    auto& receipt = *static_cast<Receipt*>(opaque);
    const MutexLock lock(receipt.mutex);
    receipt.done = true;
    receipt.offset = offset;
    receipt.code = code;
    receipt.ended.notify_all();  // under the lock: its owner destroys it once it can see `done`
  }
};
Receipts receipts;

}  // namespace

Status KafkaLog::create_topic(const std::string& name, const TopicConfig& config) {
  const NewTopic one{name, config};
  return create_topics({&one, 1});
}
Status KafkaLog::create_topics(std::span<const NewTopic> topics) {
  Status created = admin_->create(topics);
  ++topics_version_;
  return created;
}
Result<std::vector<int>> KafkaLog::partition_counts(std::span<const std::string> topics) {
  return admin_->partition_counts(topics);
}
Result<std::vector<TopicDescription>> KafkaLog::list_topics() {
  return admin_->list();
}
Result<std::optional<TopicDescription>> KafkaLog::describe_topic(const std::string& name) {
  return admin_->describe(name);
}
Status KafkaLog::delete_topic(const std::string& name) {
  forget(name);
  Status removed = admin_->remove(name);
  ++topics_version_;
  return removed;
}
Status KafkaLog::truncate_before(const TopicPartition& partition, std::int64_t offset) {
  const Truncation one{partition, offset};
  return admin_->truncate({&one, 1});
}
// A topic that is gone holds up the others that are asked for with it.
Status KafkaLog::truncate_all(std::span<const Truncation> truncations) {
  Status done = admin_->truncate(truncations);
  return done || truncations.size() < 2 || done.error().retriable() ? done : Log::truncate_all(truncations);
}
Result<Log::Bounds> KafkaLog::bounds(const TopicPartition& partition, bool committed) {
  return admin_->bounds(partition, committed);
}
Result<std::vector<Log::Bounds>> KafkaLog::bounds_of(std::span<const TopicPartition> partitions, bool committed) {
  return admin_->bounds_of(partitions, committed);
}
Result<std::string> KafkaLog::cluster_id() {
  return admin_->cluster_id();
}

Result<std::unique_ptr<Reader>> KafkaLog::reader(const std::string& client_id) {
  return KafkaReader::make(*this, client_id, KafkaReader::Purpose::follow);
}
Result<std::unique_ptr<Reader>> KafkaLog::reader_to_end(const std::string& client_id) {
  return KafkaReader::make(*this, client_id, KafkaReader::Purpose::to_end);
}

Result<std::unique_ptr<Writer>> KafkaLog::writer(const std::string& transactional_id, Membership* membership) {
  std::shared_ptr<kafka::GroupFence> fence;
  if (membership != nullptr) {
    auto* member = dynamic_cast<KafkaMembership*>(membership);
    if (member == nullptr) return Error{Fault::bug, "the membership is not one of this log"};
    fence = member->fence();
  }
  return KafkaWriter::make(*this, transactional_id, std::move(fence));
}

Result<std::unique_ptr<Membership>> KafkaLog::membership(const std::string& group, const std::string& slots_topic,
                                                         const std::string& advertised) {
  const auto slots = admin_->partition_count(slots_topic);
  if (!slots) return slots.error();
  return std::make_unique<KafkaMembership>(*this, group, slots_topic, *slots, advertised);
}

Result<rd_kafka_s*> KafkaLog::producer() {
  const MutexLock lock(producer_mutex_);
  if (!producer_) {
    auto made = kafka::make_client(
        options_, {.kind = kafka::ClientKind::producer,
                   .client_id = "millrace",
                   .ending = ending(),
                   .defaults = {{"linger.ms", "0"},
                                {"retry.backoff.ms", "5"},
                                {"message.timeout.ms", "30000"},
                                {"topic.metadata.propagation.max.ms", "1000"}},
                   .fixed = {{"enable.idempotence", "true"}},
                   .callbacks = [](rd_kafka_conf_s* conf) { kafka::report_acknowledgements(conf, receipts); }});
    if (!made) return made.error();
    producer_ = std::move(*made);
  }
  return producer_.get();
}

// Asking the cluster before each record would double what it costs; and a topic that librdkafka has forgotten between
// two records makes it ask for the leader again before it sends.
Result<KafkaLog::SharedTopic> KafkaLog::target(rd_kafka_s* client, const TopicPartition& partition) {
  {
    const MutexLock lock(targets_mutex_);
    const auto known = targets_.find(partition.topic);
    if (known != targets_.end() && Clock::now() - known->second.asked < kTargetAge && partition.partition >= 0 &&
        partition.partition < known->second.partitions)
      return known->second.topic;
  }
  const auto partitions = admin_->partition_count(partition.topic);
  if (!partitions) {
    forget(partition.topic);
    return partitions.error();
  }
  if (partition.partition < 0 || partition.partition >= *partitions)
    return user_error("topic '{}' has no partition {}", partition.topic, partition.partition);
  const MutexLock lock(targets_mutex_);
  Target& found = targets_[partition.topic];
  if (!found.topic) {
    auto opened = kafka::open_topic(client, partition.topic);
    if (!opened) return opened.error();
    found.topic = std::move(*opened);
  }
  // Also after opening: librdkafka may not yet have let go of one of the same name.
  if (found.partitions != *partitions)
    if (Status refreshed = kafka::refresh_topic(client, found.topic.get()); !refreshed) return refreshed.error();
  found.partitions = *partitions;
  found.asked = Clock::now();
  return found.topic;
}

void KafkaLog::forget(const std::string& topic) {
  const MutexLock lock(targets_mutex_);
  targets_.erase(topic);
}

Result<std::int64_t> KafkaLog::append_now(const TopicPartition& partition, std::optional<std::string_view> key,
                                          std::optional<std::string_view> value, RecordTime timestamp,
                                          std::span<const HeaderView> headers) {
  if (Status hit = failpoint::hit(failpoint::kLogAppendNow); !hit) return hit.error();
  const auto client = producer();
  if (!client) return client.error();
  const auto topic = target(*client, partition);
  if (!topic) return topic.error();
  const std::string doing = fmt::format("append to topic '{}' partition {}", partition.topic, partition.partition);
  Receipt receipt;
  const int code =
      kafka::produce(*client, {topic->get(), partition.partition, key, value, timestamp, headers, &receipt});
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return kafka::error_of(code, doing);
  MutexLock lock(receipt.mutex);
  // librdkafka ends every record by its message timeout, or when it is told to drop them.
  while (!receipt.ended.wait_for(lock, kLookAgain, [&]() REQUIRES(receipt.mutex) { return receipt.done; })) {
    if (!ending()->over()) continue;
    constexpr int kAll = RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING;
    rd_kafka_purge(*client, kAll);
  }
  if (receipt.code == RD_KAFKA_RESP_ERR_NO_ERROR) return receipt.offset;
  if (kafka::is_unknown(receipt.code)) forget(partition.topic);
  return kafka::error_of(receipt.code, doing);
}

Result<std::unique_ptr<Log>> open_kafka_log(const KafkaOptions& options, std::chrono::milliseconds wait) {
  auto admin = kafka::Admin::make(options);
  if (!admin) return admin.error();
  if (Status connected = (*admin)->connect(wait); !connected) return connected.error();
  return std::make_unique<KafkaLog>(options, std::move(*admin));
}

}  // namespace millrace::inline exec
