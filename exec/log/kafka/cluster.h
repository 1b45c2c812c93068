#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>

#include "exec/log/kafka/admin.h"
#include "exec/log/kafka/client.h"
#include "exec/log/kafka/presence.h"
#include "exec/log/log.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec::kafka {

/// One Kafka cluster: the one that holds progress, or another whose topics are used. It knows topics by their names
/// there. Thread-safe.
class Cluster {
 public:
  /// `name` empty: the one with the progress. Waits for nothing.
  static Result<std::unique_ptr<Cluster>> make(std::string name, KafkaOptions options);
  ~Cluster();

  const std::string& name() const { return name_; }
  bool is_other() const { return !name_.empty(); }
  const KafkaOptions& options() const { return options_; }
  Admin& admin() { return *admin_; }
  const std::shared_ptr<Ending>& ending() const { return admin_->ending(); }
  /// An error while it is away, where it is another one.
  Status check() { return presence_ ? presence_->check() : Status(); }
  bool is_away() const { return presence_ && presence_->is_away(); }
  /// What went wrong here, for those who use several clusters: with its name, and not as if it were about the one with
  /// the progress.
  Error told(Error error) const;

  /// Another number after each topic that was created or deleted by this process.
  std::uint64_t topics_version() const { return topics_version_.load(std::memory_order_acquire); }
  void topics_changed() { ++topics_version_; }
  /// As Log::append_now.
  Result<std::int64_t> append_now(const TopicPartition& partition, std::optional<std::string_view> key,
                                  std::optional<std::string_view> value, RecordTime timestamp,
                                  std::span<const HeaderView> headers);
  /// A topic that append_now() has met is to be looked up again.
  void forget(const std::string& topic);

 private:
  Cluster(std::string name, KafkaOptions options, std::unique_ptr<Admin> admin);
  Result<rd_kafka_s*> producer();
  using SharedTopic = std::shared_ptr<rd_kafka_topic_s>;
  Result<SharedTopic> target(rd_kafka_s* client, const TopicPartition& partition);
  Result<std::int64_t> append_once(const TopicPartition& partition, std::optional<std::string_view> key,
                                   std::optional<std::string_view> value, RecordTime timestamp,
                                   std::span<const HeaderView> headers, bool& dropped);

  const std::string name_;
  const KafkaOptions options_;
  const std::unique_ptr<Admin> admin_;
  std::unique_ptr<Presence> presence_;  // null: it must be there, and is waited for
  std::atomic<std::uint64_t> topics_version_{0};
  Mutex producer_mutex_;
  ClientPtr producer_ GUARDED_BY(producer_mutex_);  // of append_now; made when first needed
  struct Target {
    int partitions = 0;
    Clock::time_point asked;
    SharedTopic topic;
  };
  Mutex targets_mutex_;
  std::unordered_map<std::string, Target> targets_
      GUARDED_BY(targets_mutex_);  // topics that append_now has met; they end before their producer
};

}  // namespace millrace::inline exec::kafka
