#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "exec/log/log.h"

namespace millrace::inline exec {

class KafkaLog;
namespace kafka {
class Cluster;
class EndAsker;
}  // namespace kafka

/// Every partition has a queue of its own in librdkafka, so pausing one costs nothing and a batch is of one partition.
/// librdkafka tells which queues have something; those stand in line here, whatever cluster they are of. Records are
/// handed out as librdkafka holds them, not copied.
class KafkaReader final : public Reader {
 public:
  enum class Purpose : std::uint8_t { follow, to_end };  // to_end: as Log::reader_to_end
  static Result<std::unique_ptr<Reader>> make(KafkaLog& log, const std::string& client_id, Purpose purpose);
  ~KafkaReader() override;

  using Reader::add;
  /// To follow it asks the log for the partition's bounds where these are not known: two or three round trips.
  Result<ReadHandle> add(const TopicPartition& partition, std::int64_t offset, const LogBounds* known) override;
  void remove(ReadHandle source) override;
  void pause(ReadHandle source) override;
  void resume(ReadHandle source) override;
  Result<std::optional<Fetch>> poll(std::size_t max_records, std::chrono::milliseconds wait) override;
  std::int64_t known_end(ReadHandle source) override;
  bool ended(ReadHandle source, Clock::time_point since) override;
  void ask_end(ReadHandle source) override;
  ReadHandle at_fault() const override { return at_fault_; }
  std::int64_t skipped(ReadHandle source) const override;
  void wake() override;

  /// What a client that reads up to so many partitions holds ready of each.
  struct Share {
    std::size_t partitions, queued_bytes, fetched_bytes, queued_messages;
  };

 private:
  struct Client;
  struct Line;
  struct Source;
  struct Side;
  KafkaReader(KafkaLog& log, std::string client_id, Purpose purpose);
  static const Share& share_of(std::size_t partitions);
  Result<std::shared_ptr<Client>> make_client(kafka::Cluster& cluster, const Share& share) const;
  Result<Side*> side_of(kafka::Cluster& cluster);
  Status make_room(Side& side);
  Source* find(ReadHandle source);
  Result<std::optional<Fetch>> take(ReadHandle handle, Source& source, std::size_t max_records);
  static void fetch_again(Source& source);
  Result<std::int64_t> start_of(const TopicPartition& partition, std::int64_t offset, const LogBounds* known,
                                std::int64_t& end);
  void take_answers();

  KafkaLog& log_;
  const std::string client_id_;
  const Purpose purpose_;
  const std::unique_ptr<Line> line_;
  // By handle; none is given twice, so that what is still said of a removed one means nothing.
  std::unordered_map<ReadHandle, std::unique_ptr<Source>> sources_;
  std::int32_t next_handle_ = 0;
  ReadHandle at_fault_ = kNoRead;
  std::vector<std::unique_ptr<Side>> sides_;  // one for each cluster that was read; they answer into the line
};

}  // namespace millrace::inline exec
