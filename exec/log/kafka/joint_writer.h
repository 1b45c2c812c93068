#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "exec/log/kafka/writer.h"
#include "exec/log/log.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec {

class KafkaLog;

/// A transaction in the cluster that holds progress, and beside it one in each other cluster that something was
/// appended to. Those end first, when the process has proven that the slots are its own: what is in them is there at
/// least once. One that does not go through, or not in time, makes the whole commit fail, with the partitions that were
/// written there as those that were refused; it is told as that cluster's affair (Fault::unavailable).
///
/// The other clusters' transactions are not for atomicity: by them a process that takes up its work again ends what it
/// had under way, so that nothing old arrives behind what is new.
class JointWriter final : public Writer {
 public:
  /// `id`: transactional id; in other clusters with their name behind it.
  JointWriter(KafkaLog& log, std::string id, std::unique_ptr<KafkaWriter> home);
  ~JointWriter() override;

  Result<TopicHandle> topic(const std::string& name, bool track) override;
  std::size_t forget_topics(Clock::time_point before) override;
  std::int32_t partitions(TopicHandle topic) const override;
  Status refresh(TopicHandle topic) override;
  Status append(TopicHandle topic, std::int32_t partition, std::optional<std::string_view> key,
                std::optional<std::string_view> value, RecordTime timestamp,
                std::span<const HeaderView> headers) override;
  std::size_t pending_bytes() const override;
  Status commit() override;
  CommitState commit_state(std::chrono::milliseconds wait) override;
  Status abort() override;
  void on_commit_done(std::function<void()> callback) override;

 private:
  struct Other {
    kafka::Cluster* cluster;
    std::unique_ptr<KafkaWriter> writer{};  // null: to be made
    std::vector<TopicPartition> closed{};   // what the commit under way has there
    bool under_way = false, late = false;
  };
  struct Topic {
    std::string name;  // with its cluster
    Other* other;
    std::optional<TopicHandle> handle{};  // of the other's writer; absent: topic() was not called since that was made
    std::vector<bool> written{};          // by partition: in the open transaction
    Clock::time_point wanted{};
  };

  Topic* find(TopicHandle handle);
  const Topic* find(TopicHandle handle) const;
  Result<Topic*> open_topic(const std::string& name);
  std::vector<TopicPartition> take_written(const Other& other);
  void close_others();
  Status others_end();
  void blame(Other& other, CommitState& state);
  void settle(CommitState& state);
  void let_go(Other& other);

  /// The way from home's thread, which may be there for longer than this.
  struct Link {
    Mutex mutex;  // held while that thread is here
    JointWriter* writer GUARDED_BY(mutex);
  };

  KafkaLog& log_;
  const std::string id_;
  const std::shared_ptr<Link> link_;
  std::map<kafka::Cluster*, Other> others_;
  std::deque<Topic> topics_;  // of other clusters, by handle
  std::unordered_map<std::string, std::size_t> by_name_;
  std::vector<Other*> waits_for_;         // by the commit under way
  std::optional<Error> could_not_begin_;  // why that cannot succeed
  bool under_way_ = false;
  std::vector<Appended> appended_;  // of a commit whose end nobody asked for
  const std::unique_ptr<KafkaWriter> home_;
};

}  // namespace millrace::inline exec
