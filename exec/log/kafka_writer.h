#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "exec/log/kafka_client.h"
#include "exec/log/kafka_membership.h"
#include "exec/log/kafka_staging.h"
#include "exec/log/kafka_transactions.h"
#include "exec/log/log.h"

namespace millrace {

class KafkaLog;

/// One transactional producer. Appends go straight to librdkafka while no commit is under way, else they are staged. A
/// thread of the writer's own ends transactions.
class KafkaWriter final : public Writer {
 public:
  /// `fence` null: transactions prove nothing.
  static Result<std::unique_ptr<Writer>> make(KafkaLog& log, const std::string& transactional_id,
                                              std::shared_ptr<kafka::GroupFence> fence);
  /// Waits for a commit under way, but not for a cluster that does not answer.
  ~KafkaWriter() override;

  Result<int> topic(const std::string& name, bool track) override;
  std::int32_t partitions(int topic) const override;
  Status append(int topic, std::int32_t partition, std::optional<std::string_view> key,
                std::optional<std::string_view> value, std::int64_t timestamp,
                std::span<const HeaderView> headers) override;
  std::size_t pending_bytes() const override { return pending_bytes_; }
  Status commit() override;
  CommitState commit_state(std::chrono::milliseconds wait) override;
  Status abort() override;
  void on_commit_done(std::function<void()> callback) override;

 private:
  /// Of one partition of a tracked topic; written by librdkafka's threads when a record has reached the log.
  struct Place {
    std::atomic<std::int64_t> next_offset{-1};
    bool touched = false;
  };
  struct Touched {
    int topic;
    std::int32_t partition;
    Place* place;
  };
  struct Topic {
    std::string name;
    kafka::TopicPtr handle;
    std::int32_t partitions;
    std::unique_ptr<Place[]> places;  // null: not tracked; never moves
  };

  KafkaWriter(KafkaLog& log, kafka::ClientPtr client, std::shared_ptr<kafka::GroupFence> fence);
  static void acknowledged(void* place, std::int64_t offset, int code);
  Status produce(const kafka::Staging::Record& record);
  Status drain();
  Status reopen();
  void forget_places();
  void drop_open();
  void run();
  void finish(const Status& ended);
  std::vector<Appended> collect();

  KafkaLog& log_;
  const kafka::ClientPtr client_;
  kafka::Transactions transactions_;
  // The worker's.
  std::deque<Topic> topics_;
  std::unordered_map<std::string, int> handles_;
  kafka::Staging staged_;
  std::size_t pending_bytes_ = 0;
  bool produced_ = false;     // something of the open transaction has gone to librdkafka
  bool must_reopen_ = false;  // an abort has not gone through yet
  // The worker's while no commit is under way, then the thread's.
  std::vector<Touched> touched_;

  /// A commit is under way, or it has failed and that was not reported yet: appends are staged.
  std::atomic<bool> closed_{false};
  std::mutex mutex_;  // what follows
  std::condition_variable work_, ended_;
  CommitState state_;
  bool empty_ = false;  // the transaction to commit
  bool calling_ = false;
  bool stopping_ = false;
  std::optional<Error> dead_;
  std::function<void()> callback_;
  std::thread thread_;
};

}  // namespace millrace
