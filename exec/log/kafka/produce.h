#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "exec/log/kafka/client.h"

namespace millrace::inline exec::kafka {

/// A record on its way into librdkafka, which copies its key and headers, but points to its value until it has ended.
struct Outgoing {
  rd_kafka_topic_s* topic;
  std::int32_t partition;
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  RecordTime timestamp;
  std::span<const HeaderView> headers;
  void* opaque;  // comes back with the acknowledgement
};
/// 0, or librdkafka's code (a full queue too).
int produce(rd_kafka_s* client, const Outgoing& record);

/// What is told of records that ended, on one of librdkafka's threads. Outlives the client.
struct Acknowledgements {
  virtual ~Acknowledgements() = default;
  /// A record with an opaque: its offset, librdkafka's code.
  virtual void ended(void* opaque, std::int64_t offset, int code) = 0;
  /// Any record that did not reach the log.
  virtual void failed(const char* /*topic*/, std::int32_t /*partition*/, int /*code*/) {}
};
/// Registers them from ClientSetup::callbacks.
void report_acknowledgements(rd_kafka_conf_s* conf, Acknowledgements& to);
/// The log will not take the record, however often it is sent.
bool is_refusal(int code);

}  // namespace millrace::inline exec::kafka
