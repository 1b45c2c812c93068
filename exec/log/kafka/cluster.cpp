#include "exec/log/kafka/cluster.h"

#include <librdkafka/rdkafka.h>

#include <condition_variable>

#include "exec/log/failpoint.h"
#include "exec/log/kafka/produce.h"

namespace millrace::inline exec::kafka {
namespace {

using namespace std::chrono_literals;

constexpr auto kReceiptLook = 500ms;
constexpr auto kDropped = 15s;   // after which nothing is given again
constexpr auto kTargetAge = 1s;  // a topic that was deleted is missed no later

/// Stands on the stack of append_now until its record has ended.
struct Receipt {
  Mutex mutex;
  std::condition_variable ended;
  bool done GUARDED_BY(mutex) = false;
  std::int64_t offset GUARDED_BY(mutex) = -1;
  int code GUARDED_BY(mutex) = 0;
};

struct Receipts final : Acknowledgements {
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

Result<std::unique_ptr<Cluster>> Cluster::make(std::string name, KafkaOptions options) {
  auto admin = Admin::make(options);
  if (!admin) return admin.error();
  return std::unique_ptr<Cluster>(new Cluster(std::move(name), std::move(options), std::move(*admin)));
}

Cluster::Cluster(std::string name, KafkaOptions options, std::unique_ptr<Admin> admin)
    : name_(std::move(name)), options_(std::move(options)), admin_(std::move(admin)) {
  if (is_other()) presence_ = std::make_unique<Presence>(name_, *admin_);
}

Cluster::~Cluster() = default;

Error Cluster::told(Error error) const {
  if (!is_other()) return error;
  if (error.fault == Fault::external || error.fault == Fault::fenced) error.fault = Fault::unavailable;
  const std::string prefix = fmt::format("Kafka cluster '{}'", name_);
  if (!error.message.starts_with(prefix)) error.message = fmt::format("{}: {}", prefix, error.message);
  return error;
}

Result<rd_kafka_s*> Cluster::producer() {
  const MutexLock lock(producer_mutex_);
  if (!producer_) {
    auto made =
        make_client(options_, {.kind = ClientKind::producer,
                               .client_id = "millrace",
                               .ending = ending(),
                               .defaults = {{"linger.ms", "0"},
                                            {"retry.backoff.ms", "5"},
                                            {"message.timeout.ms", "30000"},
                                            {"topic.metadata.propagation.max.ms", "1000"}},
                               .fixed = {{"enable.idempotence", "true"}},
                               .callbacks = [](rd_kafka_conf_s* conf) { report_acknowledgements(conf, receipts); }});
    if (!made) return made.error();
    producer_ = std::move(*made);
  }
  return producer_.get();
}

// Asking the cluster before each record would double what it costs; and a topic that librdkafka has forgotten between
// two records makes it ask for the leader again before it sends.
Result<Cluster::SharedTopic> Cluster::target(rd_kafka_s* client, const TopicPartition& partition) {
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
    auto opened = open_topic(client, partition.topic);
    if (!opened) return opened.error();
    found.topic = std::move(*opened);
  }
  // Also after opening: librdkafka may not yet have let go of one of the same name.
  if (found.partitions != *partitions)
    if (Status refreshed = refresh_topic(client, found.topic.get()); !refreshed) return refreshed.error();
  found.partitions = *partitions;
  found.asked = Clock::now();
  return found.topic;
}

void Cluster::forget(const std::string& topic) {
  const MutexLock lock(targets_mutex_);
  targets_.erase(topic);
}

Result<std::int64_t> Cluster::append_now(const TopicPartition& partition, std::optional<std::string_view> key,
                                         std::optional<std::string_view> value, RecordTime timestamp,
                                         std::span<const HeaderView> headers) {
  if (Status hit = failpoint::hit(failpoint::kLogAppendNow); !hit) return hit.error();
  const auto deadline = Clock::now() + kDropped;
  while (true) {
    if (ending()->over()) return external_error("Kafka: append to topic '{}': this process ends", partition.topic);
    bool dropped = false;
    auto appended = append_once(partition, key, value, timestamp, headers, dropped);
    if (!dropped || Clock::now() >= deadline) return appended;
    forget(partition.topic);
  }
}

/// `dropped`: it was never sent, and may be given again.
Result<std::int64_t> Cluster::append_once(const TopicPartition& partition, std::optional<std::string_view> key,
                                          std::optional<std::string_view> value, RecordTime timestamp,
                                          std::span<const HeaderView> headers, bool& dropped) {
  const auto client = producer();
  if (!client) return client.error();
  const auto topic = target(*client, partition);
  if (!topic) return topic.error();
  const std::string doing = fmt::format("append to topic '{}' partition {}", partition.topic, partition.partition);
  Receipt receipt;
  const int code = produce(*client, {topic->get(), partition.partition, key, value, timestamp, headers, &receipt});
  if (code != RD_KAFKA_RESP_ERR_NO_ERROR) return error_of(code, doing);
  MutexLock lock(receipt.mutex);
  // librdkafka ends every record by its message timeout, or when it is told to drop them.
  while (!receipt.ended.wait_for(lock, kReceiptLook, [&]() REQUIRES(receipt.mutex) { return receipt.done; })) {
    if (!ending()->over()) continue;
    constexpr int kAll = RD_KAFKA_PURGE_F_QUEUE | RD_KAFKA_PURGE_F_INFLIGHT | RD_KAFKA_PURGE_F_NON_BLOCKING;
    rd_kafka_purge(*client, kAll);
  }
  if (receipt.code == RD_KAFKA_RESP_ERR_NO_ERROR) return receipt.offset;
  // A broker has not heard of a young topic, and librdkafka lets go of what waits for its partition.
  dropped = receipt.code == RD_KAFKA_RESP_ERR__DESTROY;
  if (is_unknown(receipt.code)) forget(partition.topic);
  return error_of(receipt.code, doing);
}

}  // namespace millrace::inline exec::kafka
