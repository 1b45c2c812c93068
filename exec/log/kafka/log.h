#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <unordered_map>

#include "exec/log/kafka/admin.h"
#include "exec/log/kafka/client.h"
#include "exec/log/kafka/open.h"
#include "exec/log/log.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec {

/// One Kafka cluster.
class KafkaLog final : public Log {
 public:
  KafkaLog(KafkaOptions options, std::unique_ptr<kafka::Admin> admin)
      : options_(std::move(options)), admin_(std::move(admin)) {}

  LogTraits traits() const override { return {.membership = true}; }
  Status create_topic(const std::string& name, const TopicConfig& config) override;
  Result<std::vector<TopicDescription>> list_topics() override;
  Result<std::optional<TopicDescription>> describe_topic(const std::string& name) override;
  Result<std::vector<int>> partition_counts(std::span<const std::string> topics) override;
  Status create_topics(std::span<const NewTopic> topics) override;
  Status delete_topic(const std::string& name) override;
  Status truncate_before(const TopicPartition& partition, std::int64_t offset) override;
  Status truncate_all(std::span<const Truncation> truncations) override;
  Result<Bounds> bounds(const TopicPartition& partition, bool committed) override;
  Result<std::vector<Bounds>> bounds_of(std::span<const TopicPartition> partitions, bool committed) override;
  Result<std::unique_ptr<Reader>> reader(const std::string& client_id) override;
  Result<std::unique_ptr<Reader>> reader_to_end(const std::string& client_id) override;
  Result<std::unique_ptr<Writer>> writer(const std::string& transactional_id, Membership* membership) override;
  Result<std::unique_ptr<Membership>> membership(const std::string& group, const std::string& slots_topic,
                                                 const std::string& advertised) override;
  Result<std::int64_t> append_now(const TopicPartition& partition, std::optional<std::string_view> key,
                                  std::optional<std::string_view> value, RecordTime timestamp,
                                  std::span<const HeaderView> headers) override;
  Result<std::string> cluster_id() override;
  void end_within(std::chrono::milliseconds wait) override { admin_->ending()->within(wait); }

  // For readers, writers and memberships.
  kafka::Admin& admin() { return *admin_; }
  const std::shared_ptr<kafka::Ending>& ending() const { return admin_->ending(); }
  const KafkaOptions& options() const { return options_; }
  /// Another number after each topic that was created or deleted by this log. Any thread.
  std::uint64_t topics_version() const { return topics_version_.load(std::memory_order_acquire); }

 private:
  Result<rd_kafka_s*> producer();
  using SharedTopic = std::shared_ptr<rd_kafka_topic_s>;
  Result<SharedTopic> target(rd_kafka_s* client, const TopicPartition& partition);
  void forget(const std::string& topic);

  const KafkaOptions options_;
  const std::unique_ptr<kafka::Admin> admin_;
  std::atomic<std::uint64_t> topics_version_{0};
  Mutex producer_mutex_;
  kafka::ClientPtr producer_ GUARDED_BY(producer_mutex_);  // of append_now; made when first needed
  struct Target {
    int partitions = 0;
    Clock::time_point asked;
    SharedTopic topic;
  };
  Mutex targets_mutex_;
  std::unordered_map<std::string, Target> targets_
      GUARDED_BY(targets_mutex_);  // topics that append_now has met; they end before their producer
};

}  // namespace millrace::inline exec
