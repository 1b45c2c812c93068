#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <memory>
#include <new>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "exec/log/kafka/client.h"
#include "exec/log/kafka/cluster.h"
#include "exec/log/kafka/membership.h"
#include "exec/log/kafka/outbox.h"
#include "exec/log/kafka/produce.h"
#include "exec/log/kafka/transactions.h"
#include "exec/log/log.h"
#include "exec/log/writer_topics.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec {

// GCC 12 takes a destroying delete for one that only frees.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
/// One transactional producer. Appends are kept in lanes, one for each partition, which hand them to librdkafka as it
/// sends what it got before: by the worker while no commit is under way, by a thread of the writer's own when it ends a
/// transaction.
class KafkaWriter final : public Writer, private kafka::Acknowledgements {
 public:
  /// `fence` null: transactions prove nothing.
  static Result<std::unique_ptr<KafkaWriter>> make(kafka::Cluster& cluster, const std::string& transactional_id,
                                                   std::shared_ptr<kafka::GroupFence> fence);
  /// Waits for a commit under way, but not for a cluster that does not answer: what librdkafka and the thread still
  /// use ends with them, aside.
  static void operator delete(KafkaWriter* writer, std::destroying_delete_t);

  Result<TopicHandle> topic(const std::string& name, bool track) override;
  std::size_t forget_topics(Clock::time_point before) override;
  std::int32_t partitions(TopicHandle topic) const override;
  Status refresh(TopicHandle topic) override;
  Status append(TopicHandle topic, std::int32_t partition, std::optional<std::string_view> key,
                std::optional<std::string_view> value, RecordTime timestamp,
                std::span<const HeaderView> headers) override;
  std::size_t pending_bytes() const override { return pending_bytes_; }
  Status commit() override;
  CommitState commit_state(std::chrono::milliseconds wait) override;
  Status abort() override;
  void on_commit_done(std::function<void()> callback) override;

  // For a writer over several clusters (joint_writer.h).
  /// Called on the writer's thread in every commit, when all has been sent and the slots are proven to be ours; an
  /// error makes the commit fail. To be set before the first; may be called until some time after the writer's end.
  void before_end(std::function<Status()> hook) { before_end_ = std::move(hook); }
  /// How the commit under way has ended by `until`; commit_state() still tells it. Any thread.
  Outcome outcome_by(Clock::time_point until);
  /// A commit under way ends soon, with its outcome unknown, and the writer is of no use any more. Any thread.
  void give_up();

 private:
  struct Topic {
    std::string name;
    kafka::TopicPtr handle;
    std::vector<std::unique_ptr<kafka::Lane>> lanes;         // null: nothing was appended yet
    std::vector<std::unique_ptr<kafka::Lane>> surplus = {};  // of partitions that the topic has lost
    bool track;
    std::size_t largest_record;  // that the topic takes
    Clock::time_point wanted;    // when topic() was asked for it
    // When the cluster last told how many partitions there are.
    Clock::time_point asked;
    std::uint64_t version;
  };
  struct Touched {
    TopicHandle topic;
    std::int32_t partition;
    bool track;
    kafka::Lane* lane;
  };

  explicit KafkaWriter(kafka::Cluster& cluster);
  Status open(const std::string& transactional_id, std::shared_ptr<kafka::GroupFence> fence);
  void ended(void* lane, std::int64_t offset, int code) override;
  void failed(const char* topic, std::int32_t partition, int code) override;
  template <class Some>
  Status send(kafka::Lane& lane, Some&& some);
  Status send_all();
  Status reopen();
  void stop();
  void end();
  void drop_open();
  void close_lanes();
  void lanes_ended();
  void run();
  void finish(const Status& ended, std::vector<Appended>& appended);
  std::vector<Appended> collect();

  kafka::Cluster& cluster_;  // not after stop()
  const std::chrono::milliseconds abort_wait_;
  std::function<Status()> before_end_;
  // What librdkafka points into; outlives the client.
  kafka::ChunkPool pool_;
  kafka::Bell bell_;
  WriterTopics<Topic> topics_;  // the worker's
  kafka::ClientPtr client_;
  std::optional<kafka::Transactions> transactions_;
  // The worker's.
  std::vector<Touched> open_;  // lanes with records of the open transaction
  std::size_t pending_bytes_ = 0;
  std::uint64_t grant_ = 0;   // under which the open transaction was begun
  bool sent_ = false;         // something of the open transaction has gone to librdkafka
  bool must_reopen_ = false;  // an abort has not gone through yet
  std::uint64_t closed_grant_ = 0;
  // The worker's while no commit is under way, then the thread's.
  std::vector<Touched> closed_;  // lanes of the transaction under way

  /// A commit is under way, or it has failed and that was not reported yet: appends stay in their lanes.
  std::atomic<bool> committing_{false};
  Mutex mutex_;
  std::condition_variable work_, ended_;
  CommitState state_ GUARDED_BY(mutex_);
  bool calling_ GUARDED_BY(mutex_) = false;
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::optional<Error> dead_ GUARDED_BY(mutex_);
  std::vector<TopicPartition> refused_ GUARDED_BY(mutex_);  // of the transaction under way
  std::optional<Error> refusal_ GUARDED_BY(mutex_);         // the first
  std::function<void()> callback_ GUARDED_BY(mutex_);
  std::thread thread_;
};
#pragma GCC diagnostic pop

}  // namespace millrace::inline exec
