#pragma once

#include <atomic>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "exec/log/local/log.h"
#include "exec/log/record_batch.h"
#include "exec/log/writer_topics.h"

namespace millrace::inline exec {

class LocalWriter final : public Writer {
 public:
  LocalWriter(LocalLog& log, std::string id, std::shared_ptr<const std::atomic<bool>> fenced);
  /// Waits for a commit under way.
  ~LocalWriter() override;

  Result<TopicHandle> topic(const std::string& name, bool track) override;
  std::size_t forget_topics(Clock::time_point before) override;
  std::int32_t partitions(TopicHandle topic) const override;
  Status append(TopicHandle topic, std::int32_t partition, std::optional<std::string_view> key,
                std::optional<std::string_view> value, RecordTime timestamp,
                std::span<const HeaderView> headers) override;
  std::size_t pending_bytes() const override { return pending_bytes_; }
  Status commit() override;
  CommitState commit_state(std::chrono::milliseconds wait) override;
  Status abort() override;
  void on_commit_done(std::function<void()> callback) override;

 private:
  struct Buffer {
    RecordBatchBuilder open;
    std::vector<std::shared_ptr<RecordBatch>> sealed;
    bool touched = false;
  };
  struct Topic {
    LocalTopicPtr topic;
    bool track;
    std::vector<Buffer> buffers;  // by partition
    Clock::time_point asked;
  };
  /// Shared with the transaction under way.
  struct Commit;

  std::unique_ptr<LocalTransaction> close_transaction();
  void drop_open();

  LocalLog& log_;
  const std::string id_;
  const std::shared_ptr<const std::atomic<bool>> fenced_;
  WriterTopics<Topic> topics_;
  std::vector<std::pair<TopicHandle, std::int32_t>> touched_;
  std::size_t pending_bytes_ = 0;
  const std::shared_ptr<Commit> commit_;
};

}  // namespace millrace::inline exec
