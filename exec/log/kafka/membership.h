#pragma once

#include <atomic>
#include <condition_variable>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "exec/log/kafka/client.h"
#include "exec/log/log.h"
#include "parser/error/mutex.h"

struct rd_kafka_consumer_group_metadata_s;
struct rd_kafka_topic_partition_list_s;

namespace millrace::inline exec {

class KafkaLog;

namespace kafka {

/// By what a transaction proves that its process still owns its slots: the group's generation as of the last event that
/// the process was told. Thread-safe; shared by a membership and the writers.
class GroupFence {
 public:
  using Proof = std::shared_ptr<rd_kafka_consumer_group_metadata_s>;
  explicit GroupFence(std::string slots_topic) : slots_topic_(std::move(slots_topic)) {}

  const std::string& slots_topic() const { return slots_topic_; }
  /// The group's consumer; null when it is about to be destroyed: waits for a probe under way.
  void attach(rd_kafka_s* consumer);
  /// Whether the group's coordinator answers the consumer now: as it does, it takes the consumer's heartbeats, and
  /// tells it what it has lost. Waits, at most `wait`.
  bool probe(std::chrono::milliseconds wait);
  /// The process knows what the group has decided so far.
  void capture();
  /// The process owns nothing: what was granted before is void.
  void drop();
  /// Which grant holds now: goes up with every drop().
  std::uint64_t grant();
  /// Whether the consumer has noticed that the group has gone on without it.
  bool lost();
  /// Null: nothing to prove with, or `grant` is over. While the group has moved on and the process has not been told
  /// yet, waits for that, at most `wait`: a proof of the generation before would only be refused.
  Proof proof(std::uint64_t grant, std::chrono::milliseconds wait);

 private:
  bool current() REQUIRES(mutex_);

  const std::string slots_topic_;
  Mutex mutex_;
  std::condition_variable captured_;
  rd_kafka_s* consumer_ GUARDED_BY(mutex_) = nullptr;
  bool probing_ GUARDED_BY(mutex_) = false;
  std::condition_variable probed_;
  Proof proof_ GUARDED_BY(mutex_);
  std::string proof_text_ GUARDED_BY(mutex_);
  std::uint64_t grant_ GUARDED_BY(mutex_) = 0;
};

/// Tells whether this process may trust in what it owned a moment ago. One that was stopped for longer than a session,
/// and woke, does not know yet what it has lost; one that its group has not answered for nearly a session may have lost
/// it. Thread-safe.
class SessionWatch {
 public:
  SessionWatch(std::shared_ptr<GroupFence> fence, std::chrono::milliseconds session,
               std::chrono::milliseconds heartbeat);
  ~SessionWatch();
  bool is_current() const;

 private:
  void run();
  void probe();

  const std::shared_ptr<GroupFence> fence_;
  const Clock::duration patience_;           // a gap in the life of the process that costs it no slots
  const Clock::duration session_left_;       // of a session, that the group surely grants after it has answered
  std::atomic<Clock::rep> heard_{0};         // ticks of the clock when a question was asked that the group answered
  std::atomic<Clock::rep> seen_alive_;       // ticks of the clock
  std::atomic<Clock::rep> trusted_from_{0};  // when librdkafka must have noticed what there was to notice
  std::atomic<bool> lost_{false};
  Mutex mutex_;
  std::condition_variable wake_;
  bool ending_ GUARDED_BY(mutex_) = false;
  std::thread thread_, prober_;
};

}  // namespace kafka

/// A static, cooperative member of one consumer group on the slots topic; it never fetches from it. A member that dies
/// keeps its slots for a session timeout, so that a restart takes them back without moving any; so does one that leaves
/// when it is the last. What one of several leaves is shared out at once.
class KafkaMembership final : public Membership {
 public:
  KafkaMembership(KafkaLog& log, std::string group, std::string slots_topic, int slots, std::string advertised);
  ~KafkaMembership() override;
  Status join(const std::string& member_id, Events events) override;
  Status poll(std::chrono::milliseconds wait) override;
  bool is_current() const override { return watch_.is_current(); }
  Result<std::vector<std::string>> owners() override;
  Result<std::vector<std::string>> members() override;
  Result<std::vector<std::string>> member_ids() override;
  void leave() override;

  std::shared_ptr<kafka::GroupFence> fence() const { return fence_; }
  /// Called by librdkafka within poll() and leave(), which hold the lock.
  void rebalanced(int event, rd_kafka_topic_partition_list_s* partitions);

 private:
  Status subscribe() REQUIRES(mutex_);
  void let_go() REQUIRES(mutex_);
  void hand_over() REQUIRES(mutex_);
  void close() REQUIRES(mutex_);
  bool is_member();
  void start_over() REQUIRES(mutex_);
  void assign(rd_kafka_topic_partition_list_s* partitions) REQUIRES(mutex_);
  void unassign(rd_kafka_topic_partition_list_s* partitions) REQUIRES(mutex_);

  KafkaLog& log_;
  const std::string group_;
  const std::string slots_topic_;
  const int slots_;
  const std::string advertised_;
  const std::shared_ptr<kafka::GroupFence> fence_;
  kafka::SessionWatch watch_;
  Mutex mutex_;  // poll and leave
  Events events_ GUARDED_BY(mutex_);
  std::string member_id_ GUARDED_BY(mutex_);
  bool leaving_ GUARDED_BY(mutex_) = false;
  bool assigned_ GUARDED_BY(mutex_) = false;  // this consumer has had an assignment
  std::set<SlotId> owned_ GUARDED_BY(mutex_);
  std::optional<Clock::time_point> rejoin_at_ GUARDED_BY(mutex_);  // after a fatal error
  std::chrono::milliseconds rejoin_wait_ GUARDED_BY(mutex_){};
  kafka::ClientPtr consumer_ GUARDED_BY(mutex_);
};

}  // namespace millrace::inline exec
