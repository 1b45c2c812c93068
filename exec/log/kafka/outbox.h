#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "exec/log/kafka/client.h"
#include "exec/log/log.h"
#include "parser/error/mutex.h"

namespace millrace::inline exec::kafka {

/// A piece of memory that librdkafka sends from: records one after another, each a fixed head and its bytes.
struct Chunk {
  std::unique_ptr<char[]> data;
  std::size_t capacity = 0;
  std::size_t used = 0;
  std::size_t sent = 0;  // up to here librdkafka has it
};

/// Chunks to be used again. Any thread.
class ChunkPool {
 public:
  static constexpr std::size_t kChunkBytes = 64 << 10;
  /// Holds at least `bytes`, and is empty.
  Chunk take(std::size_t bytes);
  /// Keeps it if it is of the usual size and few are kept.
  void give(Chunk&& chunk);

 private:
  Mutex mutex_;
  std::vector<Chunk> spare_ GUARDED_BY(mutex_);
};

/// Tells whoever waits that records of some lane have ended.
struct Bell {
  std::atomic<std::uint32_t> rings{0};
  void ring() {
    rings.fetch_add(1, std::memory_order_release);
    rings.notify_all();
  }
};

/// Records on their way to one partition. They are copied once, into chunks; librdkafka gets a chunk when it has sent
/// most of what it got before, so that its messages stay few, and points into it.
///
/// Two sides: a worker adds records; whoever ends a transaction sends what close() has set aside. While nothing is set
/// aside the worker may send too.
class Lane {
 public:
  /// librdkafka has at most about this many bytes of a partition: more than it wants for a request, so that full ones
  /// go without a flush.
  static constexpr std::size_t kWindowBytes = 1 << 20;

  Lane(rd_kafka_topic_s* topic, std::int32_t partition, ChunkPool& pool, Bell& bell)
      : topic_(topic), partition_(partition), pool_(pool), bell_(bell) {}

  struct Record {
    std::optional<std::string_view> key;
    std::optional<std::string_view> value;
    RecordTime timestamp;
    std::span<const HeaderView> headers;
  };

  // The worker's side.
  /// True when a chunk has become full: there is something to send.
  bool add(const Record& record);
  /// Sends full chunks as far as there is room. 0 or librdkafka's code.
  int send_full(rd_kafka_s* client) { return send(client, open_, false); }
  void clear();
  /// Sets aside what was added, to be sent. Precondition: nothing is set aside.
  void close();

  // Of the one who ends a transaction.
  /// Sends what was set aside as far as there is room.
  int send_closed(rd_kafka_s* client) { return send(client, closed_, true); }
  bool sent_all() const { return closed_.empty(); }
  /// The transaction has ended: librdkafka has nothing of it any more.
  void ended();
  /// One past the last record that has reached the log in this transaction; -1: none.
  std::int64_t next_offset() const { return next_offset_.load(std::memory_order_acquire); }

  const char* topic() const;
  std::int32_t partition() const { return partition_; }
  /// "topic 'x' partition 0"
  std::string name() const;

  /// A marked record has ended: all before it have. On librdkafka's threads.
  void acknowledged(std::int64_t offset, int code);

  bool touched = false;  // the worker's: has records of the open transaction

 private:
  int send(rd_kafka_s* client, std::deque<Chunk>& from, bool all);
  int send_chunk(rd_kafka_s* client, Chunk& chunk);
  void reclaim();

  rd_kafka_topic_s* const topic_;
  const std::int32_t partition_;
  ChunkPool& pool_;
  Bell& bell_;
  std::size_t next_capacity_ = 1 << 10;
  std::deque<Chunk> open_, closed_;
  std::deque<Chunk> flying_;  // librdkafka has them
  std::size_t flying_bytes_ = 0;
  std::uint32_t reclaimed_ = 0;
  std::vector<HeaderView> headers_;             // of the record being sent
  std::atomic<std::uint32_t> acknowledged_{0};  // chunks
  std::atomic<std::int64_t> next_offset_{-1};
};

}  // namespace millrace::inline exec::kafka
