#pragma once

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

/// The least that stands between a loop and librdkafka.
namespace bound {

constexpr int kPartitions = 4;

[[noreturn]] void die(const std::string& what);

/// Creates the topic, empty; one that is there is an error.
void create_topic(const std::string& broker, const std::string& topic);
void delete_topic(const std::string& broker, const std::string& topic);

struct Destroy {
  void operator()(rd_kafka_t* client) const { rd_kafka_destroy(client); }
  void operator()(rd_kafka_topic_t* topic) const { rd_kafka_topic_destroy(topic); }
  void operator()(rd_kafka_queue_t* queue) const { rd_kafka_queue_destroy(queue); }
  void operator()(rd_kafka_message_t* message) const { rd_kafka_message_destroy(message); }
};
template <class T>
using Owned = std::unique_ptr<T, Destroy>;

/// An idempotent producer to one topic.
class Output {
 public:
  Output(const std::string& broker, const std::string& topic);
  void put(int partition, std::string_view key, std::string_view value) {
    while (rd_kafka_produce(topic_.get(), partition, RD_KAFKA_MSG_F_COPY, const_cast<char*>(value.data()), value.size(),
                            key.data(), key.size(), nullptr) == -1)
      rd_kafka_poll(client_.get(), 5);
    if ((++records_ & 4095) == 0) rd_kafka_poll(client_.get(), 0);
  }
  /// Until the broker has everything.
  void flush();
  std::int64_t records() const { return records_; }

 private:
  Owned<rd_kafka_t> client_;
  Owned<rd_kafka_topic_t> topic_;
  std::int64_t records_ = 0;
};

/// A consumer of all partitions of a topic, from their beginning.
class Input {
 public:
  Input(const std::string& broker, const std::string& topic);
  ~Input();
  /// Calls `each` for so many records, and `first` before the first one.
  template <class First, class Each>
  void read(std::int64_t records, First&& first, Each&& each) {
    std::vector<rd_kafka_message_t*> batch(4096);
    for (std::int64_t got = 0; got < records;) {
      // It waits until it has as many as it was asked for.
      const auto wanted = std::min(batch.size(), static_cast<std::size_t>(records - got));
      const auto count = rd_kafka_consume_batch_queue(queue_.get(), 1000, batch.data(), wanted);
      if (count > 0 && got == 0) first();
      for (std::int64_t i = 0; i < count; ++i) {
        const Owned<rd_kafka_message_t> message(batch[static_cast<std::size_t>(i)]);
        if (message->err != 0) continue;
        ++got;
        each(*message);
      }
    }
  }

 private:
  Owned<rd_kafka_t> client_;
  Owned<rd_kafka_queue_t> queue_;
};

inline std::string_view key_of(const rd_kafka_message_t& message) {
  return {static_cast<const char*>(message.key), message.key_len};
}
inline std::string_view value_of(const rd_kafka_message_t& message) {
  return {static_cast<const char*>(message.payload), message.len};
}

}  // namespace bound
