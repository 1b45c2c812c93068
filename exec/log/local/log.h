#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "exec/log/local/storage.h"
#include "exec/log/log.h"
#include "exec/log/record_batch.h"
#include "parser/error/mutex.h"

/// The log of one process: partitions whose recent batches lie in memory, with storage below (embedded) or without
/// (memory).
namespace millrace::inline exec {

class LocalReader;

/// Guarded by LocalLog's mutex, but for what is const and for `assigned`.
struct LocalPartition {
  LocalPartition(PartitionId number, TopicPartition full_name) : id(number), name(std::move(full_name)) {}
  struct Listener {
    LocalReader* reader;
    ReadHandle source;
  };

  const PartitionId id;
  const TopicPartition name;
  bool loaded = false;  // begin and end are known
  bool deleted = false;
  bool truncated = false;  // `begin` has moved since storage was told
  std::int64_t begin = 0;
  std::int64_t end = 0;
  std::int64_t assigned = 0;         // commit lock: end after the transactions being written
  std::uint64_t appended_bytes = 0;  // since the log was opened
  std::deque<RecordBatchPtr> tail;   // the last batches without a hole up to `end`
  std::vector<Listener> listeners;

  std::int64_t tail_begin() const { return tail.empty() ? end : tail.front()->base_offset(); }
};
using LocalPartitionPtr = std::shared_ptr<LocalPartition>;

struct LocalTopic {
  StoredTopic stored;
  std::vector<LocalPartitionPtr> partitions;
};
using LocalTopicPtr = std::shared_ptr<LocalTopic>;

/// A closed transaction on its way into the log.
struct LocalTransaction {
  struct Part {
    LocalPartitionPtr partition;
    std::shared_ptr<RecordBatch> batch;
    std::optional<TopicHandle> tracked = {};  // when its writer wants to know the offsets
  };
  std::vector<Part> parts;
  std::shared_ptr<const std::atomic<bool>> fenced;      // null: not fenced by anyone
  std::function<void(LocalTransaction&, Status)> done;  // called once, without locks
  std::vector<TopicPartition> refused;                  // partitions that are gone
};

class LocalLog final : public Log {
 public:
  struct Options {
    std::size_t tail_bytes = 0;  // budget of the recent batches in memory; without storage all stay
  };
  /// `storage` null: memory only; then commits run on the caller's thread, one after another.
  static Result<std::unique_ptr<LocalLog>> open(std::unique_ptr<LocalStorage> storage, Options options);
  ~LocalLog() override;

  LogTraits traits() const override { return {.changelog_is_redo_only = true, .commits_are_own = true}; }
  Status create_topic(const std::string& name, const TopicConfig& config) override;
  Result<std::vector<TopicDescription>> list_topics() override;
  Result<std::optional<TopicDescription>> describe_topic(const std::string& name) override;
  Status delete_topic(const std::string& name) override;
  Status truncate_before(const TopicPartition& partition, std::int64_t offset) override;
  Result<Bounds> bounds(const TopicPartition& partition, bool committed) override;
  Result<std::unique_ptr<Reader>> reader(const std::string& client_id) override;
  Result<std::unique_ptr<Writer>> writer(const std::string& transactional_id, Membership* membership) override;
  Result<std::unique_ptr<Membership>> membership(const std::string& group, const std::string& slots_topic,
                                                 const std::string& advertised) override;
  Result<std::int64_t> append_now(const TopicPartition& partition, std::optional<std::string_view> key,
                                  std::optional<std::string_view> value, RecordTime timestamp,
                                  std::span<const HeaderView> headers) override;
  Result<std::string> cluster_id() override;
  Status checkpoint(const std::string& directory) override;
  Status sync() override;

  // For readers, writers, memberships and maintenance.
  Result<LocalTopicPtr> find_topic(const std::string& name);
  Result<LocalPartitionPtr> find_partition(const TopicPartition& name);
  /// Hands a transaction over; `done` may be called before this returns.
  void submit(std::unique_ptr<LocalTransaction> transaction);
  std::vector<LocalTopicPtr> topics();
  Mutex& mutex() RETURNS_MUTEX(mutex_) { return mutex_; }
  LocalStorage* storage() { return storage_.get(); }
  /// Of the batches of these topics that are in memory.
  std::size_t held_bytes(std::span<const std::string> topics);
  /// Moves the beginning forward; nothing happens when it is there already.
  void advance_begin(LocalPartition& partition, std::int64_t offset) REQUIRES(mutex_);
  /// Destroyed before the log's own parts: what works on it in the background.
  void keep(std::shared_ptr<void> background) { background_ = std::move(background); }
  /// Which advertised address speaks for a group.
  std::map<std::string, std::string, std::less<>>& group_owners() REQUIRES(mutex_) { return group_owners_; }

 private:
  using TransactionPtr = std::unique_ptr<LocalTransaction>;
  LocalLog(std::unique_ptr<LocalStorage> storage, Options options);
  Status load_topics();
  void add_topic(const StoredTopic& stored) REQUIRES(mutex_);
  Status load(LocalPartition& partition) REQUIRES(mutex_);
  void commit_loop();
  void process(std::vector<TransactionPtr>& group);
  Status admit(LocalTransaction& transaction, std::int64_t now, std::vector<PlacedBatch>& placed);
  void publish(const LocalTransaction& transaction) REQUIRES(mutex_);
  void cache(const LocalPartitionPtr& partition, const RecordBatchPtr& batch) REQUIRES(mutex_);
  void evict() REQUIRES(mutex_);
  bool evict_oldest(bool stale_only) REQUIRES(mutex_);

  const std::unique_ptr<LocalStorage> storage_;
  const Options options_;

  /// Order: commit_mutex_ before mutex_. The commit lock is held while transactions are placed and written, and by what
  /// must not happen meanwhile: topics made and deleted, writers fenced.
  Mutex commit_mutex_;
  Mutex mutex_;
  std::map<std::string, LocalTopicPtr, std::less<>> topics_ GUARDED_BY(mutex_);
  std::uint32_t next_topic_id_ GUARDED_BY(mutex_) = 1;
  std::map<std::string, std::string, std::less<>> group_owners_ GUARDED_BY(mutex_);
  std::unordered_map<std::string, std::weak_ptr<std::atomic<bool>>> fences_ GUARDED_BY(mutex_);
  std::size_t tail_bytes_ GUARDED_BY(mutex_) = 0;
  std::deque<std::pair<std::weak_ptr<LocalPartition>, std::int64_t>>
      tail_order_;  // partition, base offset; oldest first

  Mutex queue_mutex_;
  std::condition_variable queue_filled_;
  std::vector<TransactionPtr> queue_ GUARDED_BY(queue_mutex_);
  bool stopping_ GUARDED_BY(queue_mutex_) = false;
  std::thread committer_;
  std::shared_ptr<void> background_;
};

}  // namespace millrace::inline exec
