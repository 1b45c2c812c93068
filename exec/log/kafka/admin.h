#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "exec/log/kafka/client.h"
#include "exec/log/kafka/ending.h"
#include "exec/log/kafka/group.h"
#include "exec/log/kafka/open.h"
#include "exec/log/log.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec::kafka {

/// Topics, offsets and groups as the cluster answers about them. Thread-safe. Once `ending()` is over, calls give up.
class Admin {
 public:
  /// Creates its clients; connects nowhere yet.
  static Result<std::unique_ptr<Admin>> make(const KafkaOptions& options);

  /// Until a broker answers; an external error after `wait`.
  Status connect(std::chrono::milliseconds wait);
  /// Whether one answers within `wait`.
  Status connect_once(std::chrono::milliseconds wait);
  /// The cluster is away: calls give up until it is told to be back.
  void set_away(bool away) { away_.store(away, std::memory_order_relaxed); }
  bool is_away() const { return away_.load(std::memory_order_relaxed); }
  Status create(std::span<const Log::NewTopic> topics);
  Result<std::vector<TopicDescription>> list();
  Result<std::optional<TopicDescription>> describe(const std::string& topic);
  Status remove(const std::string& topic);
  /// In one request. An error may be about some of them only.
  Status truncate(std::span<const Log::Truncation> truncations);
  Result<Log::Bounds> bounds(const TopicPartition& partition, bool committed);
  /// Many in two round trips to each leader.
  Result<std::vector<Log::Bounds>> bounds_of(std::span<const TopicPartition> partitions, bool committed);
  /// The end for a committed reader of a partition that exists. One round trip.
  Result<std::int64_t> committed_end(const TopicPartition& partition, std::chrono::milliseconds wait);
  /// Of several, in one round trip to each leader; absent where that did not tell.
  std::vector<std::optional<std::int64_t>> committed_ends(std::span<const TopicPartition> partitions);
  /// A topic that does not exist is a user error.
  Result<int> partition_count(const std::string& topic);
  /// 0: there is no such topic. Many in one round trip.
  Result<std::vector<int>> partition_counts(std::span<const std::string> topics);
  /// How many bytes a record's key and value may have; no limit where the cluster does not tell.
  std::size_t largest_record(const std::string& topic);
  Result<std::string> cluster_id();
  /// See GroupLook.
  Result<std::vector<GroupMember>> group(const std::string& name, const std::string& topic);
  /// Of everything that stands on this log.
  const std::shared_ptr<Ending>& ending() const { return ending_; }

 private:
  Admin(const KafkaOptions& options, std::shared_ptr<Ending> ending, ClientPtr uncommitted, ClientPtr committed,
        std::function<Result<ClientPtr>()> another)
      : brokers_(options.brokers),
        compresses_(compresses(options)),
        ending_(std::move(ending)),
        uncommitted_(std::move(uncommitted)),
        committed_(std::move(committed)),
        groups_(uncommitted_.get(), std::move(another)) {}
  Result<std::optional<TopicDescription>> shape(const std::string& topic, bool* settled = nullptr);
  struct Size {
    int partitions = 0;
    bool settled = false;  // every partition has a leader
  };
  std::vector<std::optional<Size>> sizes(std::span<const std::string> topics);
  Status wait_until_settled(std::span<const Log::NewTopic> topics, std::string_view doing);
  using OnConfig =
      std::function<void(const std::string& topic, std::string_view name, std::string_view value, bool own)>;
  Status read_configs(const std::vector<std::string>& topics, const OnConfig& on_config);
  Status add_configs(std::vector<TopicDescription>& topics);
  static bool compresses(const KafkaOptions& options);
  Result<std::optional<TopicDescription>> known_shape(const std::string& topic);
  bool made_lately(const std::string& topic);
  void remember(const std::string& topic);

  bool gives_up() const { return ending_->over() || is_away(); }

  const std::string brokers_;
  const bool compresses_;
  const std::shared_ptr<Ending> ending_;
  std::atomic<bool> away_{false};
  Mutex made_mutex_;
  std::unordered_map<std::string, Clock::time_point> made_
      GUARDED_BY(made_mutex_);   // topics, when they were made or found to be
  const ClientPtr uncommitted_;  // also for everything that is not about offsets
  const ClientPtr committed_;
  GroupLook groups_;
};

}  // namespace millrace::inline exec::kafka
